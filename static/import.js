// Files can be dropped anywhere on the page; while they are sent, the form says how far it is. Where the page is about
// something else, the form is hidden until files are over the page.
const form = document.getElementById("import-form");
const input = form?.elements.file;
const sending = document.getElementById("sending");

const say = (text, share) => {
  sending.hidden = false;
  sending.querySelector("p").textContent = text;
  const bar = sending.querySelector("progress");
  bar.hidden = share === undefined;
  if (share >= 0) bar.value = share;
  else bar.removeAttribute("value");
};

const send = () => {
  const bytes = [...input.files].reduce((sum, file) => sum + file.size, 0);
  const most = Number(form.dataset.most);
  if (bytes > most * 1048576) { say(`Up to ${most} MB can be imported at once; these are ${Math.ceil(bytes / 1048576)} MB.`); return; }
  const request = new XMLHttpRequest();
  const button = form.querySelector("button");
  button.disabled = true;
  button.ariaBusy = "true";
  const free = () => { button.disabled = false; button.ariaBusy = "false"; };
  request.upload.addEventListener("progress", (event) => say("Sending…", event.lengthComputable ? event.loaded / event.total : -1));
  request.upload.addEventListener("load", () => say("Reading…", -1));
  request.addEventListener("load", () => {
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    if (request.status < 400) { location.assign(request.responseURL); return; }
    free();
    say(page.querySelector(".notice.failed")?.textContent || request.responseText.slice(0, 300) || "The panel refused the file.");
  });
  request.addEventListener("error", () => { free(); say("The panel does not answer. Nothing was stored."); });
  request.open("POST", form.action);
  request.send(new FormData(form));
};

if (form) {
  const shown = !form.hidden, viewer = document.body.dataset.role === "viewer";
  for (const hint of form.querySelectorAll("[data-script]")) hint.hidden = false;
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault(); // else the browser opens the file in place of the panel
      if (viewer) { event.dataTransfer.dropEffect = "none"; return; }
      form.hidden = false;
      form.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget) return;
    form.classList.remove("over");
    form.hidden = !shown && sending.hidden;
  });
  document.addEventListener("drop", (event) => {
    form.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    if (viewer || form.querySelector("button").disabled) return;
    form.hidden = false;
    input.files = event.dataTransfer.files;
    send();
  });
}
