// Browser to panel: says when the stream is silent, and opens it anew when it only seems to be there.
(() => {
  const PATIENCE = 25000; // three heartbeats are missing, nearly
  const AGAIN = 1000;
  const strip = document.getElementById("contact");
  const stream = document.getElementById("stream");
  let heard = Date.now();
  let connection = null;
  let leaving = false;
  let attempt = 0;

  const say = (text) => {
    if (strip.textContent !== text) strip.textContent = text;
    strip.hidden = !text;
    document.body.dataset.contact = text ? "lost" : "live";
    const link = document.getElementById("contact-link");
    const told = text || "This page is live: what changes is sent to it.";
    if (link.textContent !== told) link.textContent = told;
  };
  const alive = () => { heard = Date.now(); say(""); };
  // A stream that was open is opened again by htmx; one that never was, or was given up, is not.
  const reopen = () => {
    clearTimeout(attempt);
    attempt = setTimeout(() => { if (!leaving) htmx.trigger(stream, "reopen"); }, AGAIN);
  };

  stream.addEventListener("htmx:sse:after:connection", (event) => { connection = event.detail.connection; alive(); });
  stream.addEventListener("htmx:sse:close", () => { connection = null; reopen(); });
  for (const name of ["beat", "htmx:sse:after:message"]) stream.addEventListener(name, alive);
  for (const name of ["htmx:sse:error", "htmx:error", "htmx:response:error"]) {
    stream.addEventListener(name, (event) => {
      if (event.detail?.status === 401) { leaving = true; location.reload(); return; } // logged out: to the login
      if (!connection) reopen();
      if (!document.hidden && !leaving) say("The panel does not answer. Reconnecting…");
    });
  }
  window.addEventListener("pagehide", () => { leaving = true; });
  window.addEventListener("pageshow", () => { leaving = false; });

  setInterval(() => {
    if (document.hidden || leaving) { heard = Date.now(); return; } // a hidden tab lets its stream go
    const silent = Date.now() - heard;
    if (silent > PATIENCE) {
      say(`The panel itself has not answered for ${Math.round(silent / 1000)} s. Reconnecting…`);
      connection?.reader?.cancel(); // a socket that is only half there never ends by itself
    }
  }, 1000);
})();
