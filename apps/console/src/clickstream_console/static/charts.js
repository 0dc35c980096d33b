// The two live charts: the last five minutes, one point per second. Owns their data and colours.
const KEPT = 300;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class LiveChart {
  // series: [{colour, dash, fill}]; unit: the format of a value on the axis; least: the
  // smallest maximum of the axis
  constructor(element, series, unit, least) {
    Object.assign(this, { element, series, unit, least });
    this.data = [[], ...series.map(() => [])];
    this.draw();
    new ResizeObserver(() => this.fit()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  draw() {
    this.plot?.destroy();
    const axis = {
      stroke: colour("--soft"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    const options = {
      ...this.size(),
      cursor: { show: false },
      legend: { show: false },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1e3), "Etc/UTC"),
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(high * 1.15, this.least)] } },
      axes: [
        { ...axis, grid: { show: false }, size: 30, space: 90, values: (_plot, ticks) => ticks.map(clock) },
        { ...axis, size: 56, values: (_plot, ticks) => ticks.map(this.unit) },
      ],
      series: [
        {},
        ...this.series.map((row) => ({
          stroke: colour(row.colour),
          width: 2,
          dash: row.dash,
          fill: row.fill && `color-mix(in srgb, ${colour(row.colour)} 14%, transparent)`,
          points: { show: false },
        })),
      ],
    };
    this.plot = new uPlot(options, this.data, this.element);
  }

  size() {
    return { width: Math.max(this.element.clientWidth, 120), height: this.element.clientHeight };
  }

  fit() {
    this.plot.setSize(this.size());
  }

  clear() {
    for (const column of this.data) column.length = 0;
    this.plot.setData(this.data);
  }

  add(at, ...values) {
    [at, ...values].forEach((value, place) => {
      this.data[place].push(value);
      if (this.data[place].length > KEPT) this.data[place].shift();
    });
    this.plot.setData(this.data);
  }
}

const clock = (at) => new Date(at * 1e3).toISOString().slice(11, 19);
