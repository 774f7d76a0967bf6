// The form of a start: what a choice fills in, and what became of a start whose answer was lost.
import { keep } from "./draft.js";

const form = () => document.getElementById("start-form");

// A choice fills other fields, but not those in which the user has typed.
let filled = {};
const remember = () => { filled = JSON.parse(form().querySelector("[data-fill]:checked")?.dataset.fill || "{}"); };
document.addEventListener("change", (event) => {
  if (event.target === form()) { remember(); return; } // its draft was filled in
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
