// Home, since you last looked: what ended meanwhile is marked, unless its own page showed the end. Remembered in this
// browser only.
import { endsSeen } from "./ends.js";

const KEY = "looked";
let since = 0;
let arrived = 0;

const come = () => {
  try { since = Number(localStorage.getItem(KEY)) || 0; } catch { /* nothing is remembered */ }
  arrived = Date.now();
  mark();
};
const leave = () => {
  try { localStorage.setItem(KEY, Date.now()); } catch { /* not remembered */ }
};
const mark = () => {
  let count = 0;
  const seen = endsSeen();
  for (const row of document.querySelectorAll("#lists [data-ended]")) {
    const at = Number(row.dataset.ended) * 1000;
    const missed = since > 0 && at > since && at <= arrived && !(seen.get(row.id.slice(4)) >= Number(row.dataset.ended));
    row.querySelector(".new").hidden = !missed;
    count += missed;
  }
  const away = document.getElementById("away");
  if (!away) return;
  away.hidden = !count;
  away.textContent = `${count} while you were away`;
};

document.addEventListener("visibilitychange", () => (document.hidden ? leave() : come()));
window.addEventListener("pagehide", leave);
window.addEventListener("pageshow", (event) => { if (event.persisted) come(); });
document.addEventListener("htmx:after:swap", mark);
come();
