// What all charts share: the page's colours, units and axes; a caption with the values under the crosshair; zoom by
// drag, reset by double click. Made with uPlot, which is a classic script: `window.uPlot`.

export const DASHES = [[], [8, 4], [2, 3], [11, 3, 2, 3], [16, 5], [5, 2, 2, 2, 2, 2]];
export const HEIGHT = 240;
export const NOISY = 20; // points from which smoothing is offered
export const DENSE = 200; // points from which lines hide each other, and are smoothed unless somebody says no
const FONT = "12px system-ui";

export const colour = (name) => {
  probe.style.color = `var(${name})`; // resolves light-dark()
  return getComputedStyle(probe).color;
};
const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);

export const onTheme = (redraw) => {
  document.addEventListener("theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
};

const onResize = (element, resize) => {
  let pending = 0;
  new ResizeObserver(() => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(resize);
  }).observe(element);
};

/** A value with its unit: as long as an axis has room for, or `fine` for a caption and a table. */
export const written = (value, unit, fine = false) => {
  if (value === null || value === undefined) return "–";
  if (unit === "%") return `${fine ? (value * 100).toFixed(1) : +(value * 100).toFixed(2)} %`;
  if (unit !== "money") return fine ? value.toFixed(4) : `${+value.toPrecision(4)}`;
  const digits = Math.abs(value) < 10 ? 4 : fine ? 2 : 0; // an account may begin with 1
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
};

// As the table of bars has it: of crypto a part of one is much.
export const volumeText = (traded) => traded?.toLocaleString("en", traded < 1000 ? { maximumSignificantDigits: 4 } : { maximumFractionDigits: 0 }) ?? "–";
export const dateTime = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

/** How both candle charts are handled: a finger that goes up or down scrolls the page, a double click shows everything. */
export const HANDLING = { handleScroll: { vertTouchDrag: false } };
export const showAllByDoubleClick = (chart) => chart.subscribeDblClick(() => {
  chart.priceScale("right").applyOptions({ autoScale: true });
  chart.timeScale().fitContent();
});

// Of a price: as many as the last ones are written with, and no more than a currency's pips or five significant ones.
export const digitsOf = (closes) => {
  const last = closes.slice(-200).filter(Number.isFinite), price = Math.abs(last.at(-1)) || 1;
  const most = price >= 20 ? 3 : price >= 0.1 ? 5 : 4 - Math.floor(Math.log10(price));
  return Math.max(2, ...last.map((close) => close.toFixed(most).replace(/0+$/, "").split(".")[1].length));
};

/** Looks that both candle charts share. Up is hollow and down is filled: apart for colour-blind readers too. */
export const paintCandles = (chart, candles) => {
  const hair = colour("--hair");
  const cross = { color: colour("--quiet"), labelBackgroundColor: colour("--ink") };
  chart.applyOptions({
    layout: { background: { color: colour("--raised") }, textColor: colour("--quiet"), fontFamily: "system-ui", panes: { separatorColor: colour("--edge") } },
    grid: { vertLines: { color: hair }, horzLines: { color: hair } },
    timeScale: { borderColor: hair }, rightPriceScale: { borderColor: hair }, crosshair: { vertLine: cross, horzLine: cross },
  });
  const [up, down] = [colour("--train"), colour("--validation")];
  candles.applyOptions({ upColor: colour("--raised"), borderUpColor: up, wickUpColor: up, downColor: down, borderDownColor: down, wickDownColor: down });
};

// Arrow keys move through a candle chart, + and - zoom.
export const moveByKeys = (home, chart) => home.addEventListener("keydown", (event) => {
  const range = chart.timeScale().getVisibleLogicalRange();
  if (!range || event.ctrlKey || event.metaKey || event.altKey) return;
  const width = range.to - range.from;
  const by = { ArrowLeft: [-0.2, -0.2], ArrowRight: [0.2, 0.2], "+": [0.2, -0.2], "=": [0.2, -0.2], "-": [-0.3, 0.3] }[event.key];
  if (!by) return;
  chart.timeScale().setVisibleLogicalRange({ from: range.from + by[0] * width, to: range.to + by[1] * width });
  event.preventDefault();
});

export const element = (tag, name = "", ...content) => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...content);
  return made;
};

/** An exponential moving average that leaves gaps where the values have some; the more values, the longer it looks back. */
export const smoothed = (values) => {
  const weight = 1 - 1 / Math.max(7, values.length / 40);
  let mean = null;
  return values.map((value) => {
    if (value === null || value === undefined) return value;
    mean = mean === null ? value : mean * weight + value * (1 - weight);
    return mean;
  });
};

const axes = (plot) => {
  const axis = {
    stroke: colour("--quiet"), font: FONT, labelFont: FONT, labelSize: 18, labelGap: 0,
    ticks: { show: false }, grid: { stroke: colour("--hair"), width: 1 },
  };
  const units = { "%": `${plot.title} in %` };
  return [
    { ...axis, label: plot.across, size: 26, values: (_, all) => all.map(plot.tick), ...(plot.times ? { space: 90 } : {}) },
    {
      ...axis, label: units[plot.unit] ?? plot.title, size: plot.unit === "money" || plot.times ? 66 : 54,
      values: (_, all) => all.map((v) => (v === null ? "" : written(v, plot.unit))),
    },
  ];
};

// uPlot's own range, but of values that are all the same: around a 0 it would go up to 100, which is 10,000 %.
const rangeOf = (low, high, unit) => {
  if (low === null || low !== high) return window.uPlot.rangeNum(low, high, 0.1, true);
  const room = Math.abs(low) / 10 || (unit === "%" ? 0.01 : 1);
  return [low - room, high + room];
};

// Of a run that has no value just here, the last one before: joined runs have their points at different places.
const at = (values, index) => {
  let i = index;
  while (i > 0 && (values[i] === undefined || values[i] === null)) i -= 1;
  return values[i];
};

/** A figure with its chart. `plot`: {title, unit, across, times, tick(x), place(x), lines: [{key, name, colour, dash}],
 * data, log, best, moment, group, draw, height, filled, smooth}; `best` is {x, text} of a place to mark, `moment` another x;
 * `filled`: the ground between the line and 0 is washed; `smooth`: each line is a moving average, its own values stand
 * faintly behind it and in the caption. */
export class LineChart {
  constructor(home, plot) {
    this.plot = plot;
    this.moment = plot.moment ?? 0;
    this.outputs = plot.lines.map(() => element("output"));
    this.where = element("span", "where");
    const keys = plot.lines.map((line, i) => element("span", `key line-${line.number}`, line.key ?? "", " ", this.outputs[i]));
    const alone = plot.lines.length === 1 && !plot.lines[0].key; // the title is its name, and needs no key
    const title = element("b", "", plot.title);
    const caption = element("figcaption", "", title, " ", ...(alone ? this.outputs : []), " ", this.where);
    if (!alone) caption.append(element("span", "keys", ...keys));
    this.height = plot.height ?? HEIGHT;
    this.ground = element("div", `plot${this.height === HEIGHT ? "" : this.height < HEIGHT ? " low" : " tall"}`);
    this.ground.setAttribute("role", "img");
    this.ground.setAttribute("aria-label", `${plot.title}: ${plot.lines.map((line) => line.name).join(", ")}. Its values are in the table.`);
    home.append(element("figure", "", caption, this.ground));
    this.chart = new window.uPlot(this.options(), this.drawn(), this.ground);
    onResize(this.ground, () => this.resize()); // also when the next chart takes half of its room
    this.tell(null);
  }

  drawn() {
    const [x, ...lines] = this.plot.data;
    return this.plot.smooth ? [x, ...lines, ...lines.map((values) => smoothed(values))] : this.plot.data;
  }

  options() {
    const { plot } = this;
    const faint = plot.smooth ? plot.lines.map((line) => ({ stroke: colour(line.colour), width: 1, alpha: 0.3, points: { show: false } })) : [];
    return {
      width: this.ground.clientWidth, height: this.height, padding: plot.padding ?? [8, plot.times ? 34 : 18, 0, 0],
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: {
        x: plot.times ? {} : { time: false, range: (_, low, high) => (low === high ? [low - 0.5, high + 0.5] : [low, high]) },
        y: plot.log ? { distr: 3 } : { range: (_, low, high) => rangeOf(low, high, plot.unit) },
      },
      axes: axes(plot),
      legend: { show: false },
      cursor: { sync: { key: plot.group }, drag: { x: true, y: false, dist: 8 }, points: { size: 7 } },
      hooks: { setCursor: [(u) => this.tell(u.cursor.idx)], draw: [(u) => this.mark(u), ...(plot.draw ? [plot.draw] : [])] },
      series: [{}, ...faint, ...plot.lines.map((line) => ({
        stroke: colour(line.colour), width: plot.times ? 1.5 : 2, dash: line.dash, points: { show: plot.data[0].length < 3 },
        ...(plot.filled ? { fill: colour("--wash-line"), fillTo: 0 } : {}),
      }))],
    };
  }

  /** The values under the crosshair, or at the end. */
  tell(index) {
    const [x, ...lines] = this.plot.data;
    const shown = index ?? x.length - 1;
    lines.forEach((values, i) => { this.outputs[i].textContent = written(at(values, shown), this.plot.unit, true); });
    const best = this.plot.best ? ` · ${this.plot.best.text}` : "";
    this.where.textContent = x.length ? `${this.plot.place(x[shown])}${best}` : "";
  }

  mark(u) {
    for (const [place, dash] of [[this.plot.best?.x, [2, 4]], [this.moment, []]]) {
      if (!place || place < u.scales.x.min || place > u.scales.x.max) continue;
      const x = Math.round(u.valToPos(place, "x", true));
      u.ctx.save();
      u.ctx.strokeStyle = colour("--ink");
      u.ctx.lineWidth = devicePixelRatio;
      u.ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
      u.ctx.beginPath();
      u.ctx.moveTo(x, u.bbox.top);
      u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
      u.ctx.stroke();
      u.ctx.restore();
    }
  }

  /** Values of now. A part that somebody has zoomed into stays in view. */
  set(data, best) {
    const { min, max } = this.chart.scales.x;
    const [x] = this.plot.data;
    const whole = min === null || (min <= x[0] && max >= x.at(-1));
    Object.assign(this.plot, { data, best });
    this.chart.setData(this.drawn(), whole);
    if (!whole) this.chart.redraw();
    if (this.chart.cursor.idx === null || this.chart.cursor.idx === undefined) this.tell(null);
  }

  // Not when nothing changes: a chart that was just made would be drawn before it has its scales.
  markMoment(x) {
    if (x === this.moment) return;
    this.moment = x;
    this.chart.redraw();
  }

  resize() { if (this.ground.isConnected) this.chart.setSize({ width: this.ground.clientWidth, height: this.height }); }

  destroy() { this.chart.destroy(); this.ground.parentElement.remove(); }
}
