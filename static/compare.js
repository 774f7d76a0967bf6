// Curves of several runs laid over each other, one chart for each measure: each run has its colour, its dash and its
// letter at the end of its line. Comes as {each, times, letters, x: [of each run], plots: [{title, unit, curves}]}.
(() => {
  const home = document.getElementById("overlays");
  if (!home || !window.uPlot) return;
  const told = JSON.parse(home.dataset.curves);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dashes = [[], [8, 4], [2, 3], [11, 3, 2, 3], [16, 5], [5, 2, 2, 2, 2, 2]];
  const write = {
    "": (v) => `${+v.toFixed(3)}`,
    "%": (v) => `${+(v * 100).toFixed(2)} %`,
    money: (v) => v.toLocaleString("en", { maximumFractionDigits: 0 }),
  };
  const day = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);
  let plots = [];

  // Letters at the ends of lines, moved apart where lines end together.
  const letters = (runs) => (u) => {
    const ends = runs.map((run, i) => {
      const values = u.data[i + 1];
      let at = values.length - 1;
      while (at >= 0 && values[at] == null) at -= 1;
      return at < 0 ? null : { run, x: u.valToPos(u.data[0][at], "x", true), y: u.valToPos(values[at], "y", true) };
    }).filter(Boolean).sort((a, b) => a.y - b.y);
    const ratio = devicePixelRatio, step = 13 * ratio;
    const apart = (end, next) => next && Math.abs(next.x - end.x) < step;
    const floor = u.bbox.top + u.bbox.height;
    ends.forEach((end, i) => { if (apart(end, ends[i - 1])) end.y = Math.max(end.y, ends[i - 1].y + step); });
    for (const [i, end] of [...ends.entries()].reverse()) end.y = Math.min(end.y, apart(end, ends[i + 1]) ? ends[i + 1].y - step : floor);
    u.ctx.save();
    u.ctx.font = `600 ${12 * ratio}px system-ui`;
    u.ctx.textBaseline = "middle";
    u.ctx.textAlign = "left";
    for (const end of ends) {
      u.ctx.fillStyle = colour(`--run-${end.run + 1}`);
      u.ctx.fillText(told.letters[end.run], end.x + 5 * ratio, end.y);
    }
    u.ctx.restore();
  };

  const draw = () => {
    for (const plot of plots) plot.destroy();
    const axis = { stroke: colour("--quiet"), font: "12px system-ui", ticks: { show: false }, grid: { stroke: colour("--hair"), width: 1 } };
    home.replaceChildren();
    plots = told.plots.map((plot) => {
      const figure = document.createElement("figure"), caption = document.createElement("figcaption"), ground = document.createElement("div");
      const runs = plot.curves.flatMap((values, i) => (values ? [i] : []));
      caption.textContent = plot.title;
      ground.className = "plot";
      ground.setAttribute("role", "img");
      ground.setAttribute("aria-label", `${plot.title} of ${runs.map((run) => told.letters[run]).join(", ")}`);
      figure.append(caption, ground);
      home.append(figure);
      const label = (_, v) => (v == null ? "–" : write[plot.unit](v));
      return new uPlot({
        width: ground.clientWidth, height: 220, padding: [8, 22, 0, 0],
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        scales: { x: told.times ? {} : { time: false, range: (_, low, high) => [Math.min(low ?? 1, 1), Math.max(high ?? 2, 2)] } },
        axes: [
          { ...axis, values: (_, all) => all.map((v) => (told.times ? day(v) : Number.isInteger(v) ? v : "")), ...(told.times ? { space: 90 } : {}) },
          { ...axis, size: plot.unit === "money" ? 64 : 52, values: (_, all) => all.map((v) => write[plot.unit](v)) },
        ],
        cursor: { drag: { x: false, y: false } },
        hooks: { draw: [letters(runs)] },
        series: [
          { label: told.times ? "Time" : told.each, value: (_, v) => (v == null ? "–" : told.times ? day(v) : v) },
          ...runs.map((run) => ({ label: told.letters[run], stroke: colour(`--run-${run + 1}`), width: told.times ? 1.25 : 2, dash: dashes[run], points: { show: told.x[run].length < 3 }, value: label })),
        ],
      }, uPlot.join(runs.map((run) => [told.x[run], plot.curves[run]])), ground);
    });
  };

  document.addEventListener("theme", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let pending = 0;
  new ResizeObserver(() => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => { for (const plot of plots) plot.setSize({ width: plot.root.parentElement.clientWidth, height: 220 }); });
  }).observe(home);
  draw();
})();
