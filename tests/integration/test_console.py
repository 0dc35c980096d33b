"""The console over a whole run: exact, bounded, and honest about a database that is away."""

from __future__ import annotations

import json
import time
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest
import schemathesis
from axe_playwright_python.sync_playwright import Axe
from browser import chromium
from clickstream_local.postgres import READER
from hypothesis import HealthCheck, given, settings
from pipeline import Pipeline, wait_until
from playwright.sync_api import expect
from psycopg2.extras import RealDictCursor
from relay import Relay
from schemathesis.core.result import Err

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Request

pytestmark = pytest.mark.services

NAME: dict[str, str | int] = {"simulation": "tested"}
_PATIENCE_MS = 30_000
PATHS = (
    "kpis", "kpis/hourly", "funnel", "traffic", "products", "countries", "devices", "channels",
    "sessions", "latency", "integrity", "verification",
)  # fmt: skip


@pytest.fixture(scope="module")
def relay(pipeline: Pipeline) -> Iterator[Relay]:
    """Return a relay between the console and the database; the last run is stored."""
    pipeline.drain(pipeline.generate())  # the page shows the simulation that ran last
    with Relay(pipeline.postgres.port) as running:
        yield running


@pytest.fixture(scope="module")
def url(pipeline: Pipeline, relay: Relay) -> Iterator[str]:
    """The console's address."""
    process = pipeline.start_console(relay.port)
    yield pipeline.console_url
    process.stop()
    pipeline.discard(process)


@pytest.fixture
def api(url: str) -> Iterator[httpx.Client]:
    """A client of the API."""
    with httpx.Client(base_url=f"{url}api/v1/", timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def browser(url: str) -> Iterator[Browser]:
    """A browser."""
    assert url
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """The page, once it has figures; it must say nothing on the browser's console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    wrong: list[str] = []

    def note_stranger(request: Request) -> None:
        if not request.url.startswith(url):
            wrong.append(request.url)

    opened.on("console", lambda message: wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", note_stranger)
    opened.goto(url)
    _filled(opened)
    yield opened
    assert wrong == []
    context.close()


def _filled(page: Page) -> None:
    # By locators: a condition in words would have to be evaluated, which the page forbids.
    expect(page.locator("#totals tr")).to_have_count(3, timeout=_PATIENCE_MS)
    expect(page.locator("[data-kpi=orders]")).not_to_have_text("\u2013", timeout=_PATIENCE_MS)


def _ask(api: httpx.Client, path: str, **values: str | int) -> Any:  # noqa: ANN401  JSON
    answer = api.get(path, params=NAME | values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _rows(pipeline: Pipeline, query: str) -> list[dict[str, Any]]:
    with (
        closing(pipeline.postgres.connect(READER)) as connection,
        connection.cursor(cursor_factory=RealDictCursor) as cursor,
    ):
        cursor.execute(query)
        return [dict(row) for row in cursor.fetchall()]


def _equal(answered: dict[str, Any], row: dict[str, Any]) -> bool:
    """Compare as exact text where the API gives text, else by value."""
    for name, value in answered.items():
        there = row[name]
        same = (
            value == str(there)
            if isinstance(value, str) and isinstance(there, Decimal)
            else value is None
            if there is None
            else Decimal(str(value)) == there
            if isinstance(there, Decimal)
            else str(value)[:19] == there.isoformat()[:19]
            if hasattr(there, "isoformat")
            else value == there
        )
        assert same, (name, value, there)
    return True


def test_every_figure_is_the_views(api: httpx.Client, pipeline: Pipeline) -> None:
    """KPIs, hours, funnel, products and shards are the views' rows to the last unit."""
    (kpis,) = _rows(pipeline, "SELECT * FROM mart.kpis WHERE simulation = 'tested'")
    assert _equal(_ask(api, "kpis"), kpis)
    for path, view, order in (
        ("kpis/hourly", "mart.kpis_hour", "hour DESC"),
        ("funnel", "mart.funnel", "step"),
        ("products", "mart.top_products", "revenue DESC, views DESC, product_id"),
    ):
        answer = _ask(api, path)
        answered = answer if isinstance(answer, list) else answer["items"]
        rows = _rows(
            pipeline,
            f"SELECT * FROM {view} WHERE simulation = 'tested' ORDER BY {order} LIMIT 50",  # noqa: S608
        )
        assert len(answered) == len(rows) > 0
        assert all(map(_equal, answered, rows))
    latency = {row["run_id"]: row["p95_seconds"] for row in _ask(api, "latency")}
    assert latency == {
        row["run_id"]: row["p95_seconds"]
        for row in _rows(pipeline, "SELECT * FROM ops.latency WHERE simulation = 'tested'")
    }
    for path in ("countries", "devices", "channels"):
        segments = _ask(api, path)
        assert sum(row["sessions"] for row in segments) == kpis["sessions"]
        assert sum(Decimal(row["revenue"]) for row in segments) == kpis["revenue"]


def test_integrity_equals_verification(api: httpx.Client, pipeline: Pipeline) -> None:
    """Sent, stored and rejected are the verification's, and all three totals agree."""
    report = pipeline.verify()
    names = [row["simulation"] for row in api.get("simulations").json()["items"]]
    answered = {name: _ask(api, "integrity", simulation=name) for name in names}

    def summed(figure: str) -> int:
        return sum(row[figure] for row in answered.values())

    assert report.is_clean()
    assert summed("stored_events") == report.events_stored
    assert summed("sent_events") == report.events_sent
    assert summed("missing_events") == report.lost == 0
    assert summed("unconfirmed_events") == 0
    assert answered["tested"]["rejected_records"] == report.events_rejected
    totals = {name: {row["figure"]: row for row in answered[name]["totals"]} for name in names}
    assert (
        sum(int(row["events"]["ledger"]) for row in totals.values()) == report.events_acknowledged
    )
    for row in totals["tested"].values():
        assert row["ledger"] == row["traffic"] == row["sessions"]


def test_pages_give_every_row_once(api: httpx.Client, pipeline: Pipeline) -> None:
    """Following the cursor and the offset, each session and product comes exactly once."""
    seen: list[str] = []
    cursor: str | None = None
    while True:
        asked = {"limit": 150} if cursor is None else {"limit": 150, "cursor": cursor}
        answer = _ask(api, "sessions", **asked)
        assert len(answer["items"]) <= 150
        seen += [row["session_id"] for row in answer["items"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    (there,) = _rows(
        pipeline, "SELECT count(*) AS n FROM mart.fact_sessions WHERE simulation = 'tested'"
    )
    assert len(set(seen)) == len(seen) == there["n"] > 150

    products: list[str] = []
    offset: int | None = 0
    while offset is not None:
        answer = _ask(api, "products", limit=7, offset=offset, sort="views")
        products += [row["product_id"] for row in answer["items"]]
        offset = answer["next_offset"]
    assert len(set(products)) == len(products) > 7
    for outcome, name in (("converted", "is_converted"), ("abandoned", "is_abandoned")):
        rows = _ask(api, "sessions", outcome=outcome)["items"]
        assert rows
        assert all(row[name] for row in rows)


ATTACKS = (
    "' OR 1=1 --", "1; DROP TABLE mart.sessions", "%(limit)s", "\x00", "../../etc/passwd",
    "<script>alert(1)</script>", "${jndi:ldap://x}", "9" * 400, "-1",
)  # fmt: skip
_TEXTS = {"simulation", "category", "country", "device", "channel"}


def test_wrong_parameter_is_refused(api: httpx.Client) -> None:
    """Injection in any parameter of any path is refused by name, or found nowhere."""
    paths = api.get("openapi.json").json()["paths"]
    asked = 0
    for path, methods in paths.items():
        for parameter in methods["get"].get("parameters", []):
            for attack in ATTACKS:
                answer = api.get(
                    path.removeprefix("/api/v1/"), params=NAME | {parameter["name"]: attack}
                )
                asked += 1
                place = (path, parameter["name"], attack)
                if parameter["name"] in _TEXTS and answer.status_code != 422:
                    # Any text may be stored: it is looked up as it is, and is not there.
                    assert answer.status_code == 404 or answer.json()["items"] == [], place
                    continue
                assert answer.status_code == 422, place
                assert parameter["name"] in {row["loc"][-1] for row in answer.json()["detail"]}
        unknown = api.get(path.removeprefix("/api/v1/"), params=NAME | {"colour": "red"})
        assert unknown.status_code == 422
        assert ["query", "colour"] in [row["loc"] for row in unknown.json()["detail"]]
    assert asked > 200
    assert api.get("kpis", params={"simulation": "nobody"}).status_code == 404
    assert _ask(api, "kpis")["simulation"] == "tested"


def _of_the_run(case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    if "simulation" in (case.query or {}):
        case.query["simulation"] = NAME["simulation"]
    return case


def test_the_schema_holds(url: str) -> None:
    """Schemathesis finds no answer that the OpenAPI document does not foresee."""
    schema = schemathesis.openapi.from_url(f"{url}api/v1/openapi.json").exclude(
        path="/api/v1/live"  # it has no end; the test of the stream reads it
    )
    operations = [
        result.ok() for result in schema.get_all_operations() if not isinstance(result, Err)
    ]
    assert len(operations) == len(PATHS) + 1
    for operation in operations:
        for mode in schemathesis.GenerationMode:
            cases = operation.as_strategy(mode)
            if mode is schemathesis.GenerationMode.POSITIVE:
                cases = cases.map(_of_the_run)

            @settings(
                max_examples=10,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=cases)
            def check(case: schemathesis.Case[Any]) -> None:
                case.call_and_validate()

            check()


def _listen(client: httpx.Client, events: int) -> list[tuple[str, dict[str, Any]]]:
    """Return the first events of the live stream."""
    found: list[tuple[str, dict[str, Any]]] = []
    with client.stream("GET", "live", params=NAME) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
                if len(found) == events:
                    break
    return found


def test_live_stream_equals_the_api(api: httpx.Client) -> None:
    """A pulse has the KPIs of the API, and everything stored once the run is over."""
    (_, first), (_, second) = _listen(api, 2)
    assert second["kpis"] == _ask(api, "kpis")
    assert second["closed_at"] is not None
    assert second["waiting_events"] == 0
    assert second["stored_events"] == first["stored_events"] > 0
    assert second["stored_per_second"] == 0
    assert second["target_per_second"] > 0


def test_live_streams_are_limited(pipeline: Pipeline, relay: Relay, api: httpx.Client) -> None:
    """One more than a peer's limit gets 503 with Retry-After; a stream that ends makes room."""
    assert relay
    limit = 8
    streams = [api.stream("GET", "live", params=NAME) for _ in range(limit)]
    for stream in streams:
        assert stream.__enter__().status_code == 200
    refused = api.get("live", params=NAME)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    for stream in streams:
        stream.__exit__(None, None, None)
    wait_until(lambda: _open_streams(pipeline) == 0, "all streams are closed", 20)
    assert _listen(api, 1)


def _open_streams(pipeline: Pipeline) -> float:
    return pipeline.metric("console_metrics", "clickstream_console_live_streams")


def test_foreign_pages_are_refused(url: str, api: httpx.Client) -> None:
    """Another Host is refused, another origin is given no leave, and nothing can be written."""
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 400
    answer = api.get("kpis", params=NAME, headers={"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert api.post("kpis", params=NAME).status_code == 405
    for path in ("/..%2f..%2fsettings.py", "/%2e%2e/settings.py", "/vendor/../../settings.py"):
        assert httpx.get(url.rstrip("/") + path).status_code == 404


def test_console_survives_a_database_outage(
    api: httpx.Client, relay: Relay, pipeline: Pipeline, browser: Browser, url: str
) -> None:
    """API, stream, readiness and page show that it is away; each continues afterwards."""
    page = browser.new_page()
    page.goto(url)
    _filled(page)
    before = page.inner_text("[data-kpi=revenue]")
    relay.cut()
    try:
        time.sleep(1.2)  # an answer is kept for a second
        for path in PATHS:
            answer = api.get(path, params=NAME)
            if path != "latency":  # kept for longer
                assert answer.status_code == 503, path
                assert int(answer.headers["retry-after"]) >= 1
        health = pipeline.metrics_url("console_metrics")
        assert httpx.get(health.replace("metrics", "readyz"), timeout=20).status_code == 503
        assert httpx.get(health.replace("metrics", "healthz")).status_code == 200
        page.wait_for_selector("#banner:not([hidden])", timeout=20_000)
        assert "database" in page.inner_text("#banner")
        assert page.inner_text("[data-kpi=revenue]") == before
    finally:
        relay.mend()
    wait_until(lambda: api.get("kpis", params=NAME).status_code == 200, "the API is back", 20)
    page.wait_for_selector("#banner", state="hidden", timeout=20_000)
    assert page.inner_text("#state-text") == "Over, all of it stored"
    page.close()
    wait_until(
        lambda: (
            pipeline.metric("console_metrics", "clickstream_console_database_failures_total") > 0
        ),
        "failures are counted",
        5,
    )


def test_page_shows_the_apis_figures(page: Page, api: httpx.Client, url: str) -> None:
    """Within two seconds there are figures, the API's own; see the fixture for what else."""
    taken = []
    for _ in range(3):  # the best counts: others may have had the machine
        began = time.monotonic()
        page.goto(url)
        _filled(page)
        taken.append(time.monotonic() - began)
    kpis, integrity = _ask(api, "kpis"), _ask(api, "integrity")

    assert min(taken) < 2
    for name in ("orders", "sessions", "visitors"):
        assert page.inner_text(f"[data-kpi={name}]") == f"{kpis[name]:,}"
    assert page.inner_text("[data-kpi=revenue]") == f"€{Decimal(kpis['revenue']):,}"
    assert page.inner_text("[data-kpi=stored_events]").replace(",", "").isdigit()
    for name in ("sent_events", "stored_events", "missing_events"):
        assert page.inner_text(f"[data-integrity={name}]") == f"{integrity[name]:,}"
    assert page.inner_text("#verdict") == "all three agree"
    shown = page.locator("#funnel tr").all_inner_texts()
    for row, step in zip(shown, _ask(api, "funnel"), strict=True):
        assert f"{step['sessions']:,}" in row
        assert f"{step['percent_of_all']:.2f} %" in row
    products = page.locator("#products tr").all_inner_texts()
    for row, product in zip(products, _ask(api, "products", limit=10)["items"], strict=True):
        assert product["product_name"] in row
        assert f"€{Decimal(product['revenue']):,}" in row
    assert page.locator("#map path.here").count() == len(_ask(api, "countries"))


def test_page_works_by_keyboard(page: Page) -> None:
    """Tab leads from the first link to every control, and Enter works them."""
    seen: list[str] = []
    page.focus("body")
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim().slice(0, 8)"))
        if seen[-1] == "Revenue":
            break
    page.keyboard.press("Enter")
    assert seen[0] == "Skip to "
    assert page.get_attribute("[data-measure=revenue]", "aria-pressed") == "true"
    assert page.get_attribute("[data-measure=sessions]", "aria-pressed") == "false"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(page: Page, scheme: Literal["light", "dark"], width: int) -> None:
    """No accessibility violation, and nothing to scroll sideways."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 844})

    results = Axe().run(page)

    assert results.response["violations"] == []
    assert len(results.response["passes"]) > 20
    assert page.evaluate("document.documentElement.scrollWidth") <= width
