// Keyboard and theme. A key presses what names it in aria-keyshortcuts, where nothing is being typed.
const root = document.documentElement;
const button = document.getElementById("theme");
const help = document.getElementById("keys");
const menu = document.getElementById("start-menu");
const changeTheme = () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not remembered */ }
  document.dispatchEvent(new Event("theme"));
};
button.addEventListener("click", changeTheme);
document.getElementById("show-keys").addEventListener("click", () => (help.open ? help.close() : help.showModal()));
const reveal = () => { for (const needs of document.querySelectorAll("[data-script]")) needs.hidden = false; };
document.addEventListener("htmx:after:swap", reveal);
reveal();

document.addEventListener("keydown", (event) => {
  const typing = event.composedPath()[0].closest?.("input, textarea, select, [contenteditable]"); // also in the YAML editor
  if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
  if (event.key === "Escape" && menu.open) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  if (event.key.length !== 1) return;
  const shortcut = `[aria-keyshortcuts="${CSS.escape(event.key)}"]`;
  const named = event.key === "/" ? document.getElementById("search") : document.querySelector(shortcut);
  if (!named || (document.body.dataset.role === "viewer" && named.closest("[data-operator]"))) return;
  event.preventDefault();
  if (named.matches("input")) named.focus();
  else named.click();
});
document.addEventListener("click", (event) => {
  if (menu.open && !menu.contains(event.target)) menu.open = false;
  if (event.target === help) help.close(); // the backdrop
});
