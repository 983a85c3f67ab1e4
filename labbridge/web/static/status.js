// Draws the charts of the status page beside their tables, and asks for new figures while the page is looked at. Where this
// script does not run nothing is lost: the tables say all of it.
"use strict";

(() => {
  const EVERY_MS = 30000;
  const HEIGHT = 180;
  const COLOURS = ["--link", "--warn", "--ink", "--faint"];
  const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];
  const SIGNS = ["━━", "━ ━", "┅┅", "━ ┅"];
  const charts = new Map();
  const figures = document.getElementById("figures");

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const hour = (at) => `${String(new Date(at * 1000).getUTCHours()).padStart(2, "0")}:00`;

  function options(read, width) {
    const ink = colour("--faint");
    const hours = read.kind === "hours";
    const last = read.xs[read.xs.length - 1];
    const span = hours ? [read.xs[0] - 1800, last + 1800] : [-0.3, last + 0.3];
    const grid = { stroke: colour("--line"), width: 1 };
    const ticks = { stroke: ink, width: 1 };
    const below = (_plot, splits) => splits.map((one) => (hours ? hour(one) : (read.labels[one] ?? "")));
    const beside = (_plot, splits) => splits.map((one) => (hours ? (Number.isInteger(one) ? String(one) : "") : `${Math.round(one * 100)} %`));
    const most = Math.max(1, ...read.lines.flatMap((line) => line.values));
    return {
      width, height: HEIGHT, legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false, range: () => span }, y: { range: () => [0, hours ? most * 1.1 : 1.05] } },
      axes: [
        { stroke: ink, size: 28, space: hours ? 60 : 50, incrs: hours ? [3600, 7200, 10800, 21600] : [1, 2, 5], grid: { show: false }, ticks, values: below },
        { stroke: ink, size: 52, grid, ticks, values: beside },
      ],
      series: [{}, ...read.lines.map((line, i) => ({
        label: line.name, stroke: colour(COLOURS[i % COLOURS.length]), width: 2, dash: DASHES[i % DASHES.length],
        points: { show: true, size: 5 }, paths: hours ? uPlot.paths.stepped({ align: 1 }) : undefined,
      }))],
    };
  }

  function keys(place, read) {
    place.parentElement.querySelector(".plot-keys")?.remove();
    const list = Object.assign(document.createElement("ul"), { className: "plot-keys" });
    read.lines.forEach((line, i) => list.append(Object.assign(document.createElement("li"), { textContent: `${SIGNS[i % SIGNS.length]} ${line.name}` })));
    place.after(list);
  }

  function draw(place) {
    const width = Math.floor(place.clientWidth);
    if (!width || typeof uPlot === "undefined") return;
    const read = JSON.parse(place.dataset.plot);
    charts.get(place)?.destroy();
    charts.set(place, new uPlot(options(read, width), [read.xs, ...read.lines.map((line) => line.values)], place));
    keys(place, read);
  }

  const everything = () => document.querySelectorAll("[data-plot]").forEach(draw);
  const widths = new ResizeObserver((seen) => seen.forEach(({ target }) => {
    if (Math.floor(target.clientWidth) !== charts.get(target)?.width) draw(target);
  }));

  function begin() {
    for (const [place, chart] of charts) {
      if (!place.isConnected) { chart.destroy(); charts.delete(place); widths.unobserve(place); }
    }
    everything();
    document.querySelectorAll("[data-plot]").forEach((place) => widths.observe(place));
  }

  // What was open stays open; htmx itself keeps the cursor on what has the same id.
  let open = [];
  document.addEventListener("htmx:beforeSwap", () => {
    open = [...figures.querySelectorAll("details[open]")].map((one) => one.id);
  });
  document.addEventListener("htmx:afterSwap", () => {
    open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    begin();
  });

  setInterval(() => {
    if (document.visibilityState === "visible") htmx.trigger(figures, "renew");
  }, EVERY_MS);

  new MutationObserver(everything).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", everything);
  begin();
})();
