// Every number has an age: <time data-show="age|elapsed|local|exact"> is kept true once a second.
(() => {
  const server = Number(document.querySelector("meta[name=server-time]").content) * 1000;
  let ahead = server - Date.now(); // of this browser's clock

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
      else text = seconds < 1.5 ? "just now" : `${duration(seconds)} ago`;
      if (time.textContent !== text) time.textContent = text;
      if (time.dataset.show !== "elapsed" && time.title !== zoned.format(at)) time.title = zoned.format(at);
    }
  };

  // Titles and milestones: what somebody hears or sees who is not looking at the page.
  let told = "";
  const tell = () => {
    const status = document.querySelector("#status[data-title]");
    if (!status) return;
    document.title = status.dataset.title;
    const { state, share } = status.dataset;
    const passed = [75, 50, 25].find((mark) => Number(share) >= mark);
    const words = state === "running" ? (passed ? `${passed} per cent` : "running") : state;
    if (words !== told) {
      if (told) document.getElementById("milestone").textContent = words;
      told = words;
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
    tell();
    const go = document.querySelector("[data-go]"); // a plan whose training has begun leads there
    if (go) location.replace(go.dataset.go);
  });
  setInterval(show, 1000);
  show();
  tell();
})();
