// Curves of several runs in one chart for each measure: each run has its colour, its dash and its letter at the end of
// its line. Comes as {each, times, letters, x: [of each run], plots: [{title, unit, curves}]}; `data-took`: seconds.
import { DASHES, DENSE, LineChart, NOISY, colour, dateTime, onTheme, smoothed } from "./charts.js";

const home = document.getElementById("overlays");
const curves = JSON.parse(home.dataset.curves);
const took = JSON.parse(home.dataset.took);
const across = document.getElementById("across");
const [smooth, log] = ["smooth", "log"].map((id) => document.getElementById(id));
let drawn = [];

// Letters at the ends of lines, moved apart where lines end together.
const letters = (runs) => (u) => {
  const ends = runs.map((run, i) => {
    const values = u.data[i + 1];
    let at = values.length - 1;
    while (at >= 0 && (values[at] === null || values[at] === undefined)) at -= 1;
    return at < 0 ? null : { run, x: u.valToPos(u.data[0][at], "x", true), y: u.valToPos(values[at], "y", true) };
  }).filter((end) => end && end.x <= u.bbox.left + u.bbox.width + 1 && end.x >= u.bbox.left).sort((a, b) => a.y - b.y);
  const ratio = devicePixelRatio, step = 13 * ratio;
  const close = (end, next) => next && Math.abs(next.x - end.x) < step;
  const floor = u.bbox.top + u.bbox.height;
  ends.forEach((end, i) => { if (close(end, ends[i - 1])) end.y = Math.max(end.y, ends[i - 1].y + step); });
  for (const [i, end] of [...ends.entries()].reverse()) {
    end.y = Math.min(end.y, close(end, ends[i + 1]) ? ends[i + 1].y - step : floor);
  }
  u.ctx.save();
  u.ctx.font = `600 ${12 * ratio}px system-ui`;
  u.ctx.textBaseline = "middle";
  u.ctx.textAlign = "left";
  for (const end of ends) {
    u.ctx.fillStyle = colour(`--run-${end.run + 1}`);
    u.ctx.fillText(curves.letters[end.run], end.x + 5 * ratio, end.y);
  }
  u.ctx.restore();
};

// What stands across: the epoch, how much of its run was done, or the seconds since its start.
const modes = {
  each: { label: curves.times ? "Time (UTC)" : curves.each.charAt(0).toUpperCase() + curves.each.slice(1), x: (values) => values },
  share: { label: "Share of the run in %", x: (values) => values.map((x) => (100 * x) / values.at(-1)) },
  time: { label: "Seconds since the start", x: (values, run) => values.map((x) => (took[run] * x) / values.at(-1)) },
};
const place = (x) => {
  if (curves.times) return `${dateTime(x)} UTC`;
  return { each: `${curves.each} ${x}`, share: `${x.toFixed(0)} % of the run`, time: `${x.toFixed(0)} s` }[across.value];
};
const tick = (x) => {
  if (curves.times) return dateTime(x).slice(0, 10);
  return across.value !== "each" || Number.isInteger(x) ? x : "";
};

const positive = (plot) => plot.unit === "" && plot.curves.every((values) => !values || values.every((value) => value === null || value > 0));
const shown = (values) => (smooth.checked ? smoothed(values) : values);

const draw = () => {
  for (const each of drawn) each.destroy();
  const mode = modes[across.value];
  drawn = curves.plots.map((plot) => {
    const runs = plot.curves.flatMap((values, i) => (values ? [i] : []));
    return new LineChart(home, {
      title: plot.title, unit: plot.unit, times: curves.times, across: mode.label, tick, place, group: "overlays",
      padding: [8, 22, 0, 0], draw: letters(runs),
      data: window.uPlot.join(runs.map((run) => [mode.x(curves.x[run], run), shown(plot.curves[run])])),
      log: log.checked && positive(plot),
      lines: runs.map((run) => ({
        key: curves.letters[run], name: `run ${curves.letters[run]}`, number: `run-${run + 1}`, colour: `--run-${run + 1}`, dash: DASHES[run],
      })),
    });
  });
};

across.closest("label").hidden = curves.times;
across.querySelector("[value=time]").disabled = !took.every(Number);
smooth.closest("label").hidden = curves.times || !curves.x.some((values) => values.length >= NOISY);
smooth.checked = !curves.times && curves.x.some((values) => values.length >= DENSE);
log.closest("label").hidden = !curves.plots.some(positive);
for (const choice of [across, smooth, log]) choice.addEventListener("change", draw);
onTheme(draw);
draw();
