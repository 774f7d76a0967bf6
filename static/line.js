// Browser to panel: says when the stream is silent, and opens it anew when it only seems to be there.
(() => {
  const PATIENCE = 25000; // three heartbeats and a little
  const strip = document.getElementById("contact");
  const stream = document.getElementById("stream");
  let heard = Date.now();
  let connection = null;
  let leaving = false;

  const say = (text) => {
    if (strip.textContent !== text) strip.textContent = text;
    strip.hidden = !text;
  };
  const alive = () => { heard = Date.now(); say(""); };

  stream.addEventListener("htmx:sse:after:connection", (event) => { connection = event.detail.connection; alive(); });
  for (const name of ["beat", "htmx:sse:after:message"]) stream.addEventListener(name, alive);
  window.addEventListener("pagehide", () => { leaving = true; });

  setInterval(() => {
    if (document.hidden || leaving) { heard = Date.now(); return; } // a hidden tab lets its stream go
    const silent = Date.now() - heard;
    if (silent > PATIENCE) {
      say(`The panel itself has not answered for ${Math.round(silent / 1000)} s. Reconnecting…`);
      connection?.reader?.cancel(); // a socket that is only half there never ends by itself
    }
  }, 1000);
  for (const name of ["htmx:sse:error", "htmx:error"]) {
    stream.addEventListener(name, () => { if (!document.hidden && !leaving) say("The panel does not answer. Reconnecting…"); });
  }
})();
