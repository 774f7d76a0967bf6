// Browser to panel: opens the page's stream, shows when it is silent, and reopens it when it is only half open.
// A browser has six connections to one host, for all its tabs together. A hidden tab has no stream; of those in sight
// three have one, and any others ask for the current state every second or two.
const SILENT_AFTER = 25000; // three heartbeats are missing, nearly
const AGAIN = 1000;
const CONNECTING = 10000; // as long as htmx lets a request take
const STREAMS = 3;
const STAYS = 3000; // after that long a page that was to be left is still there
const strip = document.getElementById("contact");
const stream = document.getElementById("stream");
let heard = Date.now();
let connection = null;
let leaving = false;
let attempt = 0;
let asked = 0;
let request = null; // the stream's: htmx sends it again whenever the stream ends
let give = null; // gives this page's place among the three back
let missed = false; // something that a person asked for since the panel was last heard did not get through

let shown = null;
const say = (words) => {
  const text = words && missed ? `${words} What you just asked for may not have reached it.` : words;
  if (shown === text) return;
  shown = text;
  strip.textContent = text;
  strip.hidden = !text;
  document.body.dataset.contact = text ? "lost" : "live";
  document.getElementById("contact-link").textContent = text || "This page is live: what changes is sent to it.";
};
const alive = () => { heard = Date.now(); missed = false; say(""); };

const claim = async () => {
  for (let n = 1; navigator.locks && n <= STREAMS && !give && !document.hidden; n += 1) {
    await new Promise((tried) => {
      navigator.locks.request(`stream ${n}`, { ifAvailable: true }, (lock) => {
        const held = lock && !give && !document.hidden ? new Promise((free) => { give = free; }) : null;
        tried();
        return held;
      });
    });
  }
  mark();
};
const mark = () => {
  if (!request) return;
  if (give || !navigator.locks) delete request.headers["Panel-Brief"];
  else request.headers["Panel-Brief"] = "1";
};
const leave = () => { give?.(); give = null; };

// A stream that was open is opened again by htmx; one that never was, or was given up, is not.
const open = async () => {
  await claim();
  if (leaving || document.hidden || connection || Date.now() - asked < CONNECTING) return;
  asked = Date.now();
  htmx.trigger(stream, "reopen");
};
const reopen = () => {
  if (leaving) return;
  clearTimeout(attempt);
  attempt = setTimeout(open, AGAIN);
};

stream.addEventListener("htmx:config:request", (event) => { ({ request } = event.detail.ctx); mark(); });
stream.addEventListener("htmx:sse:before:connection", (event) => {
  if (leaving) event.preventDefault();
  else if (event.detail.connection.attempt) claim();
});
stream.addEventListener("htmx:sse:after:connection", (event) => { connection = event.detail.connection; alive(); });
stream.addEventListener("htmx:sse:close", () => { connection = null; asked = 0; reopen(); });
for (const name of ["beat", "htmx:sse:after:message"]) stream.addEventListener(name, alive);
for (const name of ["htmx:sse:error", "htmx:error", "htmx:response:error"]) {
  stream.addEventListener(name, (event) => {
    if (event.detail?.status === 401) { leaving = true; location.reload(); return; } // logged out: to the login
    asked = 0;
    if (!connection) reopen();
    if (!document.hidden && !leaving) say("The panel does not answer. Reconnecting…");
  });
}
// A form of a start finds out by itself what became of it, and says so beside its button.
document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  if (leaving || !ctx?.sourceEvent?.isTrusted || ctx.sourceElement.id === "start-form") return;
  missed = true;
  say("The panel does not answer.");
});
// A browser that ends a stream in the middle calls that an error. It is closed first; a page that stays after all (its
// link was a download) opens it again.
const part = () => {
  leaving = true;
  connection?.reader?.cancel();
  clearTimeout(attempt);
  attempt = setTimeout(stay, STAYS);
};
// Firefox also fails other requests that are under way then, and htmx would call each an error.
const parted = (error) => {
  if (leaving) return new Promise(() => {});
  throw error;
};
document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  ctx.fetch ??= (...given) => fetch(...given).catch(parted);
});
const stay = () => { leaving = false; if (!connection) open(); };
window.addEventListener("beforeunload", part);
window.addEventListener("pagehide", () => { part(); leave(); });
window.addEventListener("pageshow", (event) => { if (event.persisted) stay(); });
document.addEventListener("visibilitychange", () => {
  heard = Date.now();
  if (document.hidden) leave();
  else if (!connection) reopen();
});
document.addEventListener("DOMContentLoaded", open); // htmx has seen the page by then

// Beats push the moment on at which this has something to say; then it counts the seconds.
const listen = () => {
  if (document.hidden || leaving) heard = Date.now(); // a hidden tab lets its stream go
  const silent = Date.now() - heard;
  if (silent > SILENT_AFTER) {
    say(`The panel itself has not answered for ${Math.round(silent / 1000)} s. Reconnecting…`);
    connection?.reader?.cancel(); // a socket that is only half there never ends by itself
  }
  setTimeout(listen, Math.max(SILENT_AFTER + 1 - silent, 1000));
};
listen();
