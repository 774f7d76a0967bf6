// The editor of a strategy's file: jump to a line, save by keyboard, and ask before typed text is left behind.
const form = document.getElementById("editor");
const area = document.getElementById("text");
const opened = area.defaultValue;
let sent = false;

const leaving = (event) => {
  if (!sent && area.value !== opened) event.preventDefault();
};

const tell = () => {
  document.getElementById("at").textContent = area.value.slice(0, area.selectionStart).split("\n").length;
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-line]");
  if (!button) return;
  const lines = area.value.split("\n");
  const line = Math.min(Number(button.dataset.line), lines.length) - 1;
  const start = lines.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + lines[line].length);
  area.scrollTop = Math.max(line - 5, 0) * parseFloat(getComputedStyle(area).lineHeight);
  tell();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  form.querySelector(".primary")?.click();
});

for (const name of ["keyup", "click", "input"]) area.addEventListener(name, tell);
form.addEventListener("submit", (event) => { sent = !event.submitter?.formAction.endsWith("/strategies-text"); });
window.addEventListener("beforeunload", leaving);
