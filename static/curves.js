// Losses and accuracies per epoch, drawn with uPlot in the page's own colours, and as a table.
(() => {
  const home = document.getElementById("curves");
  if (!home || !window.uPlot) return;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const rows = document.querySelector("#epochs tbody");
  const section = document.getElementById("learning-section");
  let data = JSON.parse(home.dataset.curves);
  let plots = [];

  const series = {
    loss: () => [data.epoch, data.train_loss, data.val_loss],
    accuracy: () => [data.epoch, data.train_accuracy, data.val_accuracy].map((list, i) => (i ? list.map((v) => (v === null ? null : v * 100)) : list)),
  };

  const draw = () => {
    for (const plot of plots) plot.destroy();
    plots = [...home.querySelectorAll("[data-plot]")].map((place) => {
      const what = place.dataset.plot;
      const unit = what === "accuracy" ? " %" : "";
      const axis = { stroke: colour("--quiet"), font: "12px system-ui", ticks: { show: false }, grid: { stroke: colour("--hair"), width: 1 } };
      const line = (label, name, dash) => ({
        label, stroke: colour(name), width: 2, dash, points: { show: data.epoch.length < 3 },
        value: (_, v) => (v === null ? "–" : `${v.toFixed(unit ? 1 : 4)}${unit}`),
      });
      return new uPlot({
        width: place.clientWidth, height: 220,
        scales: { x: { time: false, range: (_, low, high) => [Math.min(low ?? 1, 1), Math.max(high ?? 2, 2)] } },
        axes: [
          { ...axis, values: (_, ticks) => ticks.map((v) => (Number.isInteger(v) ? v : "")) },
          { ...axis, size: 52, values: (_, ticks) => ticks.map((v) => `${+v.toFixed(3)}${unit}`) },
        ],
        legend: { live: true },
        cursor: { drag: { x: false, y: false } },
        series: [{ label: "Epoch" }, line("train", "--train"), line("validation", "--validation", [6, 4])],
      }, series[what](), place);
    });
  };

  const table = () => {
    if (!rows.closest("details").open) return;
    const cell = (value, digits, unit) => (value === null ? "–" : unit ? `${(value * 100).toFixed(1)} %` : value.toFixed(digits));
    rows.replaceChildren(...data.epoch.map((epoch, i) => {
      const row = document.createElement("tr");
      const texts = [epoch, cell(data.train_loss[i], 4), cell(data.val_loss[i], 4), cell(data.train_accuracy[i], 0, true), cell(data.val_accuracy[i], 0, true)];
      for (const text of texts) {
        const td = row.insertCell();
        td.className = "number";
        td.textContent = text;
      }
      return row;
    }));
  };

  const update = () => {
    section.hidden = !data.epoch.length;
    if (section.hidden) return;
    if (!plots.length || data.epoch.length < 4) draw();
    else for (const [i, what] of ["loss", "accuracy"].entries()) plots[i].setData(series[what]());
    table();
  };

  document.addEventListener("curves", (event) => { data = JSON.parse(event.detail.data); update(); });
  document.addEventListener("theme", () => { if (!section.hidden) draw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (!section.hidden) draw(); });
  rows.closest("details").addEventListener("toggle", table);
  let pending = 0;
  new ResizeObserver(() => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => {
      for (const plot of plots) plot.setSize({ width: plot.root.parentElement.clientWidth, height: 220 });
    });
  }).observe(home);
  update();
})();
