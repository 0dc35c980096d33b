// The page: it reads the API and the live stream, and writes the figures into the document.
// It inserts every text as text, never as HTML.
import { LiveChart } from "./charts.js";
import { count, minute, money, percent, seconds } from "./format.js";
import { drawMap, shade } from "./map.js";

const REFRESH_MS = 3000;
const RETRY_MS = 2000;
const SHOWN_PRODUCTS = 10;
const SHOWN_MINUTES = 60;

const at = (id) => document.getElementById(id);
const ui = { simulation: at("simulation"), state: at("state"), banner: at("banner"), map: at("map") };
let shown = ""; // the shown simulation
let currencies = {}; // of the simulations, by name
let stream = null;
let measure = "sessions";
let countries = [];
let latest = null; // the last pulse

const amount = (text) => money(text, currencies[shown]);

const rate = new LiveChart(
  at("rate-chart"),
  [{ colour: "--a", fill: true }, { colour: "--b", dash: [6, 5] }],
  (value) => count(value),
  10,
);
const latency = new LiveChart(
  at("latency-chart"),
  [{ colour: "--a", fill: true }, { colour: "--c" }],
  (value) => `${value} s`,
  1,
);

class Away extends Error {}

async function ask(path, values = {}) {
  let answer;
  try {
    answer = await fetch(`api/v1/${path}?${new URLSearchParams(values)}`);
  } catch {
    throw new Away("The console does not answer: it has stopped, or is starting.");
  }
  if (answer.status === 503) throw new Away((await answer.json()).detail);
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}`);
  return answer.json();
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function rows(body, values, cells, share) {
  while (body.rows.length > values.length) body.deleteRow(-1);
  values.forEach((value, place) => {
    const row = body.rows[place] ?? body.insertRow();
    cells(value).forEach((text, column) => {
      let cell = row.cells[column];
      if (!cell) {
        cell = document.createElement(column ? "td" : "th");
        if (!column) cell.scope = "row";
        row.append(cell);
      }
      const isNumber = column > 0 && typeof text === "object";
      cell.classList.toggle("n", isNumber);
      write(cell, isNumber ? text.number : text);
    });
    if (share) row.style.setProperty("--share", `${share(value)}%`);
  });
}

const n = (text) => ({ number: text });

function say(state, text) {
  ui.state.dataset.state = state;
  write(at("state-text"), text);
}

function isAway(text) {
  say("away", "No data");
  write(ui.banner, `${text} Figures are those seen last; this page goes on by itself.`);
  ui.banner.hidden = false;
}

function isBack() {
  ui.banner.hidden = true;
  if (!latest) say("waiting", shown ? "Waiting for events" : "No simulation yet");
  else if (latest.closed_at) say("ended", "Over, all of it stored");
  else say("running", "Running");
}

function showPulse(pulse) {
  latest = pulse;
  const kpis = pulse.kpis;
  const texts = {
    stored_events: count(pulse.stored_events),
    waiting_events: `${count(pulse.waiting_events)} on their way`,
    rejected_records: `${count(pulse.rejected_records)} records rejected`,
    ...(kpis && {
      revenue: amount(kpis.revenue),
      average_order_value: `${amount(kpis.average_order_value)} an order`,
      orders: count(kpis.orders),
      conversion_percent: `${percent(kpis.conversion_percent)} of sessions`,
      sessions: count(kpis.sessions),
      bounce_percent: `${percent(kpis.bounce_percent)} bounced`,
      visitors: count(kpis.visitors),
      events_per_session: `${kpis.events_per_session ?? "–"} events a session`,
      abandonment_percent: percent(kpis.abandonment_percent),
    }),
  };
  for (const [name, text] of Object.entries(texts)) {
    write(document.querySelector(`[data-kpi="${name}"]`), text);
  }
  const isOver = pulse.closed_at !== null;
  const now = isOver ? null : pulse.stored_per_second;
  const wanted = isOver ? null : pulse.target_per_second;
  const when = Date.parse(pulse.at) / 1000;
  rate.add(when, now, wanted);
  latency.add(when, pulse.p50_seconds, pulse.p95_seconds);
  write(at("rate-now"), isOver ? "over" : count(now));
  write(at("rate-target"), wanted === null ? "" : `of ${count(wanted)} events/s`);
  write(at("latency-now"), seconds(pulse.p50_seconds));
  write(at("latency-p95"), `p95 ${seconds(pulse.p95_seconds)}`);
  write(at("rate-words"), `Stored ${count(now)} events per second of ${count(wanted)} wanted.`);
  write(
    at("latency-words"),
    `Half of the events took ${seconds(pulse.p50_seconds)} or less, 95 of 100 ${seconds(pulse.p95_seconds)} or less.`,
  );
  isBack();
}

function listen() {
  stream?.close();
  stream = null;
  if (!shown) return;
  const opened = new EventSource(`api/v1/live?${new URLSearchParams({ simulation: shown })}`);
  stream = opened;
  opened.addEventListener("pulse", (event) => showPulse(JSON.parse(event.data)));
  opened.addEventListener("away", (event) => isAway(capital(JSON.parse(event.data).detail) + "."));
  opened.addEventListener("error", () => {
    // The browser reconnects after a broken stream, but not after an error status.
    if (opened.readyState === EventSource.CLOSED && stream === opened) setTimeout(listen, RETRY_MS);
  });
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function showCountries() {
  rows(at("countries"), countries, (row) => [row.name, n(count(row.sessions)), n(amount(row.revenue))]);
  shade(ui.map, countries, measure);
}

function showSegments(id, segments) {
  const all = segments.reduce((sum, row) => sum + row.sessions, 0) || 1;
  const share = (row) => (100 * row.sessions) / all;
  rows(at(id), segments, (row) => [row.name, count(row.sessions), percent(share(row))], share);
}

const STEPS = {
  session: "Sessions", view_item: "Looked at an item", add_to_cart: "Filled a cart",
  begin_checkout: "Began to check out", purchase: "Bought",
};

function showIntegrity(integrity) {
  rows(at("totals"), integrity.totals, (row) => {
    const text = row.figure === "revenue" ? amount : count;
    return [capital(row.figure), ...["ledger", "traffic", "sessions"].map((by) => n(text(row[by])))];
  });
  for (const element of document.querySelectorAll("[data-integrity]")) {
    write(element, count(integrity[element.dataset.integrity]));
  }
  const agree = integrity.totals.every((row) => row.ledger === row.traffic && row.traffic === row.sessions);
  const isOver = latest?.closed_at;
  const [verdict, text] = agree && integrity.missing_events === 0 && integrity.unconfirmed_events === 0
    ? ["agree", "all three agree"]
    : isOver ? ["differ", "they differ: run clickstream verify"] : ["waiting", "events are on their way"];
  at("verdict").dataset.verdict = verdict;
  write(at("verdict"), text);
}

function showVerification(found) {
  const differences = found && (found.differences === 1 ? "1 difference" : `${count(found.differences)} differences`);
  const text = found && `${found.differences ? differences : "agrees"}, ${minute(found.verified_at)}`;
  write(at("verified"), text ?? "–");
}

async function refresh() {
  const simulation = shown;
  const [funnel, found, products, channels, devices, traffic, integrity, verification] = await Promise.all([
    ask("funnel", { simulation }),
    ask("countries", { simulation }),
    ask("products", { simulation, limit: SHOWN_PRODUCTS }),
    ask("channels", { simulation }),
    ask("devices", { simulation }),
    ask("traffic", { simulation, limit: SHOWN_MINUTES }),
    ask("integrity", { simulation }),
    ask("verification", { simulation }),
  ]);
  if (simulation !== shown) return;
  rows(
    at("funnel"), funnel,
    (row) => [STEPS[row.name] ?? row.name, count(row.sessions), percent(row.percent_of_all)],
    (row) => row.percent_of_all ?? 0,
  );
  countries = found;
  showCountries();
  rows(at("products"), products.items, (row) => [
    row.product_name ?? row.product_id, row.category ?? "", n(count(row.views)),
    n(count(row.carts)), n(count(row.pieces)), n(amount(row.revenue)),
  ]);
  showSegments("channels", channels);
  showSegments("devices", devices);
  rows(at("traffic"), traffic.items, (row) => [
    minute(row.minute), n(count(row.events)), n(count(row.sessions)), n(count(row.orders)),
    n(amount(row.revenue)),
  ]);
  showIntegrity(integrity);
  showVerification(verification);
}

async function findSimulations() {
  const { items } = await ask("simulations", { limit: 100 });
  const names = items.map((row) => row.simulation);
  currencies = Object.fromEntries(items.map((row) => [row.simulation, row.currency]));
  const there = [...ui.simulation.options].map((option) => option.value);
  if (names.length && names.join() !== there.join()) {
    ui.simulation.replaceChildren(...names.map((name) => new Option(name, name)));
  }
  if (names.length && !names.includes(shown)) show(names[0]);
  else if (names.length) ui.simulation.value = shown;
  else say("waiting", "No simulation yet");
}

function show(simulation) {
  shown = ui.simulation.value = simulation;
  latest = null;
  rate.clear();
  latency.clear();
  listen();
}

async function turn() {
  let pause = REFRESH_MS;
  try {
    if (!document.hidden) {
      await findSimulations();
      if (shown) await refresh();
      if (!ui.banner.hidden && latest) isBack();
    }
  } catch (error) {
    if (!(error instanceof Away)) throw error;
    isAway(capital(error.message).replace(/\.?$/, "."));
    pause = RETRY_MS;
  } finally {
    setTimeout(turn, pause);
  }
}

ui.simulation.addEventListener("change", () => {
  show(ui.simulation.value);
  refresh().catch(() => {}); // the next refresh shows the problem
});
for (const button of document.querySelectorAll("[data-measure]")) {
  button.addEventListener("click", () => {
    measure = button.dataset.measure;
    for (const each of document.querySelectorAll("[data-measure]")) {
      each.setAttribute("aria-pressed", String(each === button));
    }
    showCountries();
  });
}
drawMap(ui.map).then(() => shade(ui.map, countries, measure));
turn();
