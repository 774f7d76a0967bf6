// The focus never falls to the body: when an update takes away what has it, it goes to what replaces it, or to
// the nearest part of the page around it. After an error it goes to the first field that is wrong.
let held = null; // the element that has the focus, and the ids of what it is in, the innermost first
let ids = [];

const focus = (element) => {
  if (!element.matches("a[href], button, input, select, textarea, summary, [tabindex]")) element.tabIndex = -1;
  element.focus({ preventScroll: true });
};

document.addEventListener("focusin", (event) => {
  held = event.target;
  ids = [];
  for (let at = held; at && at !== document.body; at = at.parentElement) if (at.id) ids.push(at.id);
});
document.addEventListener("focusout", (event) => {
  const left = event.target;
  // The user moved the focus, unless the element was removed or locked.
  setTimeout(() => {
    if (held === left && left.isConnected && !left.disabled && document.hasFocus() && document.activeElement === document.body) held = null;
  });
});

const restore = () => {
  if (!held || document.activeElement !== document.body) return;
  if (held.isConnected && !held.disabled && held.checkVisibility()) { focus(held); return; }
  const next = ids.map((id) => document.getElementById(id)).find((each) => each?.checkVisibility());
  focus(next ?? document.getElementById("main"));
};

const reach = (element) => {
  focus(element);
  const { top, bottom } = element.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight) element.scrollIntoView({ block: "center" });
};

// A form that was refused says so once, wherever it came from: its first wrong field has the focus and is in sight.
const refusal = () => {
  const form = document.querySelector("[data-refused]");
  if (!form) return false;
  const { refused } = form.dataset; // the id of the wrong field, where that is elsewhere
  form.removeAttribute("data-refused");
  const fields = "input:not([type=hidden]), select, textarea";
  const wrong = form.querySelector(".wrong, [aria-invalid=true]");
  const named = document.getElementById(refused);
  const inside = wrong?.querySelector(`:is(${fields})[aria-invalid=true]`) ?? wrong?.querySelector(fields);
  const first = named ?? (wrong?.matches(fields) ? wrong : inside) ?? form.querySelector("[role=alert]") ?? form;
  reach(first);
  return true;
};

// What was asked for begins here. (For `autofocus` in what is put into a page, browsers write a warning.)
const start = () => {
  const first = document.querySelector("[data-focus]");
  if (!first) return false;
  first.removeAttribute("data-focus");
  reach(first);
  return true;
};

document.addEventListener("htmx:after:swap", () => { if (!refusal() && !start()) restore(); });
document.addEventListener("htmx:finally:request", () => setTimeout(restore)); // a button that was locked is free again
if (!refusal()) start();
