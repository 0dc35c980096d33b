// The map of countries: its shapes and shades. The table next to it has the figures.
// Codes of ISO 3166-1: those of the events are letters, those of the shapes are numbers.
const NUMBERS = {
  AT: "040", AU: "036", BR: "076", CA: "124", CH: "756", DE: "276", DK: "208", ES: "724",
  FI: "246", FR: "250", GB: "826", IE: "372", IN: "356", IT: "380", JP: "392", MX: "484",
  NL: "528", NO: "578", PL: "616", PT: "620", SE: "752", US: "840",
};

export async function drawMap(svg) {
  const world = await (await fetch("vendor/world-atlas/countries-110m.json")).json();
  const shapes = topojson.feature(world, world.objects.countries);
  shapes.features = shapes.features.filter((shape) => shape.id !== "010"); // Antarctica
  const path = d3.geoPath(d3.geoEqualEarth().fitSize([960, 440], shapes));
  for (const shape of shapes.features) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
    element.setAttribute("d", path(shape));
    if (shape.id) element.dataset.country = shape.id;
    svg.append(element);
  }
}

export function shade(svg, rows, measure) {
  const most = Math.max(1, ...rows.map((row) => Number(row[measure])));
  const depths = new Map(
    rows.map((row) => [NUMBERS[row.key], Math.sqrt(Number(row[measure]) / most)]),
  );
  for (const element of svg.children) {
    const depth = depths.get(element.dataset.country);
    element.classList.toggle("here", depth !== undefined);
    if (depth !== undefined) element.style.setProperty("--depth", `${Math.round(100 * depth)}%`);
  }
}
