"""Marts equal their definitions for any accepted records in any order."""

from __future__ import annotations

import json
import random
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from batches import write_batch
from clickstream_streaming.core.pieces import pieces_of
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.core.sql.checks import CHECKS
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.shell import rebuild as rebuild_module
from clickstream_streaming.shell.rebuild import rebuild
from databases import batch_process
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kafka_records import line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import ProcessPoolExecutor

    from databases import Database

pytestmark = pytest.mark.services

_NAMES = ("session_start", "page_view", "view_item", "add_to_cart", "remove_from_cart", "purchase")
_TABLES = ", ".join(
    [
        "raw.events", *(mart.written_table for mart in MARTS), "ops.batches", "ops.runs",
        "ops.shard_states", "ops.shard_events_by_writer", "ops.latency_buckets_by_writer",
        "ops.quality_minute_by_writer",
    ]
)  # fmt: skip


def _ids(first: int, count: int) -> st.SearchStrategy[str]:
    return st.integers(first, first + count - 1).map(lambda number: str(UUID(int=number)))


_TIMES = st.sampled_from(
    [f"2020-01-0{day}T{clock}.000Z" for day in (1, 2) for clock in ("12:10:00", "12:50:00")]
    + ["2020-01-01T23:59:59.999Z", "2020-01-02T00:00:00.000Z"]
)
_LINES = st.lists(
    st.builds(
        line,
        product_id=st.sampled_from(["A", "B", "C"]),
        quantity=st.integers(1, 2),
        price_minor=st.integers(0, 1),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda row: row["product_id"],
)
_EVENTS = st.fixed_dictionaries(
    {
        "event_name": st.sampled_from(_NAMES),
        "event_id": _ids(100, 12),
        "session_id": _ids(200, 3),
        "event_time": _TIMES,
        "session_seq": st.integers(1, 3),
        "user_id": st.sampled_from(["anon", "login", "other"]),
        "simulation": st.sampled_from(["shop", "shop", "mall"]),
        "country": st.sampled_from(["DE", "NO"]),
        "device": st.sampled_from(["mobile", "desktop"]),
        "channel": st.sampled_from(["direct", "email"]),
        "page": st.sampled_from(["/", "/p/A", "/cart"]),
    },
    optional={
        "persona": st.sampled_from(["Buyer", "Bot"]),
        "city": st.sampled_from(["Berlin", "Oslo"]),
        "run_id": _ids(300, 2),
        "campaign": st.sampled_from(["spring", "summer"]),
        "session_number": st.integers(1, 2),
        "product_id": st.sampled_from(["A", "B"]),
        "product_name": st.sampled_from(["Bowl", "Vase"]),
        "order_id": _ids(400, 2),
        "items": _LINES,
        "value_minor": st.integers(0, 3),
    },
)
"""Few values of each field, so that sessions, users, orders and events meet again and again."""


def _record(values: dict[str, Any]) -> bytes:
    """Return an event with these values; its other fields are those of a sample."""
    return json.dumps(sample_event(values["event_name"]) | values).encode()


@pytest.fixture
def writer() -> Iterator[ProcessPoolExecutor]:
    """Return a process that writes batches."""
    with batch_process() as pool:
        yield pool


def _store(database: Database, writer: ProcessPoolExecutor, batches: list[list[bytes]]) -> None:
    """Write batches into empty tables."""
    database.ask(f"TRUNCATE {_TABLES}; SELECT 1")
    for batch_id, records in enumerate(batches):
        outcome = writer.submit(write_batch, database.settings, records, batch_id).result()
        assert outcome["rejects"] == {}
        assert outcome["stored"] + outcome["duplicates"] == len(records)


def _differing(database: Database) -> list[tuple[str, str]]:
    """Return the differences between marts and definitions: the check and the row."""
    found = []
    with database.owner, database.owner.cursor() as cursor:
        for check in CHECKS[: [check.name for check in CHECKS].index("content of events")]:
            if check.name.endswith("by its definition"):
                cursor.execute(check.query, {})
                found += [(check.name, row[0]) for row in cursor.fetchall()]
    return found


def _assert_definitions(
    database: Database,
    writer: ProcessPoolExecutor,
    events: list[dict[str, Any]],
    cuts: set[int],
) -> None:
    """Assert that the events, stored in batches that end at the cuts, make right marts."""
    records = [_record(values) for values in events]
    bounds = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]

    _store(database, writer, [records[start:end] for start, end in pairwise(bounds)])

    assert _differing(database) == []
    changed = rebuild(database.owner)
    assert changed == dict.fromkeys(changed, 0)


_ANY = {
    "events": st.lists(_EVENTS, min_size=1, max_size=12),
    "cuts": st.sets(st.integers(1, 11), max_size=4),
}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**_ANY)
def test_marts_keep_their_definitions(
    database: Database, writer: ProcessPoolExecutor, events: list[dict[str, Any]], cuts: set[int]
) -> None:
    """After any batches of accepted events each mart has the rows of its definition."""
    _assert_definitions(database, writer, events, cuts)


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**_ANY)
def test_many_marts_keep_their_definitions(
    database: Database, writer: ProcessPoolExecutor, events: list[dict[str, Any]], cuts: set[int]
) -> None:
    """The same with more examples."""
    _assert_definitions(database, writer, events, cuts)


def _rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of each mart, without rows whose sums are all 0."""
    found = {}
    with database.owner, database.owner.cursor() as cursor:
        for mart in MARTS:
            sums = " OR ".join(f"{name} <> 0" for name in mart.values) if mart.is_sum else "true"
            columns = ", ".join(mart.columns)
            cursor.execute(f"SELECT {columns} FROM {mart.table} WHERE {sums} ORDER BY {columns}")  # noqa: S608
            found[mart.table] = cursor.fetchall()
    return found


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(_EVENTS, min_size=2, max_size=10, unique_by=lambda row: row["event_id"]),
    seed=st.integers(0, 2**32),
)
def test_order_of_arrival_is_irrelevant(
    database: Database, writer: ProcessPoolExecutor, events: list[dict[str, Any]], seed: int
) -> None:
    """The same events give the same marts in any order and any batches."""
    records = [_record(values) for values in events]
    _store(database, writer, [records])
    wanted = _rows(database)
    random.Random(seed).shuffle(records)  # noqa: S311  no secret

    _store(database, writer, [[record] for record in records])

    assert _rows(database) == wanted


_FALSE_VALUES = {
    "text": "{0} || 'x'",
    "integer": "{0} + 1",
    "bigint": "{0} + 1",
    "timestamp with time zone": "{0} - interval '1 hour'",
}


def _falsify(database: Database, seed: int) -> None:
    """Delete some rows of each mart, change the values of others, and the key of others."""
    with database.owner, database.owner.cursor() as cursor:
        for mart in MARTS:
            cursor.execute(
                "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attnum > 0 AND attgenerated = ''",
                (mart.written_table,),
            )
            types = dict(cursor.fetchall())
            texts = [name for name in mart.key if types[name] == "text"]
            others = [name for name in mart.values if types[name] in _FALSE_VALUES]
            some = f"WHERE abs(hashtext(one::text || '{seed}')) % 5 ="
            cursor.execute(f"DELETE FROM {mart.written_table} AS one {some} 0")  # noqa: S608
            for part, names in enumerate(filter(None, (texts, others)), start=1):
                changes = ", ".join(
                    f"{name} = {_FALSE_VALUES[types[name]].format(name)}" for name in names
                )
                cursor.execute(f"UPDATE {mart.written_table} AS one SET {changes} {some} {part}")  # noqa: S608


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rebuilds compute each day by itself."""
    monkeypatch.setattr(rebuild_module, "pieces_of", partial(pieces_of, least_bytes=0))


@pytest.mark.usefixtures("small_pieces")
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**_ANY, seed=st.integers(0, 2**32))
def test_falsified_marts_are_rebuilt(
    database: Database,
    writer: ProcessPoolExecutor,
    events: list[dict[str, Any]],
    cuts: set[int],
    seed: int,
) -> None:
    """A rebuild day by day gives the same rows as before, whatever is changed or gone."""
    _assert_definitions(database, writer, events, cuts)
    wanted = _rows(database)
    _falsify(database, seed)

    rebuild(database.owner)

    assert _rows(database) == wanted
    assert set(rebuild(database.owner).values()) == {0}


_SESSION = {
    "session_id": str(UUID(int=201)),
    "event_time": "2020-01-01T12:10:00.000Z",
    "country": "DE",
}
_ORDER = {"event_name": "purchase", "order_id": str(UUID(int=401)), "session_id": str(UUID(int=5))}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(
            [
                {**_SESSION, "event_name": "page_view", "session_seq": 2, "user_id": "login"},
                {**_SESSION, "event_name": "page_view", "session_seq": 1, "user_id": "anon"},
            ],
            id="login mid session",
        ),
        pytest.param(
            [
                {**_SESSION, "event_name": "session_start", "session_number": 2, "campaign": "b"},
                {**_SESSION, "event_name": "session_start", "session_number": 1, "campaign": "a"},
            ],
            id="two session starts",
        ),
        pytest.param(
            [
                {**_ORDER, "event_time": "2020-01-01T12:10:00.000Z", "items": [line(quantity=2)]},
                {
                    **_ORDER,
                    "event_time": "2020-01-01T12:09:00.000Z",
                    "items": [line(product_id="A"), line(product_id="B")],
                },
            ],
            id="an order twice",
        ),
        pytest.param(
            [
                {
                    **_ORDER,
                    "event_time": "2020-01-02T12:10:00.000Z",
                    "items": [line(product_id="A")],
                },
                {
                    **_ORDER,
                    "event_time": "2020-01-01T12:10:00.000Z",
                    "items": [line(product_id="B")],
                },
            ],
            id="an order on two days",
        ),
        pytest.param(
            [{**_SESSION, "event_name": "page_view", "product_id": "zzz"}],
            id="a page view that names a product",
        ),
    ],
)
@pytest.mark.usefixtures("small_pieces")
def test_odd_session_keeps_definitions(
    database: Database, writer: ProcessPoolExecutor, events: list[dict[str, Any]]
) -> None:
    """Changing sessions and orders leave marts that equal their definitions."""
    records = [
        _record({"event_id": str(UUID(int=500 + number)), **values})
        for number, values in enumerate(events)
    ]

    _store(database, writer, [[record] for record in records])

    assert _differing(database) == []
    assert set(rebuild(database.owner).values()) == {0}


def test_sessions_are_the_first_events(database: Database, writer: ProcessPoolExecutor) -> None:
    """A session whose user logs in is the first event's; both are users of the hour."""
    events: list[dict[str, Any]] = [
        {"event_name": "page_view", "session_seq": 2, "user_id": "login", "event_id": 2},
        {"event_name": "page_view", "session_seq": 1, "user_id": "anon", "event_id": 1},
    ]
    records = [
        _record(_SESSION | values | {"event_id": str(UUID(int=500 + values["event_id"]))})
        for values in events
    ]

    _store(database, writer, [[record] for record in records])

    assert database.ask("SELECT array_agg(user_id) FROM mart.sessions") == (["anon"],)
    assert database.ask("SELECT array_agg(user_id) FROM mart.dim_user") == (["anon"],)
    assert database.ask("SELECT visitors FROM mart.visitors_hour") == (2,)


def test_earliest_event_of_an_order_counts(database: Database, writer: ProcessPoolExecutor) -> None:
    """An earlier event with the same order replaces its lines and pairs, a later one does not."""
    records = [
        _record(
            _ORDER
            | {
                "event_id": str(UUID(int=500 + number)),
                "event_time": f"2020-01-01T{clock}:00.000Z",
                "items": [line(product_id=name) for name in products],
            }
        )
        for number, (clock, products) in enumerate(
            (("12:10", "AB"), ("12:05", "BCD"), ("12:20", "E"))
        )
    ]

    _store(database, writer, [[record] for record in records])

    assert database.ask(
        "SELECT string_agg(product_id, '' ORDER BY product_id) FROM mart.fact_order_items"
    ) == ("BCD",)
    assert database.ask(
        "SELECT string_agg(product_a || product_b, ' ' ORDER BY product_a, product_b)"
        " FROM mart.product_pairs WHERE orders <> 0"
    ) == ("BC BD CD",)
    assert database.ask("SELECT event_id::text FROM mart.fact_orders") == (str(UUID(int=501)),)
