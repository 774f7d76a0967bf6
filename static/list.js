// The list of runs: its stream follows the rows that are shown, its address follows the filters, and rows can
// be walked and chosen by keyboard. Without this everything works by links and buttons.
import { placed } from "./address.js";

const MAX_COMPARED = 6;
const stream = document.getElementById("stream");
const found = () => document.getElementById("found");
const rows = () => [...found().querySelectorAll("tbody tr")];
const chosen = new Map(); // id -> its kind; kept while rows come and go under other filters
let request = null; // the stream's: htmx sends it again whenever the stream ends
let connection = null;
let shownAddress = found().dataset.address;

const wanted = () => {
  const ids = new URLSearchParams(rows().map((row) => ["id", row.id.slice("row-".length)]));
  if (ids.size) ids.append("columns", found().dataset.columns);
  return placed(`/stream/operations${ids.size ? `?${ids}` : ""}`);
};
stream.addEventListener("htmx:config:request", (event) => {
  ({ request } = event.detail.ctx);
  request.action = wanted();
});
stream.addEventListener("htmx:sse:before:connection", (event) => {
  ({ connection } = event.detail);
  if (connection.attempt) request.action = wanted();
});

const showChosen = () => {
  const bar = document.getElementById("chosen");
  if (!bar) return;
  const kinds = new Set(chosen.values());
  const lack = kinds.size > 1 ? "Only runs of one kind can be compared." : chosen.size < 2 ? "One more at least to compare." : "";
  const best = "The best six of them are compared.";
  const every = document.getElementById("choose-every")?.checked;
  document.getElementById("compare").disabled = Boolean(lack) && !every;
  bar.textContent = every ? `All matches are chosen, on every page of the list. ${best}`
    : chosen.size ? `${chosen.size} run${chosen.size > 1 ? "s" : ""} chosen. ${lack || (chosen.size > MAX_COMPARED ? best : "")}` : `Choose two or more runs of one kind to compare them${matchMedia("(hover: hover)").matches ? " (x chooses the row you are on)" : ""}.`;
  document.getElementById("clear").hidden = !every && !chosen.size;
  const all = document.getElementById("choose-all");
  const boxes = [...found().querySelectorAll("tbody .choose input")];
  all.hidden = false;
  all.checked = boxes.every((box) => box.checked);
  all.indeterminate = !all.checked && boxes.some((box) => box.checked);
};
const arrive = () => {
  for (const box of found().querySelectorAll("tbody .choose input")) box.checked = chosen.has(box.value);
  showChosen();
};

document.addEventListener("htmx:after:swap", () => {
  const address = found().dataset.address;
  const every = document.getElementById("choose-every");
  if (every && address !== shownAddress) every.checked = false; // other filters match other runs; rows come and go
  shownAddress = address;
  arrive();
  if (`${location.pathname}${location.search}` !== address) history.replaceState(null, "", address);
  if (request && request.action !== wanted()) connection?.reader?.cancel(); // it comes back with the rows shown now
});

const choose = (box) => {
  if (box.checked) chosen.set(box.value, box.dataset.kind);
  else chosen.delete(box.value);
};
document.addEventListener("change", (event) => {
  if (event.target.id === "choose-every") showChosen();
  if (!event.target.matches(".choose input")) return;
  if (event.target.id === "choose-all") {
    for (const box of found().querySelectorAll("tbody .choose input")) {
      box.checked = event.target.checked;
      choose(box);
    }
  } else choose(event.target);
  showChosen();
});
// Runs that were chosen under other filters are sent with those on the page.
const carry = (form) => {
  for (const old of form.querySelectorAll(".carried")) old.remove();
  const there = new Set([...form.querySelectorAll("tbody .choose input")].map((box) => box.value));
  for (const id of chosen.keys()) {
    if (there.has(id)) continue;
    const field = Object.assign(document.createElement("input"), { type: "hidden", name: "id", value: id, className: "carried" });
    form.append(field);
  }
};
document.addEventListener("click", (event) => {
  if (event.target.id === "clear") {
    const last = found().querySelector("tbody .choose :checked");
    chosen.clear();
    if (document.getElementById("choose-every")) document.getElementById("choose-every").checked = false;
    arrive();
    (last ?? found()).focus({ preventScroll: true }); // the button is gone, and the bar goes back below the list
  }
  const menu = document.getElementById("bulk");
  if (menu?.open && !menu.contains(event.target)) menu.open = false;
});
document.addEventListener("click", (event) => { // before the form is read
  const button = event.target.closest("#choice button[name=do]");
  if (!button || document.getElementById("choose-every")?.checked) return;
  carry(document.getElementById("choice"));
  if (chosen.size > 40) button.formMethod = "post"; // more would make an address longer than servers take
}, true);
document.addEventListener("submit", (event) => {
  if (!event.target.matches("#choice")) return; // its own `id` is hidden by the boxes of that name
  if (event.submitter?.name === "do") return;
  event.preventDefault();
  const every = document.getElementById("choose-every")?.checked;
  const wanted = every ? [["all", "1"], ["back", found().dataset.address]] : [...chosen.keys()].map((id) => ["id", id]);
  location.href = placed(`/operations/compare?${new URLSearchParams(wanted)}`);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select");
  if (typing) {
    if (event.key === "Escape" && typing.id === "search") typing.blur();
    return;
  }
  const here = document.activeElement.closest?.("#found tbody tr");
  const step = { j: 1, k: -1, ArrowDown: here ? 1 : 0, ArrowUp: here ? -1 : 0 }[event.key];
  if (step) {
    const all = rows();
    const at = here ? all.indexOf(here) + step : step > 0 ? 0 : all.length - 1;
    all[Math.min(Math.max(at, 0), all.length - 1)]?.querySelector(".title a").focus();
  } else if (event.key === "x" && here) here.querySelector(".choose input").click();
  else return;
  event.preventDefault();
});
arrive();

// What was typed while the page was loading has not been searched for yet.
document.addEventListener("DOMContentLoaded", () => {
  const search = document.getElementById("search");
  if (search.value !== search.defaultValue) search.dispatchEvent(new Event("input", { bubbles: true }));
});
