"""The API's routes, with a database in memory."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import httpx
import pytest
from clickstream_console.core.parameters import Cursor
from clickstream_console.core.records import Pulse, Verification
from clickstream_console.errors import DatabaseAway
from clickstream_console.settings import Settings
from clickstream_console.shell.application import application
from clickstream_console.shell.live import Live
from clickstream_console.shell.operator import Operator
from console_database import MemoryDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from clickstream_console.core.parameters import OfSimulation
    from clickstream_console.shell.database import Database

_RUN = UUID(int=1)
_MOMENT = datetime(2026, 11, 27, 8, tzinfo=UTC)
_KNOWN = [{"bool": True}]
_KPIS: dict[str, Any] = {
    "simulation": "shop", "visitors": 1, "sessions": 4, "converted_sessions": 1,
    "conversion_percent": 25.0, "orders": 1, "revenue": "9.99", "average_order_value": "9.99",
    "bounce_percent": None, "abandonment_percent": None, "events_per_session": 2.0,
    "average_duration_seconds": 1.0,
}  # fmt: skip
_SESSION: dict[str, Any] = {
    "user_id": "u", "persona": "Buyer", "country": "DE", "city": "Bonn", "device": "mobile",
    "browser": "x", "channel": "direct", "started_at": _MOMENT, "last_event_at": _MOMENT,
    "entry_page": "/", "exit_page": "/", "events": 1, "pages": 1, "orders": 0, "revenue": "0.00",
    "value_left": "0.00", "duration_seconds": 0.0, "is_bounce": True, "is_converted": False,
    "is_abandoned": False, "is_final": True,
}  # fmt: skip


def _asked(
    tmp_path: Path,
    database: MemoryDatabase,
    path: str,
    live: Live | _Pulses | None = None,
    **parameters: str | int,
) -> httpx.Response:
    """Return the answer to one request."""
    app = application(
        Settings(postgres_host="localhost", postgres_password_file=tmp_path / "password")
    )
    app.state.database = database
    app.state.live = live

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(f"/api/v1/{path}", params=parameters)

    return asyncio.run(ask())


def _simulation(number: int) -> dict[str, Any]:
    return {
        "simulation": f"s{number}", "runs": 1, "run_id": _RUN, "first_seen_at": _MOMENT,
        "closed_at": None, "currency": None,
    }  # fmt: skip


@pytest.mark.parametrize(("rows", "next_offset"), [(2, None), (3, 12)])
def test_pages_name_the_next(tmp_path: Path, rows: int, next_offset: int | None) -> None:
    """The row more than the limit is not shown and says that there is a next page."""
    database = MemoryDatabase(ops_runs=[_simulation(number) for number in range(rows)])

    page = _asked(tmp_path, database, "simulations", limit=2, offset=10).json()

    assert [row["simulation"] for row in page["items"]] == ["s0", "s1"]
    assert page["next_offset"] == next_offset


@pytest.mark.parametrize(
    ("path", "view"),
    [
        ("kpis", "mart.kpis"), ("kpis/hourly", "mart.kpis_hour"), ("funnel", "mart.funnel"),
        ("traffic", "mart.traffic_minute"), ("products", "mart.top_products"),
        ("countries", "mart.dim_country"), ("devices", "initcap(device)"),
        ("channels", "initcap(replace(channel"), ("sessions", "mart.fact_sessions"),
        ("latency", "ops.latency"), ("integrity", "ops.integrity"), ("live", "ops.runs"),
        ("verification", "ops.runs"),
    ],
)  # fmt: skip
def test_unknown_simulations_are_not_found(tmp_path: Path, path: str, view: str) -> None:
    """Each route reads another view, and answers 404 if the simulation has no run."""
    database = MemoryDatabase()

    answer = _asked(tmp_path, database, path, simulation="shop")

    assert answer.status_code == 404
    assert answer.json() == {
        "detail": "no run of simulation shop is known; /api/v1/simulations lists them"
    }
    assert view in database.asked[0].sql


@pytest.mark.parametrize(
    ("path", "empty"),
    [
        ("kpis", None),
        ("kpis/hourly", {"items": [], "next_offset": None}),
        ("traffic", {"items": [], "next_offset": None}),
        ("products", {"items": [], "next_offset": None}),
        ("sessions", {"items": [], "next_cursor": None}),
        ("funnel", []),
        ("countries", []),
        ("devices", []),
        ("channels", []),
        ("latency", []),
    ],
)
def test_known_simulations_may_be_empty(tmp_path: Path, path: str, empty: object) -> None:
    """A run without sessions yet has empty answers and is no error."""
    answer = _asked(tmp_path, MemoryDatabase(ops_runs=_KNOWN), path, simulation="shop")

    assert (answer.status_code, answer.json()) == (200, empty)


def test_kpis_are_one_row(tmp_path: Path) -> None:
    """The shop's key figures are the view's row, with money as text."""
    database = MemoryDatabase(mart_kpis=[_KPIS])

    assert _asked(tmp_path, database, "kpis", simulation="shop").json() == _KPIS


def test_full_names_are_asked_for(tmp_path: Path) -> None:
    """A name with its namespace reaches the statement whole, whatever a URL makes of the slash."""
    database = MemoryDatabase(mart_kpis=[_KPIS])

    answer = _asked(tmp_path, database, "kpis", simulation="blue/shop")

    assert answer.request.url.query == b"simulation=blue%2Fshop"
    assert answer.status_code == 200
    assert database.asked[0].values == (("simulation", "blue/shop"),)


@pytest.mark.parametrize("rows", [2, 3])
def test_sessions_name_their_cursor(tmp_path: Path, rows: int) -> None:
    """The cursor of a page is its last session; the last page has none."""
    sessions = [{**_SESSION, "session_id": UUID(int=number)} for number in range(rows)]
    database = MemoryDatabase(mart_fact_sessions=sessions)

    page = _asked(tmp_path, database, "sessions", simulation="shop", limit=2).json()

    assert [row["session_id"] for row in page["items"]] == [str(UUID(int=at)) for at in range(2)]
    assert page["next_cursor"] == (Cursor.write(_MOMENT, UUID(int=1)) if rows == 3 else None)


def test_verification_is_the_operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A known simulation has the result that the operator knows, or null."""
    found = Verification(differences=3, verified_at=_MOMENT)

    async def known(_operator: Operator, simulation: str) -> Verification | None:
        return found if simulation == "load/shop" else None

    monkeypatch.setattr(Operator, "verification", known)
    database = MemoryDatabase(ops_runs=_KNOWN)

    shown = _asked(tmp_path, database, "verification", simulation="load/shop").json()
    assert shown == {"differences": 3, "verified_at": "2026-11-27T08:00:00Z"}
    assert _asked(tmp_path, database, "verification", simulation="other").json() is None


def test_integrity_adds_the_shards(tmp_path: Path) -> None:
    """The totals are the sums of the shards; a shard without rows yet counts as zero."""
    shard = {"run_id": _RUN, "sent_events": 10, "planted_losses": 1, "missing_events": 2}
    shard |= {"unconfirmed_events": 3}
    shards = [
        {**shard, "shard": 0, "stored_events": 7},
        {**shard, "shard": 1, "stored_events": None},
    ]
    totals = {"ledger": 20, "traffic": 7, "sessions": 7, "rejected_records": 4}
    database = MemoryDatabase(ops_integrity=shards)
    database.rows["counted"] = [{"figure": "events", **totals}]

    found = _asked(tmp_path, database, "integrity", simulation="shop").json()

    totals = {name: value for name, value in found.items() if isinstance(value, int)}
    assert totals == {
        "sent_events": 20, "planted_losses": 2, "stored_events": 7, "missing_events": 4,
        "unconfirmed_events": 6, "rejected_records": 4,
    }  # fmt: skip
    assert found["totals"] == [
        {"figure": "events", "ledger": "20", "traffic": "7", "sessions": "7"}
    ]
    assert [row["shard"] for row in found["shards"]] == [0, 1]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("kpis", {}),
        ("kpis", {"simulation": ""}),
        ("products", {"simulation": "shop", "sort": "price"}),
        ("simulations", {"limit": 501}),
        ("simulations", {"page": 1}),
    ],
)
def test_wrong_parameters_are_refused(
    tmp_path: Path, path: str, parameters: dict[str, Any]
) -> None:
    """A parameter out of bounds or unknown is an error, and the database is not asked."""
    database = MemoryDatabase()

    assert _asked(tmp_path, database, path, **parameters).status_code == 422
    assert database.asked == []


def _events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Return name and data of the events of a stream."""
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        assert fields["retry"] == "1000"
        found.append((fields["event"], json.loads(fields["data"])))
    return found


class _Pulses:
    """A live stream that ends by itself.

    Attributes:
        listeners: How many have been let in.
    """

    def __init__(self, *pulses: Pulse | DatabaseAway) -> None:
        self.listeners = 0
        self._pulses = pulses

    @contextmanager
    def listener(self, _peer: str) -> Iterator[None]:
        """Let everybody in."""
        self.listeners += 1
        yield

    async def pulses(self, _asked: OfSimulation) -> AsyncIterator[Pulse | DatabaseAway]:
        """Give each pulse once."""
        for pulse in self._pulses:
            yield pulse


def test_stream_names_its_events(tmp_path: Path) -> None:
    """A pulse and a database that is away are events of different names."""
    pulse = Pulse(
        at=_MOMENT, run_id=_RUN, closed_at=None, target_per_second=None, stored_per_second=None,
        stored_events=1, waiting_events=0, rejected_records=0, p50_seconds=None, p95_seconds=None,
        kpis=None,
    )  # fmt: skip
    live = _Pulses(pulse, DatabaseAway("has gone away"))
    database = MemoryDatabase(ops_runs=_KNOWN)

    answer = _asked(tmp_path, database, "live", live, simulation="shop")

    assert live.listeners == 1
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert _events(answer.text) == [
        ("pulse", pulse.model_dump(mode="json")),
        ("away", {"detail": "the database has gone away; try again soon"}),
    ]


def test_full_stream_is_refused(tmp_path: Path) -> None:
    """One listener too many is asked to come back."""
    database = MemoryDatabase(ops_runs=_KNOWN)
    live = Live(cast("Database", database), 0, 1, lambda _number: None)

    answer = _asked(tmp_path, database, "live", live, simulation="shop")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
