// What was typed survives a reload, in its own window. Another window offers what was left unfinished, and fills in
// nothing by itself. A form that a link filled in has a draft of its own: it is for that link's address only.

const OLD = 7 * 86400e3; // milliseconds after which an unfinished form is forgotten

const form = () => document.getElementById("start-form");
const note = document.getElementById("draft");
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
const keep = () => {
  const values = {};
  for (const field of named()) {
    if (field.type === "radio") { if (field.checked) values[field.name] = field.value; }
    else values[field.name] = field.type === "checkbox" ? field.checked : field.value;
  }
  try { write(JSON.stringify({ at: Date.now(), values })); } catch { /* storage is switched off or full: not kept */ }
};
const forget = () => { try { write(""); } catch { /* nothing was kept */ } };

const fill = (values) => {
  for (const field of named()) {
    if (!(field.name in values)) continue;
    if (field.type === "radio") field.checked = field.value === values[field.name];
    else if (field.type === "checkbox") field.checked = values[field.name];
    else field.value = values[field.name];
  }
};
const differs = (values) => named().some((field) => {
  if (!(field.name in values)) return false;
  if (field.type === "radio") return field.checked !== (field.value === values[field.name]);
  return (field.type === "checkbox" ? field.checked : field.value) !== values[field.name];
});

// A choice fills other fields, but not those in which the user has typed.
let filled = {};
const remember = () => { filled = JSON.parse(form().querySelector("[data-fill]:checked")?.dataset.fill || "{}"); };
document.addEventListener("change", (event) => {
  const choice = event.target.closest("[data-fill]");
  if (!choice) return;
  const values = JSON.parse(choice.dataset.fill);
  for (const [name, value] of Object.entries(values)) {
    const field = choice.form.elements[name];
    if (field instanceof HTMLInputElement && (!field.value || field.value === filled[name])) field.value = value;
  }
  filled = values;
  keep();
});

const say = (text, buttons) => {
  note.querySelector("span").textContent = text;
  for (const button of note.querySelectorAll("button")) button.hidden = !buttons.includes(button.dataset.draft);
  note.hidden = false;
};
const changed = () => { remember(); form().dispatchEvent(new Event("change", { bubbles: true })); };

const begin = () => {
  if (form().querySelector("[aria-invalid=true], .wrong, .notice.failed")) return;
  let [own, other] = [null, null];
  try { forgetOld(); [own, other] = [read(sessionStorage), read(localStorage)]; } catch { return; }
  if (own && differs(own.values)) {
    fill(own.values);
    say("What you typed here before was filled in again.", ["clear"]);
    changed();
  } else if (!own && other && differs(other.values)) say("You left this form unfinished.", ["restore", "discard"]);
};
note.addEventListener("click", (event) => {
  const what = event.target.dataset.draft;
  if (!what) return;
  if (what === "restore") { fill(read(localStorage)?.values ?? {}); keep(); }
  else forget();
  if (what === "clear") { form().reset(); }
  note.hidden = true;
  form().querySelector("input:not([type=hidden]), select")?.focus();
  changed();
});

document.addEventListener("input", (event) => {
  if (event.target.form === form()) keep();
});

document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  if (ctx.sourceElement === form() && ctx.response?.status === 204) forget(); // it has started
});
// The answer to a start was lost: the panel stopped, or the connection broke. Its key leads to the outcome.
const ASK_AGAIN = 2000; // milliseconds
const fate = document.getElementById("fate");
const submitted = `sent:${form().dataset.draft}`;
let asking = 0;
const askFate = async (sent) => {
  clearTimeout(asking);
  if (fate.hidden) {
    fate.hidden = false;
    fate.scrollIntoView({ block: "center" });
  }
  try {
    const answer = await fetch(`${fate.dataset.address}${encodeURIComponent(sent)}/fate`);
    if (!answer.ok) throw new Error(answer.statusText);
    fate.innerHTML = await answer.text(); // the panel's own fragment, escaped there
    if (answer.headers.get("X-Settled") === "1") { forgetSent(); return; }
  } catch {
    fate.textContent = "The panel did not answer. The outcome of this start is checked again and again; nothing is sent twice.";
  }
  asking = setTimeout(askFate, ASK_AGAIN, sent);
};
const forgetSent = () => { try { sessionStorage.removeItem(submitted); } catch { /* nothing was kept */ } };
document.addEventListener("htmx:before:request", (event) => {
  if (event.detail.ctx.sourceElement !== form()) return;
  clearTimeout(asking);
  fate.hidden = true;
  try { sessionStorage.setItem(submitted, form().elements.key.value); } catch { /* not kept */ }
});
document.addEventListener("htmx:after:request", (event) => {
  if (event.detail.ctx.sourceElement === form() && event.detail.ctx.response) forgetSent();
});
document.addEventListener("htmx:error", (event) => {
  if (event.detail.ctx?.sourceElement === form()) askFate(form().elements.key.value);
});
// What can start now depends on the backend and its workers: the check is renewed when their state changes.
const state = () => document.querySelector("#health .well").textContent;
let checked = state();
new MutationObserver(() => {
  if (state() !== checked) {
    checked = state();
    document.body.dispatchEvent(new Event("look"));
  }
}).observe(document.getElementById("line"), { childList: true, characterData: true, subtree: true });
try { // the page was reloaded before an answer came
  const sent = sessionStorage.getItem(submitted);
  if (sent) askFate(sent);
} catch { /* nothing was kept */ }
remember();
begin();
