// Keeps times true: <time data-show="age|elapsed|local|exact|clock">. It wakes up when one of them that can be seen says something
// else, once a second for all that count seconds, and not at all in a hidden tab.
const server = Number(document.querySelector("meta[name=server-time]").content) * 1000;
let ahead = server - Date.now(); // of this browser's clock

// An age has one unit: the seconds of an hour say nothing.
const age = (seconds) => {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 2) return "just now";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} day${s >= 172800 ? "s" : ""} ago`;
};
const duration = (seconds) => {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""}`;
  if (s < 86400) return `${Math.floor(s / 3600)} h${Math.floor((s % 3600) / 60) ? ` ${Math.floor((s % 3600) / 60)} min` : ""}`;
  return `${Math.floor(s / 86400)} day${s >= 172800 ? "s" : ""}`;
};
const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

const spoken = { age, elapsed: duration, local: (_, at) => local.format(at), exact: (_, at) => exact.format(at),
  clock: (ago, at) => (ago < 86400 && new Date(at).getDate() === new Date(at + ago * 1000).getDate() ? clock : exact).format(at) };
const MINUTE = 60000;
const rest = (ms, step) => step - (((ms % step) + step) % step);
// Milliseconds until such a time says something else. Those that count seconds go on together, when a second is full.
const lasts = (kind, at, now) => {
  if (kind !== "age" && kind !== "elapsed") return MINUTE;
  const ms = now - at;
  return ms < MINUTE || (kind === "elapsed" && ms < 60 * MINUTE) ? rest(now, 1000) : rest(ms, MINUTE);
};

const named = new WeakMap(); // element -> the moment in its title: formatting one takes a browser longer than the rest
let timer = 0;
const show = () => {
  clearTimeout(timer);
  if (document.hidden) return;
  const now = Date.now() + ahead;
  let next = MINUTE;
  for (const time of document.querySelectorAll("time[data-show]")) {
    const { dateTime, dataset: { show: kind } } = time;
    const at = Date.parse(dateTime);
    const fixed = kind === "local" || kind === "exact" || kind === "clock";
    if (!fixed && !time.checkVisibility()) continue; // in something that is closed
    if (kind === "elapsed" && document.body.dataset.contact === "lost") continue; // whether it goes on is not known
    next = Math.min(next, lasts(kind, at, now));
    const known = named.get(time);
    if (!fixed || known?.dateTime !== dateTime || known.text !== time.textContent) {
      const text = (spoken[kind] ?? age)((now - at) / 1000, at);
      if (time.textContent !== text) time.textContent = text;
    }
    if (kind !== "elapsed" && (known?.dateTime !== dateTime || known.title !== time.title)) time.title = zoned.format(at);
    named.set(time, { dateTime, text: time.textContent, title: time.title });
  }
  timer = setTimeout(show, next + 5);
};
document.addEventListener("visibilitychange", show);
document.addEventListener("toggle", show, true); // what was closed is open now

// Titles and milestones: for those who do not look at the page.
let announced = "";
const announce = () => {
  const status = document.querySelector("#status[data-title]");
  if (!status) return;
  document.title = status.dataset.title;
  const { state, share } = status.dataset;
  const passed = [75, 50, 25].find((mark) => Number(share) >= mark);
  const text = state === "running" ? (passed ? `${passed} per cent` : "running") : state;
  if (text !== announced) {
    if (announced) document.getElementById("milestone").textContent = text;
    announced = text;
  }
};

document.addEventListener("beat", (event) => { ahead = Number(event.detail.data) * 1000 - Date.now(); });
// Of links that are well only the age changes, and it comes with the heartbeat.
document.addEventListener("heard", (event) => {
  const [backend, workers] = event.detail.data.split(" ");
  for (const [id, at] of [["heard-backend", backend], ["heard-workers", workers]]) {
    const time = document.getElementById(id);
    if (time && Number(at)) time.dateTime = new Date(at * 1000).toISOString();
  }
  show();
});
document.addEventListener("htmx:after:swap", () => {
  show();
  announce();
  const plan = document.querySelector("[data-go]"); // a plan whose training has started
  if (plan) location.replace(plan.dataset.go);
});
show();
announce();
