// Draws figures of lines anew with uPlot, from the same numbers, so that one can point at them and zoom.
// Without script, and on paper, the page has them as pictures.
(() => {
  "use strict";
  const held = document.getElementById("traces");
  if (!held) return;
  const { lines, marks, labels, dashed, limits } = JSON.parse(held.textContent);
  const TICKS = [0, 50, 90, 99, 99.9, 99.99, 99.999];
  const LANE = 14;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const color = (place) => css(`--c${place % 6}`);
  const nines = (percent) => -Math.log10(1 - percent / 100);
  const plain = (value) => value === null || value === undefined ? "–" : String(Number(value.toPrecision(3)));
  const charts = [], rests = [];
  const shown = new Set(labels.keys());

  const words = (kind, x) => kind === "time"
    ? `${x.toFixed(1)} s`
    : `${(100 * (1 - 10 ** -x)).toFixed(Math.max(0, Math.ceil(x)))} % of messages`;

  const draw = (box, kind, column, own, happened, tell, { sync, wide, limits }) => {
    const data = uPlot.join(own.flatMap((line) => [[line.x, line.y]]));
    const lanes = [...new Set(happened.map((mark) => mark[1]))];
    const font = () => `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: () => css("--ink"), grid: { stroke: () => css("--faint"), width: 1 }, ticks: { show: false }, font: font() };
    // What is shown before one zooms: as the picture has it, set by the measured part, or by all but the fastest
    // quarter of messages, which would take half the axis and tell nothing.
    const whole = (u) => {
      const { min, max } = u.scales.x, first = u.data[0][0], last = u.data[0].at(-1);
      if (min > first + 1e-9 || max < last - 1e-9) return null;
      if (kind === "time") return limits;
      const slower = own.flatMap((line) => line.y.filter((_, k) => line.x[k] >= nines(25)));
      const top = Math.max(...own.map((line) => line.y.at(-1)));
      return slower.length ? [Math.min(...slower) / 1.3, top * 1.15] : null;
    };
    const marked = (u) => {
      const { ctx, bbox } = u, scale = devicePixelRatio;
      ctx.save();
      ctx.font = `${11 * scale}px ${getComputedStyle(document.body).fontFamily}`;
      ctx.textBaseline = "middle";
      lanes.forEach((lane, row) => {
        const y = bbox.top - (lanes.length - row - 0.5) * LANE * scale;
        ctx.fillStyle = css("--soft");
        ctx.textAlign = "right";
        ctx.fillText(lane, bbox.left - 6 * scale, y);
        for (const [, name, place, from, to] of happened) {
          if (name !== lane || !shown.has(place)) continue;
          const a = u.valToPos(from, "x", true), b = u.valToPos(to, "x", true);
          if (b < bbox.left || a > bbox.left + bbox.width) continue;
          const left = Math.max(a, bbox.left), right = Math.min(b, bbox.left + bbox.width);
          ctx.fillStyle = color(place);
          ctx.fillRect(left - scale, y - 4 * scale, Math.max(right - left, 2 * scale), 8 * scale);
        }
      });
      ctx.restore();
    };
    const warmUp = (u) => {
      const left = Math.max(u.valToPos(u.scales.x.min, "x", true), u.bbox.left), zero = u.valToPos(0, "x", true);
      if (kind !== "time" || zero <= left) return;
      u.ctx.save();
      u.ctx.fillStyle = css("--shade");
      u.ctx.fillRect(left, u.bbox.top, Math.min(zero, u.bbox.left + u.bbox.width) - left, u.bbox.height);
      u.ctx.fillStyle = css("--soft");
      u.ctx.font = `${11 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
      if (zero - left > 60 * devicePixelRatio) u.ctx.fillText("warm-up", left + 5 * devicePixelRatio, u.bbox.top + 12 * devicePixelRatio);
      u.ctx.restore();
    };
    const ranges = (u) => {
      if (kind !== "time") return;
      const { ctx, bbox } = u;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.globalAlpha = 0.13;
      for (const line of own.filter((each) => shown.has(each.target))) {
        const at = (value, x) => [u.valToPos(x, "x", true), u.valToPos(value, "y", true)];
        ctx.fillStyle = color(line.target);
        ctx.beginPath();
        line.x.forEach((x, k) => ctx.lineTo(...at(line.high[k], x)));
        [...line.x.keys()].reverse().forEach((k) => ctx.lineTo(...at(line.low[k], line.x[k])));
        ctx.fill();
      }
      ctx.restore();
    };
    const options = {
      width: box.clientWidth,
      height: (kind === "time" ? 190 : 270) + lanes.length * LANE,
      padding: [6 + lanes.length * LANE, 22, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: sync, setSeries: false }, drag: { x: true, y: false }, y: false, points: { size: 7 } },
      scales: {
        x: { time: false, range: (u, low, high) => kind === "time" && low === u.data[0][0] ? [edge(u.data[0], low), high] : [low, high] },
        y: { distr: 3, range: (u, low, high) => whole(u) ?? (low === null ? [0.1, 1] : [low / 1.15, high * 1.15]) },
      },
      axes: [
        {
          ...axis,
          label: kind === "time" ? "seconds of the measured part" : "percentile of messages, %",
          labelFont: font(), labelSize: 20, size: 26,
          ...(kind === "time" ? {} : {
            splits: (u) => TICKS.map(nines).filter((at) => at >= u.scales.x.min - 1e-9 && at <= u.scales.x.max + 1e-9),
            values: (u, splits) => splits.map((at) => plainPercent(at)),
          }),
        },
        {
          ...axis,
          label: `${column}, ms`, labelFont: font(), labelSize: 20, size: wide ? 84 : 48,
          splits: (u) => steps(u.scales.y.min, u.scales.y.max),
          filter: (u, splits) => splits,
          values: (u, splits) => splits.map(plain),
        },
      ],
      series: [{}, ...own.map((line) => ({
        label: labels[line.target],
        stroke: () => color(line.target),
        width: 2,
        dash: dashed[line.target] ? [8, 4] : undefined,
        spanGaps: true,
        points: { show: kind === "time", size: 4, fill: () => color(line.target) },
      }))],
      hooks: { drawClear: [warmUp, ranges], draw: [marked], setCursor: [(u) => tell(u, own)] },
    };
    const chart = new uPlot(options, data, box);
    charts.push({ chart, own });
    new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height: options.height })).observe(box);
  };
  // Where the first bin begins: its middle is the first of the points.
  const edge = (points, low) => low - (points.length > 1 ? (points[1] - points[0]) / 2 : 0.5);
  // Plain numbers on a logarithmic axis, fewer the more decades it spans.
  const steps = (low, high) => {
    const decades = Math.log10(high / low);
    const each = decades < 0.45 ? [1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8] : decades < 0.8 ? [1, 1.5, 2, 3, 5, 7] : decades < 2.5 ? [1, 2, 5] : [1];
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
      found.push(...each.map((step) => step * 10 ** power).filter((value) => low <= value && value <= high));
    }
    return found;
  };
  const plainPercent = (at) => {
    const percent = 100 * (1 - 10 ** -at);
    return String(TICKS.find((tick) => Math.abs(tick - percent) < 1e-6) ?? percent.toPrecision(4));
  };

  document.querySelectorAll("figure[data-kind]").forEach((figure, number) => {
    const { question, kind } = figure.dataset;
    const mine = lines.filter((line) => line.question === question && line.kind === kind);
    if (!mine.length) return;
    const happened = kind === "time" ? marks.filter((mark) => mark[0] === question) : [];
    const live = document.createElement("div");
    live.className = "live";
    const readout = document.createElement("p");
    readout.className = "readout";
    const hint = "Point at the figure to read values. Drag to zoom, double-click to zoom out.";
    const key = (place) => {
      const mark = document.createElement("span");
      mark.className = `key k${place % 6}`;
      return mark;
    };
    const legend = () => mine.filter((line) => line.column === mine[0].column && shown.has(line.target)).map((line) => line.target);
    const rest = () => {
      readout.replaceChildren(...legend().map((place) => {
        const entry = document.createElement("span");
        entry.className = "entry";
        entry.append(key(place), labels[place]);
        return entry;
      }), Object.assign(document.createElement("span"), { className: "hint", textContent: hint }));
    };
    const tell = (u, own) => {
      const at = u.cursor.idx;
      if (at === null || at === undefined || u.cursor.left < 0) { rest(); return; }
      const x = u.data[0][at];
      const head = Object.assign(document.createElement("b"), { textContent: words(kind, x) });
      const entries = own.filter((line) => shown.has(line.target)).map((line) => {
        const entry = document.createElement("span");
        entry.className = "entry";
        const place = line.x.indexOf(x);
        const value = place < 0 ? "–" : `${plain(line.y[place])} ms (${plain(line.low[place])}–${plain(line.high[place])})`;
        entry.append(key(line.target), `${labels[line.target]} ${line.column} ${value}`);
        return entry;
      });
      const near = (u.scales.x.max - u.scales.x.min) / 100;
      const there = happened.filter((mark) => shown.has(mark[2]) && mark[3] - near <= x && x <= mark[4] + near).slice(0, 3);
      const events = there.map((mark) => {
        const entry = document.createElement("span");
        entry.className = "entry";
        entry.append(key(mark[2]), mark[5]);
        return entry;
      });
      readout.replaceChildren(head, ...entries, ...events);
    };
    figure.append(live);
    live.append(readout);
    figure.classList.add("has-live");
    rest();
    rests.push(rest);
    const sync = `figure-${number}`, wide = happened.length > 0;
    [...new Set(mine.map((line) => line.column))].forEach((column, row) => {
      const box = document.createElement("div");
      box.setAttribute("aria-hidden", "true");
      live.insertBefore(box, readout);
      draw(box, kind, column, mine.filter((line) => line.column === column), row ? [] : happened, tell, { sync, wide, limits: limits[`${question} ${column}`] });
    });
  });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach(({ chart }) => chart.redraw()));
  document.addEventListener("target-shown", ({ detail: { place, on } }) => {
    on ? shown.add(place) : shown.delete(place);
    rests.forEach((rest) => rest());
    for (const { chart, own } of charts) {
      own.forEach((line, row) => { if (line.target === place) chart.setSeries(row + 1, { show: on }); });
      chart.redraw();
    }
  });
})();
