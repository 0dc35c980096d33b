"""Two namespaces with simulations of one name and one seed, in one database: each has its figures.

No Kafka and no Spark: the generator's own events and ledger go to the stream's own writer.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from clickstream_console.core import questions
from clickstream_console.core.parameters import (
    LatencyAsked,
    OfSimulation,
    Paged,
    ProductsAsked,
    SessionsAsked,
    Since,
    TimelineAsked,
)
from clickstream_contract.document import parse_simulation
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_generator.core.shard_ledger import ShardLedger, tally_events
from clickstream_generator.core.simulator import Simulator
from clickstream_streaming.shell.rebuild import rebuild
from clickstream_streaming.shell.verification import run_checks
from psycopg2.extras import RealDictCursor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickstream_console.core.questions import Question
    from databases import Database, DatabaseServer

pytestmark = pytest.mark.services

_DAY_SECONDS = 86_400
_EVENTS = 2_000
_RUNS = {"blue/shop": UUID(int=1, version=4), "red/shop": UUID(int=2, version=4)}
_TEXT = f"""
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {{{{name: shop, namespace: {{namespace}}}}}}
spec:
  seed: 7
  rate: {{{{eventsPerSecond: 2}}}}
  userMix: [{{{{persona: Hurried, weight: 900}}}}, {{{{persona: Bot, weight: 100}}}}]
  personas: [{{{{name: Hurried, basedOn: Buyer, thinkMedianMilliseconds: 5000}}}}]
  users: 60
  catalog: {{{{products: 12, categories: 3}}}}
  shards: 2
  stopAfter: {{{{events: {_EVENTS}}}}}
"""
_OWN = {"simulation", "run_id", "session_id", "order_id", "first_seen_at", "closed_at", "at"}
"""Columns in which two runs that behave alike differ: names, ids and times of the stream."""
_QUESTIONS = {
    "kpis": questions.kpis,
    "hours": lambda asked: questions.hours(TimelineAsked(simulation=asked.simulation)),
    "funnel": questions.funnel,
    "minutes": lambda asked: questions.minutes(TimelineAsked(simulation=asked.simulation)),
    "products": lambda asked: questions.products(ProductsAsked(simulation=asked.simulation)),
    "countries": lambda asked: questions.segments(
        questions.COUNTRIES, Since(simulation=asked.simulation)
    ),
    "sessions": lambda asked: questions.sessions(SessionsAsked(simulation=asked.simulation)),
    "shards": questions.shards,
    "totals": questions.totals,
}


def _sent(name: str, start_seconds: float) -> tuple[list[bytes], list[bytes]]:
    """Return the events and the ledger of a run that has ended."""
    wanted = parse_simulation(_TEXT.format(namespace=name.partition("/")[0]))
    run_id = _RUNS[name]
    source = Simulator(wanted, (0, 1), run_id)
    source.begin(start_seconds)
    events = source.take_due(start_seconds + _DAY_SECONDS, 10**9)
    encoded = source.encoder.encode(events, int((start_seconds + _DAY_SECONDS) * 1_000))
    ledgers = {number: ShardLedger(number, len(source.shards)) for number in source.shards}
    for (number, minute_ms), figures in tally_events(events.rows, encoded.checksums).items():
        ledgers[number].add(minute_ms, figures)
    entries = []
    for number, ledger in ledgers.items():
        ledger.shard_seq = source.shards[number].made
        ledger.records_sent = ledger.records_acknowledged = ledger.shard_seq
        entries += ledger.records(wanted.full_name, run_id, 0, 0, is_end=True)
    return encoded.values, [json.dumps(row).encode() for row in entries]


@pytest.fixture(scope="module")
def stored(database_server: DatabaseServer) -> Iterator[Database]:
    """Return a database with an ended run of each namespace: they began at once, in one batch."""
    start_seconds = time.time() - 2 * _DAY_SECONDS
    sent = [_sent(name, start_seconds) for name in _RUNS]
    with database_server.database() as database:
        for topic, shares in zip((EVENTS, LEDGER), zip(*sent, strict=True), strict=True):
            outcome = database.write([record for share in shares for record in share], topic.name)
            assert outcome["rejects"] == {}
        database.ask("SELECT mart.refresh_summaries()")
        assert database.close_runs() == len(_RUNS)
        yield database


def _answers(database: Database, question: Question) -> list[dict[str, Any]]:
    with database.owner, database.owner.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(question.sql, dict(question.values))
        return [dict(row) for row in cursor.fetchall()]


def _alike(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without what differs between two runs that behave alike."""
    return [{key: row[key] for key in row.keys() - _OWN} for row in rows]


def test_figures_are_separate(stored: Database) -> None:
    """Each namespace has its events, sessions, users and revenue; no figure has both."""
    counts = """
    SELECT (SELECT sum(events) FROM mart.traffic_day WHERE simulation = %(name)s),
        (SELECT count(*) FROM mart.fact_sessions WHERE simulation = %(name)s),
        (SELECT count(*) FROM mart.dim_user WHERE simulation = %(name)s),
        (SELECT visitors FROM mart.kpis WHERE simulation = %(name)s),
        (SELECT sum(value_minor) FROM mart.fact_orders WHERE simulation = %(name)s)
    """
    truth = """
    SELECT count(*), count(DISTINCT session_id), count(DISTINCT user_id),
        count(DISTINCT user_id), sum(value_minor) FILTER (WHERE event_name = 'purchase')
    FROM raw.events WHERE run_id = %(run)s
    """
    found = {}
    with stored.owner, stored.owner.cursor() as cursor:
        for name, run_id in _RUNS.items():
            cursor.execute(counts, {"name": name})
            found[name] = cursor.fetchone()
            cursor.execute(truth, {"run": str(run_id)})
            assert found[name] == cursor.fetchone()

    assert found["blue/shop"] == found["red/shop"]
    assert found["blue/shop"] is not None
    assert found["blue/shop"][0] == _EVENTS
    assert stored.ask("SELECT count(*) FROM mart.kpis") == (2,)


@pytest.mark.parametrize("asked", _QUESTIONS)
def test_console_answers_for_one(stored: Database, asked: str) -> None:
    """Runs that behave alike have equal figures, and neither has the other's rows."""
    blue, red = (
        _answers(stored, _QUESTIONS[asked](OfSimulation(simulation=name))) for name in _RUNS
    )

    assert len(blue) == len(red) > 0
    assert _alike(blue) == _alike(red)
    for rows, name in ((blue, "blue/shop"), (red, "red/shop")):
        assert {row.get("simulation", name) for row in rows} == {name}


def test_console_lists_both(stored: Database) -> None:
    """The list of simulations has both full names, each with one run."""
    rows = _answers(stored, questions.simulations(Paged()))

    assert {(row["simulation"], row["runs"]) for row in rows} == {("blue/shop", 1), ("red/shop", 1)}


def test_latency_is_of_one(stored: Database) -> None:
    """The latency of a simulation is that of its run."""
    for name, run_id in _RUNS.items():
        rows = _answers(stored, questions.latency(LatencyAsked(simulation=name)))

        assert [(row["run_id"], row["events"]) for row in rows] == [(str(run_id), _EVENTS)]


def test_ga4_tells_users_apart(stored: Database) -> None:
    """In GA4's terms each simulation is a stream: one user id in two of them is two users."""
    users, streams, ids = stored.ask(
        "SELECT count(DISTINCT (stream_id, user_id)), count(DISTINCT stream_id),"
        " count(DISTINCT user_id) FROM mart.ga4_events"
    )

    assert (users, streams) == (2 * ids, 2)


def test_verification_is_clean(stored: Database) -> None:
    """Every table proves right with both in it, and a rebuild changes none of them."""
    with stored.owner, stored.owner.cursor() as cursor:
        report = run_checks(cursor)

    assert report.examples == ()
    assert report.is_clean()
    assert set(rebuild(stored.owner).values()) == {0}
