// Draws the time line beside its table: CK on a log scale with its upper limit, antibodies as multiples of theirs. What is not
// a plain number is drawn as a triangle that points to where the true value lies. The table under it says all of this, and
// more; where this script does not run nothing is lost.
"use strict";

(() => {
  const DAY = 86400;
  const HEIGHT = 150;
  const SHAPES = ["●", "■", "◆", "✚", "✖"]; // no triangle: those are of comparators
  const COLOURS = ["--ink", "--link", "--warn", "--faint"];
  const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];
  const charts = new Map();

  const seconds = (day) => Date.parse(day + "T00:00:00Z") / 1000;
  const iso = (at) => new Date(at * 1000).toISOString().slice(0, 10);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const middle = (one) => (seconds(one.since) + seconds(one.day)) / 2;

  // Points of one day stand an hour apart, in their order: within a day the place says nothing else.
  function placed(series) {
    let last = -Infinity;
    return series.points.map((point) => {
      const at = Math.max(seconds(point.day), last + DAY / 24);
      last = at;
      return { ...point, at };
    });
  }

  // uPlot joins over `undefined` and stops at `null`: a line ends where the method changed and at a comparator.
  function table(all) {
    const ends = new Set();
    all.forEach(({ points }) => points.forEach((point, i) => {
      const before = points[i - 1];
      if (before && before.part !== point.part) ends.add((before.at + point.at) / 2);
    }));
    const xs = [...new Set([...all.flatMap(({ points }) => points.map((one) => one.at)), ...ends])].sort((a, b) => a - b);
    const rows = all.flatMap(({ points, series }) => {
      const values = xs.map((x) => {
        const i = points.findIndex((one) => one.at >= x);
        if (i < 0) return undefined;
        if (points[i].at === x) return points[i].comparator ? null : points[i].number;
        return i > 0 && points[i].part !== points[i - 1].part ? null : undefined;
      });
      const limits = xs.map((x) => points.find((one) => one.at === x)?.limit ?? undefined);
      return series.scale === "unit" ? [values, limits] : [values];
    });
    return [xs, ...rows];
  }

  // A log scale needs an extent above zero, and ends of one digit, for its labels begin there. Points with a comparator count.
  function extent(all, scale) {
    const of = all.filter(({ series }) => series.scale === scale);
    const found = of.flatMap(({ points }) => points.flatMap((one) => [one.number, one.limit])).filter((one) => one > 0);
    if (!found.length) return [0.1, 10];
    return [oneDigit(Math.min(...found) / 1.6, Math.floor), oneDigit(Math.max(...found) * 1.6, Math.ceil)];
  }

  function oneDigit(value, round) {
    const step = 10 ** Math.floor(Math.log10(value));
    return Number((round(value / step) * step).toPrecision(1));
  }

  function marker(context, kind, x, y, filled) {
    const r = 4;
    context.beginPath();
    if (kind === "■") context.rect(x - r, y - r, 2 * r, 2 * r);
    else if (kind === "◆") polygon(context, [[x, y - r - 1], [x + r + 1, y], [x, y + r + 1], [x - r - 1, y]]);
    else if (kind === "above") polygon(context, [[x, y - 9], [x + 5, y], [x - 5, y]]);
    else if (kind === "below") polygon(context, [[x, y + 9], [x + 5, y], [x - 5, y]]);
    else if (kind === "✚") { context.moveTo(x - r, y); context.lineTo(x + r, y); context.moveTo(x, y - r); context.lineTo(x, y + r); }
    else if (kind === "✖") { context.moveTo(x - r, y - r); context.lineTo(x + r, y + r); context.moveTo(x - r, y + r); context.lineTo(x + r, y - r); }
    else context.arc(x, y, r, 0, 2 * Math.PI);
    if (filled) context.fill();
    context.stroke();
  }

  function polygon(context, corners) {
    corners.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
  }

  function upright(plot, at, stroke, dash) {
    const x = Math.round(plot.valToPos(at, "x", true));
    const { ctx, bbox } = plot;
    if (x < bbox.left || x > bbox.left + bbox.width) return; // it stands in the table
    ctx.save();
    ctx.strokeStyle = stroke;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash(dash.map((one) => one * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  }

  function over(plot, all, marks) {
    all.forEach(({ series, points, tint, shape }) => {
      series.breaks.forEach((one) => upright(plot, middle(one), tint, [4, 4]));
      plot.ctx.save();
      points.forEach((one) => {
        const kind = one.comparator ? (one.comparator.startsWith("<") ? "below" : "above") : shape;
        plot.ctx.strokeStyle = plot.ctx.fillStyle = tint;
        plot.ctx.lineWidth = 1.5 * devicePixelRatio;
        const y = plot.valToPos(one.number, series.scale, true);
        marker(plot.ctx, kind, plot.valToPos(one.at, "x", true), y, !one.comparator && !one.elsewhere);
      });
      plot.ctx.restore();
    });
    marks.forEach((one) => upright(plot, seconds(one.day), colour("--faint"), [1, 3]));
  }

  function axis(scale, label, side, grid) {
    const ink = colour("--faint");
    const values = (_plot, splits) => splits.map((one) => (one == null ? "" : String(Number(one.toPrecision(3)))));
    const shown = grid ? { stroke: colour("--line"), width: 1 } : { show: false };
    return { scale, side, label, labelSize: 16, size: 46, stroke: ink, grid: shown, ticks: { stroke: ink, width: 1 }, values };
  }

  function options(all, read, width) {
    const days = all.flatMap(({ points }) => points.map((one) => one.at));
    const span = [Math.min(...days) - 5 * DAY, Math.max(...days) + 5 * DAY]; // given one day alone uPlot shows years
    const scales = { x: { time: true, range: () => span } };
    const ink = colour("--faint");
    const dates = (_plot, splits) => splits.map(iso);
    const axes = [{ stroke: ink, size: 28, space: 90, grid: { show: false }, ticks: { stroke: ink, width: 1 }, values: dates }];
    const unit = all.find(({ series }) => series.scale === "unit");
    for (const scale of ["unit", "limits"]) {
      if (!all.some(({ series }) => series.scale === scale)) continue;
      scales[scale] = { distr: 3, range: extent(all, scale) };
      const label = scale === "unit" ? `CK ${unit.series.unit}` : read.words["multiples of the limit"];
      axes.push(axis(scale, label, scale === "unit" ? 3 : 1, scale === "unit" || !unit));
    }
    const lines = all.flatMap(({ series, tint, dash }) => {
      const line = { label: series.name, scale: series.scale, stroke: tint, width: 1.5, dash, points: { show: false } };
      const limit = { scale: series.scale, stroke: tint, width: 1, dash: [3, 3], points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) };
      return series.scale === "unit" ? [line, limit] : [line];
    });
    return {
      width, height: HEIGHT, scales, axes, series: [{}, ...lines], legend: { show: false },
      cursor: { show: false }, tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      hooks: { draw: [(plot) => { limitOne(plot, all); over(plot, all, read.marks); }] },
    };
  }

  // The limits themselves: one for all multiples; CK's at its last point too, where a single point draws no line.
  function limitOne(plot, all) {
    const wanted = all.some(({ series }) => series.scale === "limits") ? [["limits", 1]] : [];
    all.filter(({ series }) => series.scale === "unit").forEach(({ points }) => {
      if (points.length === 1 && points[0].limit) wanted.push(["unit", points[0].limit]);
    });
    wanted.forEach(([scale, value]) => {
      const y = Math.round(plot.valToPos(value, scale, true));
      plot.ctx.save();
      plot.ctx.strokeStyle = colour("--faint");
      plot.ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
      plot.ctx.beginPath();
      plot.ctx.moveTo(plot.bbox.left, y);
      plot.ctx.lineTo(plot.bbox.left + plot.bbox.width, y);
      plot.ctx.stroke();
      plot.ctx.restore();
    });
  }

  function keys(place, all, read) {
    place.parentElement.querySelector(".keys")?.remove();
    const list = document.createElement("ul");
    list.className = "keys";
    const texts = [
      ...all.map(({ series, shape }) => `${shape} ${series.name}${series.unit ? ` (${series.unit})` : ""}`),
      `┄ ${read.words["limit"]}`,
    ];
    if (all.some(({ series }) => series.breaks.length)) texts.push(`┆ ${read.words["method changed"]}`);
    const some = (test) => all.some(({ points }) => points.some(test));
    if (some((one) => one.comparator)) texts.push(`△▽ ${read.words["beyond the number"]}`);
    if (some((one) => one.elsewhere)) texts.push(`○ ${read.words["another laboratory"]}`);
    read.marks.forEach((one) => texts.push(`┊ ${one.words} ${one.day}`));
    texts.forEach((text) => list.append(Object.assign(document.createElement("li"), { textContent: text })));
    place.after(list);
  }

  function draw(place) {
    const width = Math.floor(place.clientWidth);
    if (!width || typeof uPlot === "undefined") return;
    const read = JSON.parse(place.dataset.timeline);
    const all = read.series.map((series, i) => ({
      series, points: placed(series), tint: colour(COLOURS[i % COLOURS.length]),
      shape: SHAPES[i % SHAPES.length], dash: DASHES[i % DASHES.length],
    }));
    charts.get(place)?.destroy();
    charts.set(place, new uPlot(options(all, read, width), table(all), place));
    keys(place, all, read);
  }

  // Nothing here moves, whatever a reader prefers: a chart is there or is drawn anew.
  const everything = () => document.querySelectorAll("[data-timeline]").forEach(draw);
  const widths = new ResizeObserver((seen) => seen.forEach(({ target }) => {
    if (Math.floor(target.clientWidth) !== charts.get(target)?.width) draw(target);
  }));

  function begin() {
    for (const [place, chart] of charts) {
      if (!place.isConnected) { chart.destroy(); charts.delete(place); widths.unobserve(place); }
    }
    everything();
    document.querySelectorAll("[data-timeline]").forEach((place) => widths.observe(place));
  }

  new MutationObserver(everything).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", everything);
  document.addEventListener("htmx:afterSwap", begin);
  begin();
})();
