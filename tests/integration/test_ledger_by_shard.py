"""The totals of the ledger: always those of its rows, and all that live queries read of it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from clickstream_console.core import questions
from clickstream_console.core.parameters import OfSimulation
from clickstream_contract.ledger import LEDGER_COLUMNS
from clickstream_streaming.core.sql.batch_steps import CLOSE_RUNS, LEDGER_STEPS
from clickstream_streaming.core.sql.ledger_by_shard import LEDGER_BY_SHARD
from clickstream_streaming.core.sql.stages import CLEAR_STAGES, CREATE_STAGES
from clickstream_streaming.shell.rebuild import rebuild
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ledger_totals import replace_totals
from plans import rows_read
from psycopg2.extras import Json

if TYPE_CHECKING:
    from databases import Database
    from psycopg2.extensions import cursor as Cursor

pytestmark = pytest.mark.services

_RUN = str(UUID(int=7, version=4))
_NO_FIGURES = dict.fromkeys((row.name for row in LEDGER_COLUMNS), 0) | {
    "kind": "minute",
    "simulation": "shop",
    "run_id": _RUN,
    "shards": 2,
    "read_at": "2026-01-01T00:00:00Z",
}

Entry = dict[str, object]


def _entry(shard: int, minute: int, events: int, lost: int, number: int) -> Entry:
    return _NO_FIGURES | {
        "shard": shard,
        "minute": f"2026-01-01T12:0{minute}:00.000Z",
        "events": events,
        "purchase_events": events,
        "revenue_minor": (2**63 - 1) * events,
        "lost_faults": lost,
        "shard_seq": number,
    }


_FEW = st.integers(0, 2)
_ENTRIES = st.builds(_entry, st.integers(0, 1), _FEW, st.integers(0, 1), _FEW, st.integers(0, 9))
_LOWER = [[_entry(0, 0, 0, 0, 5)], [_entry(0, 1, 0, 0, 9)], [_entry(0, 1, 1, 0, 4)]]
"""The third batch replaces the highest number of the shard by a lower one."""
_REPEATED = [[_entry(0, 0, 1, 1, 2)], [_entry(0, 0, 1, 1, 2)]]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batches=st.lists(st.lists(_ENTRIES, max_size=4), max_size=5))
@example(batches=_LOWER)
@example(batches=_REPEATED)
def test_totals_follow_every_batch(database: Database, batches: list[list[Entry]]) -> None:
    """Whatever entries come, in whatever order and however often, the check finds no difference."""
    database.owner.rollback()  # the example before
    with database.owner.cursor() as cursor:
        cursor.execute("SET LOCAL clickstream.seals = 'on'")
        for batch in batches:
            _add(cursor, batch)
            cursor.execute(LEDGER_BY_SHARD.query, {})
            different = cursor.fetchall()
            assert different == []


def _add(cursor: Cursor, entries: list[Entry]) -> None:
    """Store ledger entries as a batch does."""
    cursor.execute(CREATE_STAGES)
    cursor.execute(CLEAR_STAGES)
    for entry in entries:
        cursor.execute("INSERT INTO staged_ledger VALUES (%s)", (json.dumps(entry),))
    for step in LEDGER_STEPS:
        cursor.execute(step)


def test_ledger_waits_for_no_event(database: Database) -> None:
    """Entries are stored while another transaction has their shards' states locked."""
    _store(database, 3)
    with closing(database.connect()) as other, other.cursor() as locking:
        locking.execute("SELECT FROM ops.shard_states FOR UPDATE")
        with database.owner, database.owner.cursor() as cursor:
            cursor.execute("SET LOCAL clickstream.seals = 'on'; SET LOCAL lock_timeout = '1s'")
            _add(cursor, [_entry(0, 3, 1, 1, 5)])
            cursor.execute(_INTEGRITY)
            assert cursor.fetchall() == [(5, 4), (3, 3)]


_INTEGRITY = "SELECT sent_events, planted_losses FROM ops.integrity ORDER BY shard"
_WRONG = """
UPDATE ops.ledger_by_shard SET lost_faults = lost_faults + 1, shard_seq = 77 WHERE shard = 0;
DELETE FROM ops.ledger_by_shard WHERE shard = 1;
INSERT INTO ops.ledger_by_shard SELECT (jsonb_populate_record(one, '{"shard": 2}')).*
FROM ops.ledger_by_shard AS one
"""


def test_rebuild_replaces_wrong_totals(database: Database) -> None:
    """A total that is wrong, missing or of no shard is a defect until a rebuild replaces it."""
    _store(database, 3)
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute(_INTEGRITY)
        before = cursor.fetchall()
        cursor.execute(_WRONG)
        cursor.execute(LEDGER_BY_SHARD.query, {})
        defects = cursor.rowcount
    changes = [rebuild(database.owner)["ops.ledger_by_shard"] for _ in range(2)]
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute(_INTEGRITY)
        after = cursor.fetchall()

    assert before == [(3, 3), (3, 3)]
    assert (defects, changes, after) == (3, [3, 0], before)


_ASKED = OfSimulation(simulation="shop")
_TOTALS, _PULSE = questions.totals(_ASKED), questions.pulse(_ASKED)
_LIVE = {
    "reconciliation": ("TABLE ops.reconciliation", {}, 0),
    "integrity": ("TABLE ops.integrity", {}, 0),
    "end of a run": (CLOSE_RUNS, {"run_ids": [_RUN]}, 0),
    "totals of the console": (_TOTALS.sql, dict(_TOTALS.values), 0),
    "pulse of the console": (_PULSE.sql, dict(_PULSE.values), 2),
}
"""Live queries, their values, and how many of the ledger's rows they may read: one a shard."""


@pytest.mark.parametrize("name", _LIVE)
def test_live_queries_need_no_ledger(database: Database, name: str) -> None:
    """The ledger grows with its run; the cost of a look at the run must not."""
    statement, values, most = _LIVE[name]
    _store(database, 3_000)
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute("ANALYZE")
        assert rows_read(cursor, statement, values, "ops.ledger") == most
        assert 0 < rows_read(cursor, statement, values, "ops.ledger_by_shard") <= 4


_ENDED = """
INSERT INTO ops.runs (run_id, simulation) VALUES (%(run_id)s, 'shop');
INSERT INTO ops.shard_states (run_id, shard, simulation, shards, end_shard_seq)
SELECT %(run_id)s, shard, 'shop', 2, %(minutes)s FROM generate_series(0, 1) AS shard;
INSERT INTO ops.ledger SELECT (jsonb_populate_record(NULL::ops.ledger, %(entry)s
    || jsonb_build_object('shard', shard, 'shard_seq', number, 'lost_faults', 1,
        'minute', timestamptz '2026-01-01 00:00+00' + number * interval '1 minute'))).*
FROM generate_series(0, 1) AS shard, generate_series(1, %(minutes)s) AS number
"""


def _store(database: Database, minutes: int) -> None:
    """Store the ledger of a run of two shards that has ended, with a planted loss each minute."""
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute("SET LOCAL clickstream.seals = 'on'")
        cursor.execute(_ENDED, {"run_id": _RUN, "minutes": minutes, "entry": Json(_NO_FIGURES)})
        replace_totals(cursor)
