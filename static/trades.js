// A backtest's candles with its trades as markers and, below, one input of the model: the indicator and how far it
// belongs to each label of its fuzzy set. A time in the list of trades leads to its bars.
import { HANDLING, colour, dateTime, digitsOf, element, moveByKeys, onTheme, paintCandles, showAllByDoubleClick, volumeText } from "./charts.js";

const { createChart, createSeriesMarkers, CandlestickSeries, LineSeries } = window.LightweightCharts;
const home = document.getElementById("trade-chart");
const note = document.getElementById("drawn");
const tools = document.getElementById("trade-tools");
const choice = document.getElementById("seen-input");
const bar = document.getElementById("bar");
const DASHES = [0, 2, 1, 3, 4]; // of the library's line styles: lines can be told apart without their colours
const COLOURS = ["--train", "--validation", "--quiet", "--ink"];
home.hidden = false;

const chart = createChart(home, { ...HANDLING, autoSize: true, layout: { attributionLogo: false }, timeScale: { timeVisible: true, minBarSpacing: 0.5, rightOffset: 3 }, rightPriceScale: { minimumWidth: 64 } });
const candles = chart.addSeries(CandlestickSeries, { lastValueVisible: false, priceLineVisible: false });
const markers = createSeriesMarkers(candles, []);
const span = chart.addSeries(LineSeries, { lineWidth: 2, lineStyle: 2, lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false });
let chosen = null; // the trade of the list that is shown: [[time, price] in, out]
let shown = null;
let lines = [];
let asked = 0;
let digits = 2;

const paint = () => {
  paintCandles(chart, candles);
  if (shown) draw();
};

const line = (name, values, pane, place, dash = place) => {
  const series = chart.addSeries(LineSeries, {
    color: colour(COLOURS[place % COLOURS.length]), lineStyle: DASHES[dash % DASHES.length], lineWidth: 2, priceLineVisible: false, lastValueVisible: false,
    crosshairMarkerVisible: false, ...(pane === 0 ? {} : { priceFormat: { type: "price", precision: 2, minMove: 0.01 } }),
  }, pane);
  series.setData(shown.bars.map(([time], i) => (values[i] === null ? { time } : { time, value: values[i] })));
  lines.push({ name, values, series, place, dash });
};

const drawInput = () => {
  for (const { series } of lines) chart.removeSeries(series);
  lines = [];
  while (chart.panes().length > 1) chart.removePane(1);
  const input = shown.inputs[choice.selectedIndex];
  if (!input) return;
  line(input.indicator, input.values, input.on_prices ? 0 : 1, COLOURS.length - 1, 0);
  const pane = chart.panes().length;
  input.memberships.forEach(([name, values], i) => line(name, values, pane, i));
  chart.panes().forEach((each, i) => each.setStretchFactor(i ? 1 : 3));
};

const draw = () => {
  digits = digitsOf(shown.bars.map((bar) => bar[4]));
  candles.applyOptions({ priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
  candles.setData(shown.bars.map(([time, open, high, low, close]) => ({ time, open, high, low, close })));
  const crowded = shown.marks.length > home.clientWidth / 16; // too near each other to be read
  const ended = (gain) => colour(gain > 0 ? "--ok" : gain < 0 ? "--failed" : "--quiet");
  const entry = (side) => (side === "long" ? { position: "belowBar", shape: "arrowUp" } : { position: "aboveBar", shape: "arrowDown" });
  markers.setMarkers(shown.marks.map(({ time, what, side, gain }) => (what === "in"
    ? { time, color: colour("--ink"), ...entry(side) }
    : { time, color: ended(gain), shape: "circle", size: 0.7, position: side === "long" ? "aboveBar" : "belowBar", text: gain === null || crowded ? "" : `${gain > 0 ? "+" : ""}${gain.toFixed(0)}` })));
  drawInput();
  drawChosen();
  tell();
};

// Where the chosen trade was opened and closed among these bars; null when they do not reach over all of it.
const barAt = (time) => shown.bars.findLastIndex((each) => each[0] <= time);
const ends = () => {
  if (!chosen || chosen[1][0] > shown.bars.at(-1)[0] + 2 * (shown.bars.at(-1)[0] - shown.bars.at(-2)?.[0])) return null;
  const [from, to] = chosen.map(([time]) => barAt(time));
  return from >= 0 && to > from ? [from, to] : null;
};
const drawChosen = () => {
  span.applyOptions({ color: colour("--ink") });
  span.setData((ends() ?? []).map((at, i) => ({ time: shown.bars[at][0], value: chosen[i][1] })));
};

const fillChoice = () => {
  const before = choice.value;
  choice.replaceChildren(...shown.inputs.map(({ name }) => new Option(name, name)));
  if (shown.inputs.some(({ name }) => name === before)) choice.value = before;
};

const look = async (time, centre) => {
  const number = ++asked;
  try {
    const answer = await fetch(home.dataset.bars + (time === undefined ? "" : `?at=${Math.max(0, Math.round(time))}`));
    const got = await answer.json();
    if (number !== asked) return;
    if (!answer.ok) { note.textContent = got.message || got.detail; return; }
    shown = got;
    fillChoice();
    draw();
    const at = centre ? Math.max(0, shown.bars.findLastIndex((each) => each[0] <= time)) : shown.bars.length - 1;
    const both = centre ? ends() : null;
    const room = both && Math.max(15, (both[1] - both[0]) * 0.3);
    if (both) chart.timeScale().setVisibleLogicalRange({ from: both[0] - room, to: both[1] + room });
    else chart.timeScale().setVisibleLogicalRange(centre ? { from: at - 60, to: at + 60 } : { from: at - 160, to: at + 4 });
    note.textContent = `Bars ${(shown.first + 1).toLocaleString("en")} to ${(shown.first + shown.bars.length).toLocaleString("en")} of ${shown.total.toLocaleString("en")}.`;
    tools.hidden = false;
    for (const button of tools.querySelectorAll("[data-move]")) {
      button.disabled = button.dataset.move === "-1" ? shown.first === 0 : shown.first + shown.bars.length >= shown.total;
    }
  } catch { note.textContent = "The panel does not answer; these are the bars it sent last."; }
};

tools.addEventListener("click", ({ target }) => {
  if (!target.dataset.move || !shown.bars.length) return;
  chosen = null;
  const earlier = target.dataset.move === "-1";
  look(shown.bars[earlier ? 0 : shown.bars.length - 1][0], true);
});
choice.addEventListener("change", () => { drawInput(); tell(); });
document.addEventListener("click", ({ target }) => {
  const link = target.closest?.("[data-at]");
  if (!link) return;
  const row = link.closest("tr");
  row.parentElement.querySelector("[aria-current]")?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  chosen = [...row.querySelectorAll("[data-at]")].map(({ dataset }) => [Number(dataset.at), Number(dataset.price)]);
  look(Number(link.dataset.at), true); // and the link itself leads up to the chart
});

// The values at the bar under the crosshair, or of the newest.
const tell = (time) => {
  const at = time === undefined ? shown.bars.length - 1 : shown.bars.findIndex((each) => each[0] === time);
  if (at < 0) return;
  const [opens, ...prices] = shown.bars[at];
  const texts = [dateTime(opens), ...prices.slice(0, 4).map((price) => price.toFixed(digits)), volumeText(prices[4])];
  bar.querySelectorAll("output").forEach((output, i) => { output.textContent = texts[i]; });
  document.getElementById("seen-values").replaceChildren(...lines.map(({ name, values, place, dash }) => element("span", `key seen-${place % COLOURS.length} dash-${dash % DASHES.length}`,
    name, " ", element("output", "", values[at] === null ? "–" : String(+values[at].toPrecision(4))))));
  bar.hidden = false;
};
chart.subscribeCrosshairMove((moved) => { if (shown) tell(moved.time); });

moveByKeys(home, chart);
showAllByDoubleClick(chart);

paint();
onTheme(paint);
look();
