// After the end: go back to any moment that was observed, with a slider or the arrow keys.
let points = [];
let shown = "";

const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

const show = (input) => {
  const [at, share, step, word, headline, epochs, state] = points[input.value] ?? [];
  if (at === undefined) return;
  const output = input.parentElement.querySelector("output");
  const put = (name, text) => { output.querySelector(name).textContent = text; };
  put(".share", `${Math.floor(share)} %`);
  put(".word", word);
  put(".step", headline || step);
  put("time", zoned.format(at * 1000));
  output.querySelector(".word").className = `word ${state}`;
  input.setAttribute("aria-valuetext", `${Math.floor(share)} per cent, ${word}, ${headline || step}`);
  const last = Number(input.value) === points.length - 1;
  document.dispatchEvent(new CustomEvent("moment", { detail: { epochs: last ? 0 : epochs } }));
};

// The list may be redrawn at any time; the readings come with it once the run has ended.
const begin = () => {
  const replay = document.querySelector(".replay");
  if (!replay || (replay.dataset.points === shown && !replay.hidden)) return;
  shown = replay.dataset.points;
  points = JSON.parse(shown);
  replay.hidden = false;
  show(replay.querySelector("input"));
};

document.addEventListener("input", (event) => { if (event.target.id === "moment") show(event.target); });
let open = null; // what the reader chose outlives a redraw of the list
document.addEventListener("click", (event) => {
  const folded = event.target.closest("#moments > summary")?.parentElement;
  if (folded) open = !folded.open;
});
document.addEventListener("htmx:after:swap", () => {
  begin();
  const folded = document.getElementById("moments");
  if (folded && open !== null && folded.open !== open) folded.open = open;
});
begin();

// #timeline and #learning lead to what they name, folded or not.
const unfold = () => {
  const place = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const folded = place && (place.closest("details") ?? place.querySelector("details"));
  if (folded) folded.open = true;
};
addEventListener("hashchange", unfold);
unfold();
