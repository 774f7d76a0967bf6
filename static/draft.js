// What was typed survives a reload, in its own window. Another window offers what was left unfinished, and fills in
// nothing by itself. A form that a link filled in has a draft of its own: it is for that link's address only.

const OLD = 7 * 86400e3; // milliseconds after which an unfinished form is forgotten

const form = () => document.querySelector("form[data-draft]");
const note = () => document.getElementById("draft");
const key = `draft:${form().dataset.draft}${location.search}`;
const named = () => [...form().elements].filter((field) => field.name && field.type !== "hidden");

const read = (storage) => {
  try {
    const draft = JSON.parse(storage.getItem(key));
    return draft && Date.now() - draft.at < OLD ? draft : null;
  } catch { return null; }
};
const forgetOld = () => { // each link's address has its own
  for (const name of Object.keys(localStorage)) {
    if (!name.startsWith("draft:")) continue;
    let at = 0;
    try { at = JSON.parse(localStorage.getItem(name)).at; } catch { /* not readable: it goes */ }
    if (!(Date.now() - at < OLD)) localStorage.removeItem(name);
  }
};
const write = (text) => {
  for (const storage of [sessionStorage, localStorage]) {
    if (text) storage.setItem(key, text);
    else storage.removeItem(key);
  }
};
const id = (field) => (field.type === "checkbox" ? `${field.name}=${field.value}` : field.name);
const toggles = (field) => field.type === "checkbox" || field.type === "radio";
const valueOf = (field) => (field.type === "checkbox" ? field.checked : field.value);

// A choice that draws the form anew, with other choices below it. They are filled in when they are there.
const redraws = () => form().querySelector("select[data-redraws]");
let waiting = null;

export const keep = () => {
  if (waiting) return;
  const values = {};
  for (const field of named()) if (field.type !== "radio" || field.checked) values[id(field)] = valueOf(field);
  try { write(JSON.stringify({ at: Date.now(), values })); } catch { /* storage is switched off or full: not kept */ }
};
const forget = () => { try { write(""); } catch { /* nothing was kept */ } };

const fill = (values) => {
  for (const field of named()) {
    if (!(id(field) in values)) continue;
    const value = values[id(field)];
    if (toggles(field)) field.checked = field.type === "radio" ? field.value === value : value;
    else if (!field.options || [...field.options].some((option) => option.value === value)) field.value = value;
  }
};
const differs = (values) => named().some((field) => {
  if (!(id(field) in values)) return false;
  if (field.type === "radio") return field.checked !== (field.value === values[id(field)]);
  return valueOf(field) !== values[id(field)];
});
const drawnFor = () => redraws()?.querySelector("option[selected]")?.value ?? "";

const say = (text, buttons) => {
  note().querySelector("span").textContent = text;
  for (const button of note().querySelectorAll("button")) button.hidden = !buttons.includes(button.dataset.draft);
  note().hidden = false;
};
const changed = () => form().dispatchEvent(new Event("change", { bubbles: true }));
const restore = (values) => {
  fill(values);
  if (!redraws() || redraws().value === drawnFor()) { changed(); return; }
  waiting = values;
  redraws().dispatchEvent(new Event("change", { bubbles: true }));
};
document.addEventListener("htmx:after:swap", () => {
  if (!waiting || redraws().value !== drawnFor()) return;
  fill(waiting);
  waiting = null;
  changed();
});
document.addEventListener("htmx:error", () => { waiting = null; });

const begin = () => {
  if (form().querySelector("[aria-invalid=true], .wrong, .notice.failed")) return;
  let [own, other] = [null, null];
  try { forgetOld(); [own, other] = [read(sessionStorage), read(localStorage)]; } catch { return; }
  if (own && (differs(own.values) || (redraws() && redraws().value !== drawnFor()))) {
    restore(own.values);
    say("What you typed here before was filled in again.", ["clear"]);
  } else if (!own && other && differs(other.values)) say("You left this form unfinished.", ["restore", "discard"]);
};
document.addEventListener("click", (event) => {
  const what = event.target.closest("#draft button")?.dataset.draft;
  if (!what) return;
  note().hidden = true;
  if (what === "restore") {
    restore(read(localStorage)?.values ?? {});
    keep();
  } else forget();
  if (what === "clear" && redraws()) { location.assign(location.href); return; } // as the panel draws it
  if (what === "clear") form().reset();
  form().querySelector("input:not([type=hidden]), select")?.focus();
  if (what !== "restore") changed();
});

for (const kind of ["input", "change"]) {
  document.addEventListener(kind, (event) => { if (event.target.form === form()) keep(); });
}
document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  if (ctx.sourceElement === form() && ctx.response?.status === 204) forget(); // it was taken, and another page follows
});
window.addEventListener("load", begin); // htmx listens from then on
