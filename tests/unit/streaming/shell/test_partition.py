"""The task that writes a partition: its statements, their order, and its counts."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import psycopg2
import pyarrow as pa
import pytest
from batch_tasks import NO_PROCESS, UNTIL, batch_task
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.core.sql.batch_steps import (
    COUNT_BATCH,
    COUNT_EXPIRED,
    COUNT_SHARDS,
    KEPT_SINCE,
    LOCK_DAYS,
    LOCK_ROWS,
    LOCK_ROWS_SHARED,
    STORED_AT,
)
from clickstream_streaming.errors import (
    CheckpointBehindDatabase,
    DatabaseBehindCheckpoint,
    DatabaseUnreachable,
    DaysDropped,
)
from clickstream_streaming.shell import partition as module
from clickstream_streaming.shell import portions, retry
from clickstream_streaming.shell.batch import LATENCY_BOUNDS_SECONDS
from clickstream_streaming.shell.partition import write_partition
from kafka_records import ARRIVED, FIRST_OFFSET, PARTITION, changed, ledger_record, records_of
from psycopg2 import errors
from scripted_database import Answer, ScriptedDatabase
from stream_settings import SAMPLE_DAYS, stream_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from clickstream_streaming.shell.batch import BatchTask

CLAIM = "INSERT INTO ops.batches"
NOON = datetime(2020, 1, 31, 12, tzinfo=UTC)
CLAIMED: dict[str, Answer] = {CLAIM: [(1,)], STORED_AT: [(NOON,)]}
EVENT_TIME = NOON.timestamp()
RUN_ID, SHARD = (sample_event("page_view")[name] for name in ("run_id", "shard"))


def _event(number: int, **values: object) -> bytes:
    """Return a valid event with a unique id and number."""
    event_id = f"00000000-0000-8000-8000-{number:012}"
    return changed(event_id=event_id, shard_seq=number, **values)


class _Worker:
    """A new worker process with scripted databases."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.writer = module.PartitionWriter()
        monkeypatch.setattr(module, "_process_writer", lambda: self.writer)
        monkeypatch.setattr(retry, "RETRY_SECONDS", 0.0)
        monkeypatch.setattr(module, "connect", lambda _: self._connect())
        self.task = batch_task(stream_settings(folder, OLDEST_EVENT_DAYS=str(SAMPLE_DAYS)))
        self.answers: list[Mapping[str, Answer]] = [CLAIMED]
        self.opened: list[ScriptedDatabase] = []

    def _connect(self) -> ScriptedDatabase:
        self.opened.append(
            ScriptedDatabase(self.answers[min(len(self.opened), len(self.answers) - 1)])
        )
        return self.opened[-1]

    @property
    def database(self) -> ScriptedDatabase:
        """The database of the last connection."""
        return self.opened[-1]

    def write(
        self, *values: bytes | None, topic: str = EVENTS.name, task: BatchTask | None = None
    ) -> dict[str, Any]:
        """Write a batch of these records and return its outcome."""
        (answer,) = write_partition(task or self.task, [records_of(values, topic)])
        outcome: dict[str, Any] = json.loads(answer["outcome"][0].as_py())
        return outcome

    def copied(self) -> list[str]:
        """Return the tables that got rows by COPY, in order."""
        return [statement.split(" (")[0] for statement, _ in self.database.copied]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> _Worker:
    """A new worker."""
    return _Worker(monkeypatch, tmp_path)


def test_no_records_need_no_database(worker: _Worker) -> None:
    """A partition without records has no outcome, and writes nothing."""
    empty: Iterable[Any] = [records_of([])]

    assert list(write_partition(worker.task, empty)) == []
    assert list(write_partition(worker.task, [])) == []
    assert worker.opened == []


def test_new_events_are_counted(worker: _Worker) -> None:
    """The outcome has partition, counts, and the latest event and arrival time."""
    outcome = worker.write(_event(1), _event(2), b"x", None)

    expected = {
        "topic": EVENTS.name,
        "partition": PARTITION,
        "rows": 4,
        "stored": 2,
        "duplicates": 0,
        "late": 0,
        "rejects": {"not_json": 1, "no_value": 1},
        "max_event_times": [[RUN_ID, SHARD, EVENT_TIME]],
        "run_ids": [RUN_ID],
        "arrived_at": ARRIVED.timestamp(),
        "is_repeated": False,
    }
    assert {name: outcome[name] for name in expected} == expected
    assert outcome["read_seconds"] >= 0
    assert outcome["write_seconds"] >= 0


def test_batches_of_task_are_one(worker: _Worker) -> None:
    """Spark hands records over in parts; they are one transaction."""
    parts = [records_of([_event(1)]), records_of([]), records_of([_event(2), b"x"])]

    (answer,) = write_partition(worker.task, parts)

    outcome = json.loads(answer["outcome"][0].as_py())
    assert (outcome["rows"], outcome["stored"]) == (3, 2)
    assert len(worker.database.executed(CLAIM)) == 1


def test_offsets_are_claimed_first(worker: _Worker) -> None:
    """The offsets are stored before any row, in the transaction of the rows."""
    worker.write(_event(1))

    (row,) = worker.database.executed(CLAIM)
    assert row == {
        "query": "events",
        "checkpoint_id": "abc",
        "batch_id": 5,
        "topic": EVENTS.name,
        "partition": PARTITION,
        "from_offset": 100,
        "until_offset": UNTIL,
        "topic_id": "id",
        "leader_epoch": 2,
        "skipped": 0,
    }
    texts = [text for text, _ in worker.database.statements]
    claimed = next(at for at, text in enumerate(texts) if CLAIM in text)
    written = next(at for at, text in enumerate(texts) if "INTO mart." in text)
    assert claimed < written
    assert texts[0] == KEPT_SINCE
    assert "ops.ensure_event_partitions" in texts[1]
    # Since when days are kept, the days' tables, then the rows.
    assert worker.database.ends == ["commit", "commit", "commit"]


def test_days_are_made_once(worker: _Worker) -> None:
    """Tables of days are created in a separate transaction, once per process."""
    worker.write(_event(1), _event(2, event_time="2021-02-03T00:00:00.000Z"))
    worker.write(_event(3))

    days = worker.database.executed("ops.ensure_event_partitions")
    assert days == [([date(2020, 1, 31), date(2021, 2, 3)],)]
    assert len(worker.opened) == 1


def test_many_days_are_made_in_portions(worker: _Worker) -> None:
    """Each transaction creates the tables of a few days, because PostgreSQL's locks are limited."""
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(120)]

    worker.write(
        *(_event(number, event_time=f"{day}T00:00:00.000Z") for number, day in enumerate(days, 1))
    )

    made = worker.database.executed("ops.ensure_event_partitions")
    assert made == [(days[:50],), (days[50:100],), (days[100:],)]
    # Since when days are kept, three portions of days, then the rows.
    assert worker.database.ends == ["commit"] * 5


def test_events_enter_stage_and_table(worker: _Worker) -> None:
    """New events are staged, then stored; rejects come after them."""
    worker.write(_event(1), b"x")

    assert worker.copied() == ['COPY "new_events"', 'COPY "raw"."events"', 'COPY "staged_rejects"']


def test_ledger_is_written(worker: _Worker) -> None:
    """Ledger records are staged and stored; they are no events."""
    task = replace(
        worker.task,
        offsets_from={},
        offsets_until={LEDGER.name: {PARTITION: UNTIL}},
        logs={},
    )

    outcome = worker.write(ledger_record(), topic=LEDGER.name, task=task)

    assert (outcome["rows"], outcome["stored"], outcome["max_event_times"]) == (1, 0, [])
    assert worker.copied() == ['COPY "staged_ledger"']
    (row,) = worker.database.executed(CLAIM)
    assert isinstance(row, dict)
    assert (row["from_offset"], row["topic_id"], row["leader_epoch"]) == (None, None, None)


def test_same_event_counts_once(worker: _Worker) -> None:
    """Of two events of one id and time in a batch, the first is stored."""
    outcome = worker.write(_event(1, city="a"), _event(2), _event(1, city="b"))

    assert (outcome["stored"], outcome["duplicates"]) == (2, 1)
    stored = dict(worker.database.copied)
    (raw,) = (data for statement, data in stored.items() if '"raw"."events"' in statement)
    assert raw.count(b"\0\0\0\x01a") == 1
    assert b"\0\0\0\x01b" not in raw


def test_known_event_is_left_out(worker: _Worker) -> None:
    """A stored event is a duplicate, and still advances the event time."""
    worker.answers = [CLAIMED | {"AS known\n": [(0,)]}]

    outcome = worker.write(_event(1, event_time="2021-01-01T00:00:00.000Z"), _event(2))

    assert (outcome["stored"], outcome["duplicates"]) == (1, 1)
    latest = datetime(2021, 1, 1, tzinfo=UTC).timestamp()
    assert outcome["max_event_times"] == [[RUN_ID, SHARD, latest]]
    assert worker.database.executed("DELETE FROM new_events") == [([0],)]


def test_known_events_alone_write_nothing(worker: _Worker) -> None:
    """If all events are duplicates, no mart is written."""
    worker.answers = [CLAIMED | {"AS known\n": [(0,), (1,)]}]

    outcome = worker.write(_event(1), _event(2))

    assert (outcome["stored"], outcome["duplicates"], outcome["latencies"]) == (0, 2, [])
    assert worker.copied() == ['COPY "new_events"']


@pytest.mark.parametrize(("number", "looks"), [(3, 1), (2, 2), (1, 2)])
def test_rising_numbers_are_not_looked_up(worker: _Worker, number: int, looks: int) -> None:
    """Only events at or below the high-water mark of their shard may be duplicates."""
    worker.write(_event(1), _event(2))

    worker.write(_event(number))

    assert len(worker.database.executed("LATERAL")) == looks


def test_late_events_are_counted(worker: _Worker) -> None:
    """The statement that counts a shard's events returns the late ones, without another query."""
    worker.answers = [CLAIMED | {COUNT_SHARDS: [(1,)]}]

    outcome = worker.write(_event(1), _event(2))

    assert outcome["late"] == 1
    assert len(worker.database.executed(COUNT_SHARDS)) == 1


def test_arrivals_follow_from_stored_time(worker: _Worker) -> None:
    """The shards' checksums are those of the new events, with the time that PostgreSQL gave."""
    worker.answers = [CLAIMED, CLAIMED | {STORED_AT: [(NOON + timedelta(seconds=1),)]}]
    worker.write(_event(1), _event(2))
    worker.write(_event(3))
    (first, _) = worker.opened[0].executed(COUNT_SHARDS)

    worker.writer = module.PartitionWriter()
    worker.write(_event(1), _event(2))

    (later,) = worker.opened[1].executed(COUNT_SHARDS)
    assert isinstance(first, dict)
    assert isinstance(later, dict)
    assert worker.opened[0].executed(STORED_AT)[0] == worker.opened[1].executed(STORED_AT)[0]
    assert (first["run_ids"], first["shards"]) == ([RUN_ID], [SHARD])
    assert first["checksums"] != later["checksums"]


def test_shards_have_own_event_times(worker: _Worker) -> None:
    """The outcome has the latest event time of each run and shard."""
    other = "00000000-0000-4000-8000-000000000002"

    outcome = worker.write(
        _event(1, run_id=other, event_time="2020-01-31T10:00:00.000Z"),
        _event(2),
        _event(3, run_id=other, event_time="2020-01-31T11:00:00.000Z"),
        _event(4, run_id=other, shard=9),
    )

    assert sorted(outcome["max_event_times"]) == sorted(
        [[other, SHARD, EVENT_TIME - 3_600], [other, 9, EVENT_TIME], [RUN_ID, SHARD, EVENT_TIME]]
    )


def test_latencies_are_sorted_into_buckets(
    monkeypatch: pytest.MonkeyPatch, worker: _Worker
) -> None:
    """Each new event is counted in the bucket of its latency, at least 0."""
    monkeypatch.setattr(time, "time", lambda: EVENT_TIME + 0.25)
    times = ["12:00:00.000", "12:00:00.001", "11:59:59.999", "12:01:00.000", "11:00:00.000"]

    outcome = worker.write(
        *(_event(at, event_time=f"2020-01-31T{text}Z") for at, text in enumerate(times, 1))
    )

    counts = [count for count, _ in outcome["latencies"]]
    assert counts == [3, 1] + [0] * (len(LATENCY_BOUNDS_SECONDS) - 2) + [1]
    assert outcome["latencies"][0][1] == pytest.approx(0.499)
    assert outcome["latencies"][-1][1] == pytest.approx(3_600.25)


def test_repeated_share_is_left_alone(worker: _Worker) -> None:
    """A partition that is stored with the same end is only reported."""
    taken: dict[str, Answer] = {CLAIM: errors.UniqueViolation("taken")}
    worker.answers = [taken | {"SELECT until_offset": [(UNTIL,)]}]

    outcome = worker.write(_event(1))

    assert outcome["is_repeated"]
    assert outcome["max_event_times"] == [[RUN_ID, SHARD, EVENT_TIME]]
    assert outcome["run_ids"] == [RUN_ID]
    assert worker.copied() == []
    assert len(worker.database.executed("ROLLBACK TO SAVEPOINT claim")) == 1


@pytest.mark.parametrize("rows", [[(UNTIL - 1,)], []])
def test_other_end_is_refused(worker: _Worker, rows: list[tuple[object, ...]]) -> None:
    """A partition that is stored with another end belongs to another checkpoint."""
    taken: dict[str, Answer] = {CLAIM: errors.UniqueViolation("taken")}
    worker.answers = [taken | {"SELECT until_offset": rows}]

    with pytest.raises(CheckpointBehindDatabase):
        worker.write(_event(1))


def test_lost_batch_is_refused(worker: _Worker) -> None:
    """Offsets that do not continue the stored ones are an error with the lost batch."""
    worker.answers = [{CLAIM: []}]

    with pytest.raises(DatabaseBehindCheckpoint) as caught:
        worker.write(_event(1))
    assert caught.value.batch_id == 4
    assert worker.database.ends[-1] == "rollback"


@pytest.mark.parametrize(
    "error",
    [
        psycopg2.OperationalError("gone"),
        psycopg2.InterfaceError("closed"),
        errors.UniqueViolation("twice"),
        errors.CheckViolation("no partition"),
        DatabaseUnreachable("db", "no"),
    ],
)
def test_failed_write_is_tried_again(worker: _Worker, error: Exception) -> None:
    """After a failure the task writes everything again on a new connection, without marks."""
    worker.answers = [CLAIMED | {"INTO mart.fact_orders": error}, CLAIMED]

    outcome = worker.write(_event(1))

    assert outcome["stored"] == 1
    assert [database.closed for database in worker.opened] == [1, 0]
    assert len(worker.database.executed("ops.ensure_event_partitions")) == 1
    assert len(worker.database.executed("LATERAL")) == 1


def test_failed_portions_are_left_to_spark(
    monkeypatch: pytest.MonkeyPatch, worker: _Worker
) -> None:
    """Earlier portions are no longer in memory: the task fails, and clears its marks."""
    monkeypatch.setattr(portions, "_PORTION_BYTES", 1)
    worker.answers = [CLAIMED | {"INTO mart.fact_orders": psycopg2.OperationalError("gone")}]
    pieces = [records_of([_event(number)]) for number in (1, 2)]

    with pytest.raises(psycopg2.OperationalError, match="gone"):
        list(write_partition(worker.task, pieces))

    assert [database.closed for database in worker.opened] == [1]

    worker.answers = [CLAIMED]
    assert worker.write(_event(1))["stored"] == 1
    assert len(worker.opened) == 2


def test_portions_share_transaction(monkeypatch: pytest.MonkeyPatch, worker: _Worker) -> None:
    """Staging tables are emptied between portions; offsets are claimed and counted once."""
    monkeypatch.setattr(portions, "_PORTION_BYTES", 1)

    pieces = [records_of([_event(number)]) for number in (1, 2, 3)]
    (answer,) = write_partition(worker.task, pieces)

    outcome = json.loads(answer["outcome"][0].as_py())
    assert (outcome["rows"], outcome["stored"]) == (3, 3)
    assert len(worker.database.executed(CLAIM)) == 1
    assert len(worker.database.executed(LOCK_ROWS)) == 1
    assert worker.database.executed(LOCK_ROWS_SHARED) == []
    assert len(worker.database.executed("TRUNCATE new_events")) == 2
    assert worker.database.ends == ["commit", "commit", "commit"]


def test_other_error_is_raised(worker: _Worker) -> None:
    """An error that a retry cannot mend ends the task."""
    worker.answers = [CLAIMED | {"INTO mart.fact_orders": ValueError("bug")}]

    with pytest.raises(ValueError, match="bug"):
        worker.write(_event(1))
    assert len(worker.opened) == 1


def test_trying_has_an_end(monkeypatch: pytest.MonkeyPatch, worker: _Worker) -> None:
    """After five minutes the last error is raised."""
    worker.answers = [{CLAIM: psycopg2.OperationalError("gone")}]
    clock = count(step=25.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    with pytest.raises(psycopg2.OperationalError, match="gone"):
        worker.write(_event(1))
    assert len(worker.opened) == 300 / 25 + 1


@pytest.mark.parametrize("place", ["before_sink_commit", "after_sink_commit"])
@pytest.mark.parametrize(("batch", "kills"), [("5", 2), ("6", 0)])
def test_failpoint_kills(
    monkeypatch: pytest.MonkeyPatch, worker: _Worker, place: str, batch: str, kills: int
) -> None:  # fmt: skip
    """From the given batch on, driver and worker are killed before or after the commit."""
    killed: list[tuple[int, int, int]] = []
    monkeypatch.setattr(
        os, "kill", lambda pid, number: killed.append((pid, number, len(worker.database.ends)))
    )
    settings = replace(worker.task.settings, failpoint=place, failpoint_batch=int(batch))

    worker.write(_event(1), task=replace(worker.task, settings=settings))

    ends = 2 if place == "before_sink_commit" else 3
    both = [(NO_PROCESS, signal.SIGKILL, ends), (os.getpid(), signal.SIGKILL, ends)]
    assert killed == both[:kills]


def test_kept_days_are_asked_again(worker: _Worker) -> None:
    """While the database does not answer, the first query of a task is retried."""
    worker.answers = [{KEPT_SINCE: psycopg2.OperationalError("gone")}, CLAIMED]

    outcome = worker.write(_event(1))

    assert outcome["stored"] == 1
    assert [database.closed for database in worker.opened] == [1, 0]


def test_dropped_days_are_rejected(worker: _Worker) -> None:
    """Events before the first kept day are rejected and counted; others are stored."""
    worker.answers = [CLAIMED | {LOCK_DAYS: [(NOON,)], KEPT_SINCE: [(NOON,)]}]

    outcome = worker.write(
        _event(1, event_time="2020-01-31T11:59:59.999Z"),
        _event(2, event_time="2020-01-31T12:00:00.000Z"),
    )

    assert (outcome["stored"], outcome["rejects"]) == (1, {"day_dropped": 1})
    (expired,) = worker.database.executed(COUNT_EXPIRED)
    assert isinstance(expired, dict)
    assert expired.keys() == {
        "run_id", "shard", "simulation", "shard_seq", "event_id", "event_time",
    }  # fmt: skip
    assert expired["shard_seq"] == [1]


def test_expired_event_names_its_run(worker: _Worker) -> None:
    """A run may end with an event of a dropped day, so the end of the batch looks at that run."""
    worker.answers = [CLAIMED | {KEPT_SINCE: [(NOON,)]}]

    outcome = worker.write(_event(1, event_time="2020-01-31T11:59:59.999Z"))

    assert (outcome["stored"], outcome["run_ids"]) == (0, [RUN_ID])


def test_ledger_names_its_run(worker: _Worker) -> None:
    """A run may end with a ledger record, so the end of the batch looks at that run."""
    task = replace(worker.task, offsets_until={LEDGER.name: {PARTITION: UNTIL}})

    outcome = worker.write(ledger_record(run_id=RUN_ID), topic=LEDGER.name, task=task)

    assert outcome["run_ids"] == [RUN_ID]


def test_other_rejects_are_not_expired(worker: _Worker) -> None:
    """Without an event of a dropped day, the rows that count them do not change."""
    worker.answers = [CLAIMED | {LOCK_DAYS: [(NOON,)], KEPT_SINCE: [(NOON,)]}]

    worker.write(_event(1), b"x")

    assert worker.database.executed(COUNT_EXPIRED) == []


def test_days_are_held_after_claim(worker: _Worker) -> None:
    """Days are locked after the offsets are stored, and before any row is written."""
    worker.write(_event(1))

    texts = [text for text, _ in worker.database.statements]
    claimed = next(at for at, text in enumerate(texts) if CLAIM in text)
    written = next(at for at, text in enumerate(texts) if "INTO mart." in text)
    assert claimed < texts.index(LOCK_DAYS) < written


@pytest.mark.parametrize("kept_before", [[], [(NOON - timedelta(days=1),)]])
def test_day_dropped_meanwhile_is_refused(
    worker: _Worker, kept_before: list[tuple[object, ...]]
) -> None:
    """Events of a day that was dropped after they were validated are not stored."""
    worker.answers = [CLAIMED | {LOCK_DAYS: [(NOON,)], KEPT_SINCE: kept_before}]

    with pytest.raises(DaysDropped) as caught:
        worker.write(_event(2), _event(1, event_time="2020-01-31T11:59:59.999Z"))
    assert caught.value.before == NOON.date()
    assert worker.database.ends[-1] == "rollback"
    assert worker.copied() == []


def test_drop_of_other_days_stops_nothing(worker: _Worker) -> None:
    """A drop of days before the first event, or without events, is no error."""
    worker.answers = [CLAIMED | {LOCK_DAYS: [(NOON,)]}]

    assert worker.write(_event(1))["stored"] == 1
    assert worker.write(b"x")["rejects"] == {"not_json": 1}


def test_share_is_counted(worker: _Worker) -> None:
    """The row of the batch counts all records after they are written."""
    worker.answers = [CLAIMED | {COUNT_SHARDS: [(2,)], "AS known\n": [(0,)]}]

    worker.write(_event(1), _event(2), _event(3), b"x", None)

    (counted,) = worker.database.executed(COUNT_BATCH)
    (claimed,) = worker.database.executed(CLAIM)
    expected = {"stored": 2, "duplicates": 1, "rejected": 2, "ledger": 0, "late": 2}
    expected["skipped"] = UNTIL - FIRST_OFFSET - 5
    assert isinstance(counted, dict)
    assert isinstance(claimed, dict)
    assert counted.items() >= (claimed | expected).items()
    assert worker.database.statements[-1][0] == COUNT_BATCH


def test_offsets_without_records_are_counted(worker: _Worker) -> None:
    """Skipped offsets count before, between and after the records, also between parts."""
    first, second = (
        records_of([_event(number), _event(number + 1)]).set_column(
            2, "offset", pa.array(offsets, pa.int64())
        )
        for number, offsets in ((1, [FIRST_OFFSET + 2, FIRST_OFFSET + 4]), (3, [120, 121]))
    )

    (answer,) = write_partition(worker.task, [first, second])

    outcome = json.loads(answer["outcome"][0].as_py())
    assert (outcome["rows"], outcome["skipped"]) == (4, UNTIL - FIRST_OFFSET - 4)


def test_unknown_beginning_is_no_gap(worker: _Worker) -> None:
    """A first batch begins at its first record."""
    task = replace(worker.task, offsets_from={})

    assert worker.write(_event(1), task=task)["skipped"] == UNTIL - FIRST_OFFSET - 1


def test_ledger_records_are_counted(worker: _Worker) -> None:
    """Ledger records are neither events nor rejects in the batch's row."""
    task = replace(worker.task, offsets_until={LEDGER.name: {PARTITION: UNTIL}})

    worker.write(ledger_record(), b"x", topic=LEDGER.name, task=task)

    (counted,) = worker.database.executed(COUNT_BATCH)
    assert isinstance(counted, dict)
    assert (counted["stored"], counted["rejected"], counted["ledger"]) == (0, 1, 1)


def test_repeated_share_is_not_counted(worker: _Worker) -> None:
    """A partition that is already stored keeps its counts."""
    taken: dict[str, Answer] = {CLAIM: errors.UniqueViolation("taken")}
    worker.answers = [taken | {"SELECT until_offset": [(UNTIL,)]}]

    worker.write(_event(1))

    assert worker.database.executed(COUNT_BATCH) == []
