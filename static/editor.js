// The editor of a strategy's file: messages beside their lines, save by keyboard, and what was typed is kept until it is
// saved: in its own window it is there again, another window offers it.
import { yamlEditor } from "./yaml.js";

const OLD = 7 * 86400e3; // milliseconds after which a text that was never saved is forgotten

const form = document.getElementById("editor");
const area = document.getElementById("text");
const note = document.getElementById("draft");
const typed = () => form.elements; // the name is replaced when a save was refused
const first = area.defaultValue; // as the panel sent it
let returned = "returned" in form.dataset; // what was typed came back, not saved
const key = `strategy-draft:${form.elements.draft.value}`;
let sent = false;

const read = (storage) => {
  try {
    const draft = JSON.parse(storage.getItem(key));
    return draft && typeof draft.text === "string" && Date.now() - draft.at < OLD ? draft : null;
  } catch { return null; }
};
const keep = () => {
  const draft = JSON.stringify({ at: Date.now(), name: typed().name.value, opened: typed().opened.value, text: area.value });
  try { for (const storage of [sessionStorage, localStorage]) storage.setItem(key, draft); } catch { /* switched off or full */ }
};
const forget = () => { for (const storage of [sessionStorage, localStorage]) try { storage.removeItem(key); } catch { /* nothing was kept */ } };

const editor = yamlEditor(area, "File", (changed, line) => {
  document.getElementById("at").textContent = line;
  if (!changed) return;
  keep();
  area.dispatchEvent(new Event("input", { bubbles: true })); // the check is asked for
});
area.focus = () => editor.focus();
document.querySelector("label[for=text]").addEventListener("click", () => editor.focus());

const mark = () => editor.mark([...document.querySelectorAll("#remarks li")].map((item) => ({
  line: Number(item.querySelector("[data-line]")?.dataset.line ?? 0),
  message: item.querySelector("span").textContent,
  wrong: item.classList.contains("wrong"),
})));
document.addEventListener("htmx:after:swap", mark);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-line]");
  if (button) editor.goTo(Number(button.dataset.line));
});

// A draft of a file that has changed since keeps the digest of the one it began from: saving it then shows the difference.
const fill = (draft) => {
  if (!typed().name.readOnly) typed().name.value = draft.name;
  typed().opened.value = draft.opened;
  editor.replace(draft.text);
};
const say = (text, buttons) => {
  note.querySelector("span").textContent = text;
  for (const button of note.querySelectorAll("button")) button.hidden = !buttons.includes(button.dataset.draft);
  note.hidden = false;
};
note.addEventListener("click", (event) => {
  const what = event.target.dataset.draft;
  if (!what) return;
  if (what === "restore") fill(read(localStorage));
  else if (what === "clear") { form.reset(); typed().opened.value = typed().opened.defaultValue; editor.replace(first); }
  if (what !== "restore") forget();
  note.hidden = true;
  editor.focus();
});
const begin = () => {
  try { sessionStorage.removeItem("sent-draft"); } catch { return; }
  if (returned) { keep(); return; }
  let [own, other] = [null, null];
  try { [own, other] = [read(sessionStorage), read(localStorage)]; } catch { return; }
  if (own && own.text !== first) {
    fill(own);
    say("What you typed here before was filled in again.", ["clear"]);
  } else if (!own && other && other.text !== first) say("There is a text of this file that was typed here and never saved.", ["restore", "discard"]);
};

document.addEventListener("keydown", (event) => {
  if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  form.querySelector(".primary")?.click();
});
const saving = (event) => event.detail.ctx?.sourceElement?.id === "save";
document.addEventListener("htmx:before:request", (event) => {
  if (!saving(event)) return;
  // The page of the strategy forgets the draft: that it is shown says that the text was saved.
  try { sessionStorage.setItem("sent-draft", JSON.stringify({ key, name: typed().name.value.trim() })); } catch { /* not kept */ }
});
document.addEventListener("htmx:after:request", (event) => {
  if (!saving(event)) return;
  sent = event.detail.ctx.response?.status === 204; // it was saved, and its page follows
  if (!sent) { returned = true; keep(); }
});
window.addEventListener("beforeunload", (event) => { if (!sent && (returned || area.value !== first)) event.preventDefault(); });
window.addEventListener("pageshow", () => { sent = false; });
window.addEventListener("load", begin); // htmx listens from then on
mark();
