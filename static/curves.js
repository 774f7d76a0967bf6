// What an operation's kind draws (losses per epoch, an account over time), with uPlot in the page's own colours, and
// as a table. The chart comes as {title, each, x, times, plots: [{title, unit, curves: [{key, name, values}]}]}.
(() => {
  const section = document.getElementById("chart");
  if (!section || !window.uPlot) return;
  const home = document.getElementById("curves");
  const points = document.getElementById("points");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const strokes = [["--train"], ["--validation", [6, 4]]];
  let chart = JSON.parse(section.dataset.chart);
  let shape = "";
  let plots = [];
  let marked = 0; // epochs done at the moment that somebody went back to; 0: none

  const element = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };
  const formats = {
    "": (v, fine) => (fine ? v.toFixed(4) : `${+v.toFixed(3)}`),
    "%": (v, fine) => `${fine ? (v * 100).toFixed(1) : +(v * 100).toFixed(2)} %`,
    money: (v, fine) => v.toLocaleString("en", fine ? { minimumFractionDigits: 2, maximumFractionDigits: 2 } : { maximumFractionDigits: 0 }),
  };
  const value = (v, unit) => (v === null || v === undefined ? "–" : formats[unit](v, true));
  const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
  const place = (x) => (chart.times ? moment(x) : String(x));
  const named = (word) => word.charAt(0).toUpperCase() + word.slice(1);
  const data = (plot) => [chart.x, ...plot.curves.map((curve) => curve.values)];

  const options = (plot, width) => {
    const axis = { stroke: colour("--quiet"), font: "12px system-ui", ticks: { show: false }, grid: { stroke: colour("--hair"), width: 1 } };
    const days = chart.times && chart.x.at(-1) - chart.x[0] > 4 * 86400;
    const ticks = (_, all) => all.map((v) => (chart.times ? moment(v).slice(...(days ? [0, 10] : [5])) : Number.isInteger(v) ? v : ""));
    return {
      width, height: 220,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { x: chart.times ? {} : { time: false, range: (_, low, high) => [Math.min(low ?? 1, 1), Math.max(high ?? 2, 2)] } },
      axes: [
        { ...axis, values: ticks, ...(chart.times ? { space: 90 } : {}) },
        { ...axis, size: plot.unit === "money" ? 64 : 52, values: (_, all) => all.map((v) => formats[plot.unit](v)) },
      ],
      legend: { live: true },
      cursor: { drag: { x: false, y: false } },
      hooks: { draw: [mark] },
      series: [
        { label: named(chart.times ? "time" : chart.each), value: (_, v) => (v === null ? "–" : place(v)) },
        ...plot.curves.map((curve, i) => ({
          label: curve.key || curve.name, stroke: colour(strokes[i][0]), width: chart.times ? 1.25 : 2, dash: strokes[i][1],
          points: { show: chart.x.length < 3 }, value: (_, v) => value(v, plot.unit),
        })),
      ],
    };
  };

  const mark = (plot) => {
    if (!marked || chart.times) return;
    const x = Math.round(plot.valToPos(marked, "x", true));
    plot.ctx.save();
    plot.ctx.strokeStyle = colour("--ink");
    plot.ctx.lineWidth = devicePixelRatio;
    plot.ctx.beginPath();
    plot.ctx.moveTo(x, plot.bbox.top);
    plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
    plot.ctx.stroke();
    plot.ctx.restore();
  };

  const draw = () => {
    for (const plot of plots) plot.destroy();
    document.getElementById("chart-title").textContent = chart.title;
    points.querySelector("summary").textContent = `Every ${chart.each} as a table`;
    home.replaceChildren(...chart.plots.map((plot) => {
      const figure = element("figure"), caption = element("figcaption", `${plot.title} `);
      for (const curve of plot.curves) if (curve.key) caption.append(element("span", curve.key, "key"));
      figure.append(caption, element("div", undefined, "plot"));
      return figure;
    }));
    plots = chart.plots.map((plot, i) => {
      const ground = home.children[i].lastChild;
      return new uPlot(options(plot, ground.clientWidth), data(plot), ground);
    });
  };

  const table = () => {
    if (!points.open || section.hidden) return;
    const columns = chart.plots.flatMap((plot) => plot.curves.map((curve) => ({ ...curve, unit: plot.unit })));
    const head = element("tr");
    for (const name of [named(chart.times ? "time (UTC)" : chart.each), ...columns.map((column) => column.name)]) {
      const th = element("th", name, "number");
      th.scope = "col";
      head.append(th);
    }
    points.querySelector("thead").replaceChildren(head);
    points.querySelector("tbody").replaceChildren(...chart.x.map((x, i) => {
      const row = element("tr");
      row.append(...[place(x), ...columns.map((column) => value(column.values[i], column.unit))].map((text) => element("td", text, "number")));
      return row;
    }));
  };

  const update = () => {
    section.hidden = !chart.x?.length;
    if (section.hidden) return;
    // Drawn anew while there are too few points for a line, and when the plots are others.
    const now = JSON.stringify([chart.title, Math.min(chart.x.length, 4), chart.plots.map((plot) => [plot.title, plot.curves.length])]);
    if (now !== shape) draw();
    else for (const [i, plot] of chart.plots.entries()) plots[i].setData(data(plot));
    shape = now;
    table();
  };

  const redraw = () => { if (!section.hidden) draw(); };
  document.addEventListener("curves", (event) => { chart = JSON.parse(event.detail.data); update(); });
  document.addEventListener("moment", (event) => {
    marked = event.detail.epochs;
    for (const plot of plots) plot.redraw();
  });
  document.addEventListener("theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  points.addEventListener("toggle", table);
  let pending = 0;
  new ResizeObserver(() => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => {
      for (const plot of plots) plot.setSize({ width: plot.root.parentElement.clientWidth, height: 220 });
    });
  }).observe(home);
  update();
})();
