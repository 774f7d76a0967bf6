// A pressed button stays locked until the operation's state changes; after 30 s it says so and unlocks.
const UNLOCK_AFTER = 30000;
let locked = null; // {action, state, until}
let again = 0;
const status = () => document.getElementById("status")?.dataset.state;
const buttons = (action) => document.querySelectorAll(`form[data-lock][action="${action}"] button`);

const show = () => {
  clearTimeout(again);
  if (!locked) return;
  const over = status() !== locked.state || document.querySelector("#ask .notice.failed");
  const late = Date.now() > locked.until;
  for (const button of buttons(locked.action)) {
    button.disabled = !over && !late;
    button.ariaBusy = String(button.disabled);
  }
  if (late && !over) {
    const why = document.createElement("p");
    why.className = "notice warning";
    why.role = "status";
    why.textContent = "Nothing has changed for 30 s. What was asked for may still come; asking again does no harm.";
    document.getElementById("ask").replaceChildren(why);
  }
  if (over || late) locked = null;
  else again = setTimeout(show, 1000);
};

document.addEventListener("htmx:before:request", (event) => {
  const form = event.detail.ctx?.sourceElement?.closest?.("form[data-lock]");
  if (form) locked = { action: form.getAttribute("action"), state: status(), until: Date.now() + UNLOCK_AFTER };
  show();
});
document.addEventListener("htmx:after:swap", show);

// The question before a cancel and the form of names close without leaving the page: by their own button, or with Escape
// where nothing was typed. The focus goes back to what opened them.
const ask = document.getElementById("ask");
let opener = "";
document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  if (ctx?.target === ask && !ask.contains(ctx.sourceElement)) opener = ctx.sourceElement.id;
});
const close = () => {
  ask.replaceChildren();
  (document.getElementById(opener) ?? document.getElementById("status")).focus();
};
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-close]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  close();
});
ask.addEventListener("keydown", (event) => {
  const open = ask.querySelector("[data-close]")?.closest("form");
  if (event.key !== "Escape" || !open) return;
  if (![...open.elements].some((field) => "defaultValue" in field && field.value !== field.defaultValue)) close();
});
