// Candles with volume. What is in view is fetched; when many bars share a candle, the page says how many.
import { HANDLING, colour, dateTime, digitsOf, moveByKeys, onTheme, paintCandles, showAllByDoubleClick, volumeText } from "./charts.js";

const { createChart, createSeriesMarkers, CandlestickSeries, HistogramSeries } = window.LightweightCharts;
const home = document.getElementById("candles");
const bar = document.getElementById("bar");
home.hidden = false;
const note = document.getElementById("drawn");
// Of 1970 when it is not known yet since when bars are stored.
const stored = { start: Number(home.dataset.start) || 1, end: Number(home.dataset.end) };
let shown = { candles: [], each: 1, length: 3600, gaps: [], bad: [] };
let drawn = [];
let asked = 0;
let chosen = 0; // requests under way for a period that somebody chose
let settling = 0;
let last = "";
let digits = 5; // of a price

// What cannot be true about the bar of a time.
const faultOf = (time) => shown.bad.find(([at]) => at >= time && at < time + shown.length * shown.each)?.[1] ?? "";

const chart = createChart(home, { ...HANDLING, autoSize: true, layout: { attributionLogo: false }, timeScale: { timeVisible: true, minBarSpacing: 0.2, rightOffset: 3 }, rightPriceScale: { minimumWidth: 60, scaleMargins: { top: 0.1, bottom: 0.2 } } });
const candles = chart.addSeries(CandlestickSeries, { priceFormat: { type: "price", precision: 5, minMove: 0.00001 } });
const volume = chart.addSeries(HistogramSeries, { priceFormat: { type: "volume" }, priceScaleId: "volume", lastValueVisible: false, priceLineVisible: false });
const marks = createSeriesMarkers(candles, []);
chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } }); // where no candle is: bars of volume hide what is behind them

const paint = () => {
  paintCandles(chart, candles);
  volume.applyOptions({ color: colour("--hair") });
  mark();
};

// Bars that cannot be true, each at the candle that stands for it.
const mark = () => {
  const places = new Map();
  for (const [at] of shown.bad) {
    const candle = drawn.findLast((point) => point.time <= at) ?? drawn[0];
    if (candle) places.set(candle.time, (places.get(candle.time) ?? 0) + 1);
  }
  marks.setMarkers([...places].sort((a, b) => a[0] - b[0]).map(([time, count]) => (
    { time, position: "aboveBar", shape: "square", color: colour("--failed"), text: count > 1 ? `${count} ✕` : "✕" })));
};

// Places without a bar, so that a gap looks like one: as wide as it is long, within reason.
const holes = (gaps, step) => gaps.flatMap(([start, end]) => {
  const count = Math.max(3, Math.min(60, Math.floor((end - start) / step)));
  return Array.from({ length: count }, (_, i) => ({ time: Math.round(start + ((end - start) * (i + 0.5)) / count) }));
});

const draw = () => {
  const bad = new Set(shown.bad.map(([at]) => at));
  let before = shown.candles.find(([time]) => !bad.has(time))?.[1];
  const points = shown.candles.map(([time, open, high, low, close]) => {
    if (shown.each === 1 && bad.has(time)) return { time, open: before, high: before, low: before, close: before }; // its own would bend the scale
    before = close;
    return { time, open, high, low, close };
  });
  digits = digitsOf(points.map(({ close }) => close));
  candles.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
  const all = [...points, ...holes(shown.gaps, shown.length * shown.each)].sort((a, b) => a.time - b.time);
  drawn = all.filter((point, i) => !i || point.time > all[i - 1].time);
  candles.setData(drawn);
  mark();
  volume.setData(shown.candles.map(([time, , , , , value]) => (value === null ? { time } : { time, value })));
  const cut = shown.asked && shown.start > shown.asked ? " Older ones are too many to draw at once: choose a period." : "";
  tell();
  const marked = shown.bad.length ? ` ${shown.bad.length.toLocaleString()} marked with ✕ cannot be true.` : "";
  note.textContent = `${shown.bars.toLocaleString()} bars drawn${shown.each > 1 ? `. Each candle stands for ${shown.each} bars; zoom in to see them` : ""}.${marked}${cut}`;
};

// `keep`: {time, beyond, width} of what was in view: its last bar, the empty places after it, its width in bars' seconds.
// Tells how many candles came; undefined when there is no answer to go by.
const fetchBars = async (start, end, keep) => {
  const query = start ? `?start=${Math.floor(start)}&end=${Math.ceil(end)}` : "";
  if (keep && (chosen || query === last)) return; // a chosen period is on its way, or the same would come again
  last = query;
  const number = ++asked;
  if (!keep) chosen += 1;
  try {
    const answer = await fetch(home.dataset.bars + query);
    const got = await answer.json();
    if (number !== asked) return;
    if (!answer.ok) { note.textContent = got.message; return; }
    if (!got.candles.length) return 0;
    shown = { ...got, asked: start };
    draw();
    if (!keep) return got.candles.length;
    const at = drawn.findLastIndex((point) => point.time <= keep.time);
    const to = at + keep.beyond;
    chart.timeScale().setVisibleLogicalRange({ from: to - keep.width / (shown.length * shown.each), to });
  } catch { note.textContent = "The panel does not answer; these are the bars it sent last."; } finally {
    if (!keep) chosen -= 1;
  }
};

// After a move: fetch when an edge of what is there comes into view, or when thinned bars could be drawn singly.
const moved = () => {
  const range = chart.timeScale().getVisibleRange();
  const logical = chart.timeScale().getVisibleLogicalRange();
  if (!range || !logical || !shown.candles.length) return;
  tellRange(range, logical);
  const width = Math.max(range.to - range.from, shown.length * 50);
  const first = shown.candles[0][0];
  const last = shown.candles[shown.candles.length - 1][0] + shown.length * shown.each;
  const older = logical.from < 10 && first > stored.start;
  const newer = range.to >= last - width * 0.05 && last < stored.end;
  const finer = shown.each > 1 && logical.to - logical.from < 300;
  if (!older && !newer && !finer) return;
  const beyond = (more) => Math.max(width * (more ? 1.5 : 0.5), 500 * shown.length);
  const from = Math.max(stored.start, range.from - beyond(older));
  const to = Math.min(stored.end + shown.length, range.to + beyond(newer));
  const at = drawn.findIndex((point) => point.time === range.to);
  fetchBars(from, to, { time: range.to, beyond: logical.to - at, width: (logical.to - logical.from) * shown.length * shown.each });
};
chart.timeScale().subscribeVisibleLogicalRangeChange(() => {
  tell();
  clearTimeout(settling);
  settling = setTimeout(moved, 250);
});

// The fields for dates say what is in view; a period's button is pressed as long as that is its period.
const ranges = document.getElementById("ranges");
const fields = [document.getElementById("from"), document.getElementById("to")];
ranges.hidden = false;
const refused = document.getElementById("refused");
let fitted = 0; // bars in view when a period was chosen; -1 until it is drawn
const tellRange = (range, logical) => {
  if (!fields.includes(document.activeElement) && !refused.textContent) {
    [range.from, range.to].forEach((at, i) => { fields[i].valueAsNumber = Math.floor(at / 86400) * 86400e3; });
  }
  const width = logical.to - logical.from;
  if (fitted < 0) fitted = width;
  else if (fitted && Math.abs(width - fitted) > fitted * 0.05) press(null);
};
// What was typed stays beside the message, until the chart is moved and the fields say again what is in view.
const refuse = (text) => { refused.textContent = text; };
const day = (at) => dateTime(at).slice(0, 10);
for (const kind of ["pointerdown", "wheel", "keydown"]) home.addEventListener(kind, () => refuse(""), { passive: true });
const fit = () => { chart.timeScale().fitContent(); fitted = -1; };
ranges.addEventListener("click", async (event) => {
  const days = event.target.dataset.days;
  if (days === undefined) return;
  const chosen = event.target;
  const from = Number(days) ? Math.max(stored.start, stored.end - Number(days) * 86400) : stored.start;
  refuse("");
  await fetchBars(from, stored.end + shown.length);
  press(chosen);
  fit();
});

ranges.addEventListener("change", async () => {
  const [from, to] = fields.map((field) => field.valueAsNumber / 1000);
  if (from > to) return refuse("The end comes before the start.");
  if (!(from <= to)) return refuse(""); // one of them is empty: not given yet
  const came = await fetchBars(Math.max(from, 1), Math.max(to + 86399, 2));
  if (came === undefined) return;
  if (!came) return refuse(`No bars in this period: ${home.dataset.start ? `stored from ${day(stored.start)} to` : "the newest is of"} ${day(stored.end)}.`);
  refuse("");
  press(null);
  chart.timeScale().setVisibleLogicalRange({ from: 0, to: drawn.length - 1 }); // without the empty places, where later bars would be drawn
});

moveByKeys(home, chart);
showAllByDoubleClick(chart);

// The values of the bar under the crosshair, or of the last one in view: more are there than are seen.
let under; // the time under the crosshair
const tell = () => {
  const end = chart.timeScale().getVisibleRange()?.to ?? Infinity;
  const at = shown.candles.findLastIndex(([time]) => (under === undefined ? time <= end : time === under));
  if (at < 0) return;
  const [opens, ...prices] = shown.candles[at];
  const volumes = prices.pop();
  const texts = [dateTime(opens), ...prices.map((price) => price.toFixed(digits)), volumeText(volumes)];
  bar.querySelectorAll("output:not(#fault)").forEach((output, i) => { output.textContent = texts[i]; });
  document.getElementById("fault").textContent = faultOf(opens);
  bar.hidden = false;
};
chart.subscribeCrosshairMove((moved) => { under = moved.time; tell(); });

const press = (button) => {
  if (!button) fitted = 0;
  for (const each of ranges.querySelectorAll("[data-days]")) each.setAttribute("aria-pressed", String(each === button));
};

paint();
onTheme(paint);
fetchBars();
