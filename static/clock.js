// Keeps times true once a second: <time data-show="age|elapsed|local|exact">.
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
const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

const show = () => {
  const now = Date.now() + ahead;
  for (const time of document.querySelectorAll("time[data-show]")) {
    const at = Date.parse(time.dateTime);
    const seconds = (now - at) / 1000;
    let text;
    if (time.dataset.show === "local") text = local.format(at);
    else if (time.dataset.show === "exact") text = exact.format(at);
    else if (time.dataset.show === "elapsed") text = duration(seconds);
    else text = age(seconds);
    if (time.textContent !== text) time.textContent = text;
    if (time.dataset.show !== "elapsed" && time.title !== zoned.format(at)) time.title = zoned.format(at);
  }
};

// Titles and milestones: for those who do not look at the page.
let announced = "";
const announce = () => {
  const status = document.querySelector("#status[data-title]");
  if (!status) return;
  document.title = status.dataset.title;
  const { state, share } = status.dataset;
  const passed = [75, 50, 25].find((mark) => Number(share) >= mark);
  const words = state === "running" ? (passed ? `${passed} per cent` : "running") : state;
  if (words !== announced) {
    if (announced) document.getElementById("milestone").textContent = words;
    announced = words;
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
});
document.addEventListener("htmx:after:swap", () => {
  show();
  announce();
  const go = document.querySelector("[data-go]"); // a plan whose training has started
  if (go) location.replace(go.dataset.go);
});
setInterval(show, 1000);
show();
announce();
