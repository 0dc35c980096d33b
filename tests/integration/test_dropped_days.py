"""Duplicates of events whose day was dropped count once, and hide no loss."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from batch_tasks import batch_task
from batches import write_batch
from clickstream_contract.ledger import LEDGER_COLUMNS
from clickstream_contract.topics import LEDGER
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.errors import DaysDropped
from clickstream_streaming.shell.portion_rows import lock_days
from clickstream_streaming.shell.portions import portions
from clickstream_streaming.shell.verification import run_checks
from databases import Database, batch_process
from kafka_records import records_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import ProcessPoolExecutor

pytestmark = pytest.mark.services

_RUN = "00000000-0000-8000-8000-000000000001"
_OLD, _KEPT = "2020-01-01T12:00:00.000Z", "2020-01-02T12:00:00.000Z"
_DROP = "SELECT ops.drop_event_partitions('2020-01-02')"
_SHARD = (
    "SELECT stored_events, dropped_events, expired_events, dropped_numbers::text FROM ops.shards"
)
_SUMS = """
SELECT (SELECT count(*) FROM raw.events), (SELECT sum(events) FROM mart.traffic_day),
    (SELECT sum(events) FROM mart.sessions), (SELECT sum(stored_events) FROM ops.shards)
"""


@pytest.fixture
def worker() -> Iterator[ProcessPoolExecutor]:
    """A process that writes several batches and remembers their days."""
    with batch_process() as process:
        yield process


def _event(number: int, moment: str) -> bytes:
    """Return an event of one shard in a separate session, with ids made from its number."""
    event = sample_event("page_view") | {
        "event_id": f"00000000-0000-8000-8000-{number:012d}",
        "session_id": f"00000000-0000-8000-9000-{number:012d}",
        "run_id": _RUN,
        "shard": 0,
        "shard_seq": number,
        "event_time": moment,
        "sent_at": moment,
    }
    return json.dumps(event).encode()


def _events(moment: str, *numbers: int) -> list[bytes]:
    return [_event(number, moment) for number in numbers]


def _ledger(last: int) -> list[bytes]:
    """Return the ledger of a shard that has ended at a number."""
    row = dict.fromkeys((field.name for field in LEDGER_COLUMNS), 0) | {
        "simulation": "shop",
        "run_id": _RUN,
        "shards": 1,
        "minute": _OLD,
        "shard_seq": last,
        "records_acknowledged": last,
    }
    return [json.dumps(row | {"kind": kind}).encode() for kind in ("minute", "shard_end")]


def _lost(database: Database) -> int:
    with database.owner, database.owner.cursor() as cursor:
        return int(run_checks(cursor).lost)


def _write(
    worker: ProcessPoolExecutor, database: Database, batch_id: int, records: list[bytes]
) -> dict[str, Any]:
    return worker.submit(write_batch, database.settings, records, batch_id).result()


def test_replay_of_dropped_day_is_rejected(database: Database, worker: ProcessPoolExecutor) -> None:
    """Duplicates of dropped events change no figure, nor does a second drop of their day."""
    records = [*_events(_OLD, 1, 2, 3), *_events(_KEPT, 4)]
    _write(worker, database, 0, records)
    database.ask(_DROP)
    before = database.ask(_SUMS)

    outcome = _write(worker, database, 1, records)
    database.ask(_DROP)

    assert (outcome["stored"], outcome["duplicates"]) == (0, 1)
    assert outcome["rejects"] == {"day_dropped": 3}
    assert before == (1, 4, 4, 4)
    assert database.ask(_SUMS) == before
    assert database.ask(_SHARD) == (4, 3, 0, "{[1,4)}")
    assert database.ask(
        "SELECT count(*), min(rule), sum(length(payload)) FROM ops.rejected_events"
    ) == (3, "event_time.day_dropped", sum(map(len, records[:3])))


def test_replay_hides_no_loss(database: Database, worker: ProcessPoolExecutor) -> None:
    """A lost event of a kept day is reported, despite duplicates of a dropped day."""
    old = _events(_OLD, 1, 2, 3)
    _write(worker, database, 0, [*old, *_events(_KEPT, 4, 6)])  # 5 is lost
    database.write(_ledger(6), LEDGER.name)
    database.ask(_DROP)

    for batch_id in (1, 2):
        _write(worker, database, batch_id, old)
        database.ask(_DROP)

    assert _lost(database) == 1


def test_late_event_of_dropped_day(database: Database, worker: ProcessPoolExecutor) -> None:
    """An event that arrives after its day was dropped is a reject, and its run can be closed."""
    _write(worker, database, 0, [*_events(_OLD, 1), *_events(_KEPT, 3)])
    database.write(_ledger(3), LEDGER.name)
    database.ask(_DROP)
    lost_before = _lost(database)

    for batch_id in (1, 2):
        _write(worker, database, batch_id, _events(_OLD, 2))
    assert database.close_runs() == 1

    assert lost_before == 1
    assert database.ask(_SHARD) == (2, 1, 1, "{[1,3)}")
    assert _lost(database) == 0
    assert database.ask("SELECT missing_events, surplus_events FROM ops.reconciliation") == (0, 0)
    assert database.ask("SELECT closed_at IS NOT NULL FROM ops.runs") == (True,)


def test_number_is_dropped_once(database: Database, worker: ProcessPoolExecutor) -> None:
    """Two rows of one number, which is a defect, are one number when their day is dropped."""
    copy = json.loads(_event(1, "2020-01-01T13:00:00.000Z"))
    _write(worker, database, 0, [*_events(_OLD, 1), json.dumps(copy).encode()])

    database.ask(_DROP)

    assert database.ask(_SHARD) == (2, 1, 0, "{[1,2)}")


def test_dropped_stored_number_counts_once(database: Database, worker: ProcessPoolExecutor) -> None:
    """A number that was dropped and is stored on a kept day too does not replace a lost one."""
    _write(worker, database, 0, [*_events(_OLD, 1), *_events(_KEPT, 3)])  # 2 is lost
    database.write(_ledger(3), LEDGER.name)
    database.ask(_DROP)

    _write(worker, database, 1, _events(_KEPT, 1))

    assert _lost(database) == 1


def test_day_dropped_meanwhile_is_refused(database: Database) -> None:
    """Events that were validated before their day was dropped are not stored after it."""
    records = [records_of(_events(_OLD, 1))]
    (read,) = portions(batch_task(database.settings), records, lambda: None)
    database.ask("SELECT ops.ensure_event_partitions('2020-01-01', '2020-01-01')")
    database.ask(_DROP)

    with (
        database.owner,
        database.owner.cursor() as cursor,
        pytest.raises(DaysDropped, match="days before 2020-01-02 were dropped"),
    ):
        lock_days(cursor, read)
