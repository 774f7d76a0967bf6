// What an operation's kind draws (losses per epoch, an account over time), and as a table. The chart comes as
// {title, each, x, times, best, mark, plots: [{title, unit, curves: [{key, name, values}]}]}.
import { DENSE, LineChart, NOISY, dateTime, element, onTheme, written } from "./charts.js";

const TALL = 280, LOW = 150; // pixels of plots over time: the first, and what belongs below it
const COLOURS = ["--train", "--validation"];

const section = document.getElementById("chart");
const home = document.getElementById("curves");
const points = document.getElementById("points");
const smooth = document.getElementById("smooth");
const log = document.getElementById("log");
let chart = JSON.parse(section.dataset.chart);
let shape = "";
let drawn = [];
let chosen = false; // somebody chose whether lines are smoothed
let moment = 0; // epochs done at the moment that somebody went back to; 0: none

const named = (word) => word.charAt(0).toUpperCase() + word.slice(1);
const place = (x) => (chart.times ? `${dateTime(x)} UTC` : `${chart.each} ${x}`);
const positive = (plot) => plot.curves.every((curve) => curve.values.every((value) => value === null || value > 0));
const canBeLog = (plot) => plot.unit === "" && positive(plot);
const data = (plot) => [chart.x, ...plot.curves.map((curve) => curve.values)];
const best = (plot) => (chart.best && plot === chart.plots[0] ? { x: chart.best, text: chart.mark } : null);

const tick = (v) => {
  if (!chart.times) return Number.isInteger(v) ? v : "";
  return chart.x.at(-1) - chart.x[0] > 4 * 86400 ? dateTime(v).slice(0, 10) : dateTime(v).slice(5);
};

const draw = () => {
  for (const each of drawn) each.destroy();
  document.getElementById("chart-title").textContent = chart.title;
  points.querySelector("summary").textContent = `Every ${chart.each} as a table`;
  smooth.closest("label").hidden = chart.times || chart.x.length < NOISY;
  log.closest("label").hidden = !chart.plots.some(canBeLog);
  home.classList.toggle("stacked", chart.times);
  drawn = chart.plots.map((plot, at) => new LineChart(home, {
    ...(chart.times ? { height: at ? LOW : TALL, filled: plot.curves.length === 1 && plot.unit === "%" } : {}),
    title: plot.title, unit: plot.unit, times: chart.times, across: chart.times ? "Time (UTC)" : named(chart.each),
    tick, place, best: best(plot), moment, smooth: smooth.checked && !chart.times, log: log.checked && canBeLog(plot), group: "curves", data: data(plot),
    lines: plot.curves.map((curve, i) => ({ ...curve, number: i + 1, colour: COLOURS[i], dash: i ? [6, 4] : [] })),
  }));
};

const table = () => {
  if (!points.open || section.hidden) return;
  const columns = chart.plots.flatMap((plot) => plot.curves.map((curve) => ({ ...curve, unit: plot.unit })));
  const cell = (text, tag = "td") => element(tag, "number", text);
  const heads = [named(chart.times ? "time (UTC)" : chart.each), ...columns.map((column) => column.name)];
  const head = heads.map((name) => cell(name, "th"));
  for (const th of head) th.scope = "col";
  points.querySelector("thead").replaceChildren(element("tr", "", ...head));
  points.querySelector("tbody").replaceChildren(...chart.x.map((x, i) => element("tr", "",
    cell(chart.times ? dateTime(x) : String(x)),
    ...columns.map((column) => cell(written(column.values[i], column.unit, true))))));
};

const update = () => {
  section.hidden = !chart.x?.length;
  if (section.hidden) return;
  // Drawn anew while there are too few points for a line, when smoothing comes into reach, and when the plots change.
  const count = chart.x.length;
  const size = count < 4 ? count : count < NOISY ? 4 : count < DENSE ? NOISY : DENSE;
  if (!chosen) smooth.checked = size === DENSE && !chart.times;
  const now = JSON.stringify([chart.title, size, chart.plots.map((plot) => [plot.title, plot.curves.length])]);
  if (now !== shape) draw();
  else chart.plots.forEach((plot, i) => drawn[i].set(data(plot), best(plot)));
  shape = now;
  table();
};

const redraw = () => { if (!section.hidden) draw(); };
document.addEventListener("curves", (event) => { chart = JSON.parse(event.detail.data); update(); });
document.addEventListener("moment", (event) => {
  moment = chart.times ? 0 : event.detail.epochs;
  for (const each of drawn) each.markMoment(moment);
});
smooth.addEventListener("change", () => { chosen = true; });
for (const box of [smooth, log]) box.addEventListener("change", redraw);
points.addEventListener("toggle", table);
onTheme(redraw);
update();
