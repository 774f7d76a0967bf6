// What ended: said by title, icon and, where that was allowed, on the desktop, also while no page is looked at.
// Pages in sight hear of it on their own stream and pass it on. Of the hidden ones, which have none, one keeps a stream
// for all of them.
import { ROOT, placed } from "./address.js";

const SILENT = 30000;
const TRY = 5000;
const made = Number(document.querySelector("meta[name=server-time]").content); // what ended before is on the page
const icon = document.querySelector("link[rel=icon]");
const plain = { title: "", icon: icon.href };
const known = new Set();
const others = new BroadcastChannel(`ended${ROOT}`);
let marked = false;
let stop = null;

const away = () => document.hidden || !document.hasFocus();
const here = (end) => !away() && [placed("/"), placed(`/operations/${end.id}`)].includes(location.pathname);

const mark = (end) => {
  if (!marked) plain.title = document.title;
  marked = true;
  document.title = end.text;
  icon.href = icon.href.replace("icon.svg", "icon-ended.svg");
};
const unmark = () => {
  if (!marked || away()) return;
  marked = false;
  document.title = document.getElementById("status")?.dataset.title ?? plain.title;
  icon.href = plain.icon;
};

const show = (end) => {
  const shown = new Notification(end.text, { tag: end.id, icon: plain.icon });
  shown.onclick = () => { shown.close(); window.open(placed(`/operations/${end.id}`), end.id); };
};
const desktop = (end) => {
  if (!("Notification" in window) || Notification.permission !== "granted" || here(end)) return;
  // All tabs hear of it, and one of them says it.
  navigator.locks.request(`ended ${end.id} ${end.at}`, { ifAvailable: true }, (lock) => {
    if (!lock) return null;
    show(end);
    return new Promise((free) => { setTimeout(free, SILENT); });
  }).catch(() => {}); // a browser that has no notifications after all
};

const take = (text) => {
  for (const end of JSON.parse(text)) {
    const key = `${end.id} ${end.at}`;
    if (end.at < made || known.has(key)) continue;
    known.add(key);
    if (away()) mark(end);
    desktop(end);
  }
};
const hear = (text) => { take(text); others.postMessage(text); };

others.addEventListener("message", (event) => take(event.data));
document.addEventListener("ended", (event) => hear(event.detail.data));
window.addEventListener("focus", unmark);

const listen = (free) => {
  let source = null;
  let heard = 0;
  const open = () => {
    source?.close();
    heard = Date.now();
    source = new EventSource(placed("/stream/line"));
    source.addEventListener("beat", () => { heard = Date.now(); });
    source.addEventListener("ended", (event) => hear(event.data));
  };
  const again = setInterval(() => {
    if (source.readyState === EventSource.CLOSED || Date.now() - heard > SILENT) open();
  }, TRY);
  open();
  return () => { clearInterval(again); source.close(); free(); };
};
const change = () => {
  unmark();
  stop?.();
  stop = null;
  if (!document.hidden || !navigator.locks) return;
  const waiting = new AbortController();
  stop = () => waiting.abort();
  navigator.locks.request(`hidden${ROOT}`, { signal: waiting.signal }, () => (
    waiting.signal.aborted ? null : new Promise((free) => { stop = listen(free); })
  )).catch(() => {}); // it is looked at again
};
document.addEventListener("visibilitychange", change);
window.addEventListener("pagehide", () => { stop?.(); stop = null; });
window.addEventListener("pageshow", (event) => { if (event.persisted) change(); });
change();

// Asked for once, by a click, on the page of something that runs.
const offer = document.getElementById("tell");
const asked = () => { try { return localStorage.getItem("asked"); } catch { return "yes"; } };
if (offer && "Notification" in window && Notification.permission === "default" && !asked()) {
  offer.hidden = !document.getElementById("cancel");
  offer.querySelector("button").addEventListener("click", async () => {
    await Notification.requestPermission();
    localStorage.setItem("asked", "yes");
    offer.hidden = true;
  });
}
