"""One filled database, and every falsehood that can be planted into it, one at a time.

Owns the runs that fill the database, the list of falsehoods, which comes from PostgreSQL's own
catalog, and planting one inside a transaction.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from multiprocessing import get_context
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
from clickstream_contract.document import dump_simulation, parse_simulation
from clickstream_contract.topics import EVENTS, LEDGER, SHARDS
from clickstream_generator.core.encodings import encoding_of
from clickstream_generator.core.making import Maker
from clickstream_generator.core.partitions import partitions_of
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.settings import Settings as GeneratorSettings
from clickstream_generator.shell.clock import Clock
from clickstream_generator.shell.simulation_file import SimulationFile
from clickstream_generator.shell.telemetry import Telemetry
from clickstream_generator.shell.worker import Worker
from clickstream_streaming.core.log_positions import LogPosition
from clickstream_streaming.shell.batch import BatchTask, Outcome
from clickstream_streaming.shell.batch_finalizer import BatchFinalizer
from clickstream_streaming.shell.database import store_rules
from clickstream_streaming.shell.partition import write_partition
from clickstream_streaming.shell.verification import record_verification, run_checks
from holds import hold
from psycopg2 import errors
from worker_runs import MemoryBroker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clickstream_generator.core.faults import Record
    from clickstream_generator.shell.sink import Batch
    from clickstream_streaming.settings import Settings
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

__all__ = [
    "COUNT_ARRIVALS",
    "DROPPED_BEFORE",
    "STATES",
    "Database",
    "Falsehood",
    "Planting",
    "fill",
]

STATES = ("dropped", "ended", "running")
"""The states of a run that the database holds; each is the name of a simulation too."""
_PARTITIONS = 4
_BATCHES = 5
"""Batches for each run."""
DROPPED_BEFORE = "2025-11-25"
"""The day before which retention has dropped the events."""
_STARTS = {
    "dropped": "2025-11-24T23:52:00+00:00",  # most of its events lie in the day that is dropped
    "ended": "2025-11-25T12:00:00+00:00",
    "running": "2025-11-26T12:00:00+00:00",
}
_FAULTS = {
    "dropped": "{}",
    "ended": "{duplicatePermille: 20, latePermille: 50, maxLatenessSeconds: 1500, lossPermille: 5,"
    " corruptPermille: 30, futurePermille: 5}",
    "running": "{duplicatePermille: 10, corruptPermille: 20}",
}
_TEXT = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {{name: {name}}}
spec:
  seed: 7
  rate: {{eventsPerSecond: 2}}
  userMix: [{{persona: Hurried, weight: 900}}, {{persona: Bot, weight: 100}}]
  personas: [{{name: Hurried, basedOn: Buyer, thinkMedianMilliseconds: 5000}}]
  users: 60
  catalog: {{products: 12, categories: 3}}
  shards: 2
  stopAfter: {{events: 1400}}
  effects: {{preset: None}}
  experiments: [{{name: button, arms: [{{name: control}}, {{name: green}}]}}]
  faults: {faults}
"""
_RUNNING_RECORDS = 900
"""So many events' records of the running run have come so far."""
_AGE = """
UPDATE ops.batches SET committed_at = committed_at - interval '10 minutes';
UPDATE ops.runs SET first_seen_at = first_seen_at - interval '20 minutes',
    closed_at = closed_at - interval '20 minutes';
UPDATE raw.events AS one SET ingested_at = ingested_at - interval '10 minutes'
WHERE shard_seq <= (
    SELECT max(entry.shard_seq) FROM ops.ledger AS entry
    WHERE entry.run_id = one.run_id AND entry.shard = one.shard
)
"""
"""As if all had come a while ago, but for the events that the ledger is still to count."""
COUNT_ARRIVALS = """
UPDATE ops.shard_states AS known SET dropped_checksum = known.dropped_checksum
    + shards.arrivals_checksum - arrived.checksum
FROM (
    SELECT run_id, shard,
        sum(ops.arrival_of(shard_seq, sent_at, ingested_at, kafka_partition, kafka_offset))::bigint
            AS checksum
    FROM raw.events GROUP BY run_id, shard
) AS arrived INNER JOIN ops.shards AS shards USING (run_id, shard)
WHERE known.run_id = arrived.run_id AND known.shard = arrived.shard
"""
"""As if the stream had stored the events as they are."""
_FORGET = """
UPDATE ops.batches SET batch_id = batch_id - 1000 WHERE batch_id < 2;
SELECT ops.forget_batches(100)
"""
"""As if the first two batches had been a thousand batches ago."""
_OLD_REJECTS = 12
_AGE_REJECTS = """
UPDATE ops.rejected_events AS one SET rejected_at = rejected_at - interval '100 days'
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ops.rejected_events ORDER BY topic, kafka_partition, kafka_offset LIMIT %s
))
"""
"""As if so many rejects were old; of a partition they are the first."""
_FORGET_REJECTS = "SELECT ops.forget_rejects(current_date - 90, 50000)"
_NO_FACT = "writer"
"""A column that says which writer added a part: only the sum of the parts is a fact."""
_LOOK_SECONDS = 0.5
"""How far the runs' clock advances with each look."""
_WATERMARK_SECONDS = 120


class _CutOffError(Exception):
    """The run is looked at while it runs."""


class _Recorder(MemoryBroker):
    """A broker that acknowledges at once, and keeps what it was sent.

    Args:
        clock: Says when a record came.
        at_most: Records of events, then the run is cut off.

    Attributes:
        records: Topic, time, key and value.
    """

    def __init__(self, clock: _Clock, at_most: int) -> None:
        super().__init__()
        self.records: list[tuple[str, float, bytes, bytes | None]] = []
        self._clock, self._at_most = clock, at_most
        self._sent = 0

    def send(self, records: list[Record], batch: Batch) -> None:
        """Keep events."""
        self._keep(EVENTS.name, [(key, value) for value, key in records])
        self._sent += len(records)
        if self._sent > self._at_most:
            raise _CutOffError
        self._flying.append(batch)

    def publish(
        self,
        topic: str,
        rows: list[tuple[bytes, bytes | None]],
        batch: Batch,
        partition: int = -1,
    ) -> None:
        """Keep the ledger; where shards are is nothing to the stream."""
        if topic == LEDGER.name:
            self._keep(topic, rows)
        for row in rows if topic == SHARDS.name else ():
            self.log.add(row, partition)
        self._flying.append(batch)

    def poll(self, _seconds: float) -> list[Batch]:
        """Acknowledge everything."""
        done = [*self._flying]
        self._flying.clear()
        return done

    def _keep(self, topic: str, rows: list[tuple[bytes, bytes | None]]) -> None:
        self.records += [(topic, self._clock.seconds, key, value) for key, value in rows]


class _Clock(Clock):
    """A clock that advances with each look."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> float:
        """Return Unix seconds."""
        self.seconds += _LOOK_SECONDS
        return self.seconds


def _recorded(state: str, folder: Path) -> list[tuple[str, float, bytes, bytes | None]]:
    """Return what the generator sends of a run."""
    simulation = parse_simulation(_TEXT.format(name=state, faults=_FAULTS[state]))
    file = folder / f"{state}.yaml"
    file.write_text(dump_simulation(simulation), encoding="utf-8")
    settings = replace(
        GeneratorSettings(simulation_file=file, bootstrap_servers="127.0.0.1:9"), drain_seconds=1e9
    )
    clock = _Clock(datetime.fromisoformat(_STARTS[state]).timestamp())
    run_id = UUID(int=STATES.index(state) + 1, version=4)
    simulator = Simulator(simulation, (0, 1), run_id)
    maker = Maker(simulator, simulator.begin(clock.seconds), encoding_of("json", simulator.encoder))
    sink = _Recorder(clock, _RUNNING_RECORDS if state == "running" else 10**9)
    telemetry = Telemetry()
    with suppress(_CutOffError):
        known = SimulationFile(file)
        held = hold((0, 1), sink.log, run_id=run_id)
        Worker(held, maker, sink, telemetry, clock, known, settings).run(Event())
    return sink.records


class _Silent:
    """Telemetry that shows nothing."""

    def show_batch(self, outcomes: list[Outcome], seconds: float) -> None:
        """Show nothing."""


def fill(settings: Settings, owner: Connection, folder: Path) -> None:
    """Fill an empty database with a run of each state, by the stream's own writer.

    Args:
        settings: The stream's.
        owner: The owner's connection.
        folder: For files of the runs.
    """
    store_rules(owner)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(_fill, settings, folder).result()
    with owner, owner.cursor() as cursor:
        cursor.execute("SELECT ops.drop_event_partitions(%s)", (DROPPED_BEFORE,))
        cursor.execute("SET clickstream.seals = 'on'")
        cursor.execute(_AGE)
        cursor.execute(COUNT_ARRIVALS)
        cursor.execute(_FORGET)
        cursor.execute(_AGE_REJECTS, (_OLD_REJECTS,))
        cursor.execute(_FORGET_REJECTS)
        cursor.execute("SELECT mart.refresh_summaries()")
        report = run_checks(cursor)
    record_verification(owner, report)
    with owner, owner.cursor() as cursor:
        cursor.execute("ANALYZE")


def _fill(settings: Settings, folder: Path) -> None:
    settings = replace(settings, watermark_delay_seconds=_WATERMARK_SECONDS)
    finalizer = BatchFinalizer(settings, _Silent())  # type: ignore[arg-type]
    ends: dict[str, dict[int, int]] = {}
    batch_id = 0
    for state in STATES:
        records = _recorded(state, folder)
        size = -(-len(records) // _BATCHES)
        for first in range(0, len(records), size):
            ends = _write(settings, finalizer, batch_id, ends, records[first : first + size])
            batch_id += 1


def _write(
    settings: Settings,
    finalizer: BatchFinalizer,
    batch_id: int,
    begins: dict[str, dict[int, int]],
    records: list[tuple[str, float, bytes, bytes | None]],
) -> dict[str, dict[int, int]]:
    """Write one batch; return where it ends."""
    events = [row for row in records if row[0] == EVENTS.name]
    where = partitions_of([key for _, _, key, _ in events], _PARTITIONS).tolist() if events else []
    shares: dict[tuple[str, int], list[tuple[str, float, bytes, bytes | None]]] = {}
    for number, row in zip(where, events, strict=True):
        shares.setdefault((EVENTS.name, number), []).append(row)
    for row in records:
        if row[0] == LEDGER.name:
            shares.setdefault((LEDGER.name, 0), []).append(row)
    ends = {
        topic: {
            number: begins.get(topic, {}).get(number, 0) + len(shares.get((topic, number), ()))
            for number in range(count)
        }
        for topic, count in ((EVENTS.name, _PARTITIONS), (LEDGER.name, 1))
    }
    task = BatchTask(
        settings=settings,
        query="events",
        checkpoint_id=str(UUID(int=1)),
        batch_id=batch_id,
        offsets_from=begins,
        offsets_until=ends,
        driver_pid=os.getpid(),
        logs={
            (topic, number): LogPosition(f"{topic}-id", begins.get(topic, {}).get(number, 0), 3)
            for topic, numbers in ends.items()
            for number in numbers
        },
    )
    outcomes = []
    for (topic, number), share in sorted(shares.items()):
        first = begins.get(topic, {}).get(number, 0)
        (answer,) = write_partition(task, [_as_spark(topic, number, first, share)])
        outcomes.append(Outcome(**json.loads(answer["outcome"][0].as_py())))
    finalizer.finalize(task, outcomes, 0.0)
    return ends


def _as_spark(
    topic: str, number: int, first: int, rows: list[tuple[str, float, bytes, bytes | None]]
) -> pa.RecordBatch:
    """Return records as Spark's Kafka source gives them."""
    times = [datetime.fromtimestamp(seconds, UTC) for _, seconds, _, _ in rows]
    return pa.RecordBatch.from_pydict(
        {
            "topic": pa.array([topic] * len(rows)),
            "partition": pa.array([number] * len(rows), pa.int32()),
            "offset": pa.array(range(first, first + len(rows)), pa.int64()),
            "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
            "key": pa.array([key for _, _, key, _ in rows], pa.binary()),
            "value": pa.array([value for _, _, _, value in rows], pa.binary()),
        }
    )


@dataclass(frozen=True, order=True)
class Falsehood:
    """One thing that is made wrong.

    Attributes:
        relation: The table, with its schema.
        deed: change, empty, delete or add.
        column: The column; of a row as a whole: empty.
        state: The state of the run whose row it is; empty where a table has no rows of runs.
    """

    relation: str
    deed: str
    column: str
    state: str

    @property
    def subject(self) -> str:
        """Return what is falsified, without the state of the run."""
        return f"{self.relation}.{self.column}" if self.column else f"{self.relation} ({self.deed})"


@dataclass(frozen=True)
class _Column:
    name: str
    type: str
    may_be_null: bool
    is_generated: bool
    is_key: bool


_COLUMNS = """
SELECT format('%s.%s', columns.table_schema, columns.table_name), columns.column_name,
    columns.data_type, columns.is_nullable = 'YES', columns.is_generated = 'ALWAYS',
    EXISTS (
        SELECT FROM pg_index AS index INNER JOIN pg_attribute AS part
            ON part.attrelid = index.indrelid AND part.attnum = ANY (index.indkey)
        WHERE index.indisprimary AND part.attname = columns.column_name AND index.indrelid
            = format('%I.%I', columns.table_schema, columns.table_name)::regclass
    )
FROM information_schema.columns AS columns
INNER JOIN information_schema.tables AS tables USING (table_schema, table_name)
WHERE columns.table_schema IN ('mart', 'ops', 'raw') AND tables.table_type = 'BASE TABLE'
    AND columns.table_name !~ '^events_[0-9]+$'
ORDER BY 1, columns.ordinal_position
"""
_TIMES = (
    "last_event_at",
    "minute",
    "hour",
    "day",
    "ordered_at",
    "started_at",
    "first_seen_at",
    "event_time",
)
_STATE_OF_ORDER = (
    "order_id IN (SELECT order_id FROM mart.fact_orders WHERE simulation = '{state}'{dropped})"
)


def _of_state(relation: str, columns: list[_Column], state: str) -> str:
    """Return which rows are those of a run in a state, as SQL."""
    if not state:
        return "true"
    names = [column.name for column in columns]
    dropped = state == "dropped"
    if relation == "mart.fact_order_items":
        before = f" AND ordered_at < '{DROPPED_BEFORE}'" if dropped else ""
        return _STATE_OF_ORDER.format(state=state, dropped=before)
    is_dated = relation.startswith("mart.") or relation == "ops.ledger"
    time = next((name for name in _TIMES if name in names), None) if is_dated else None
    before = f" AND {time} < '{DROPPED_BEFORE}'" if dropped and time else ""
    return f"simulation = '{state}'{before}"


class Planting(Enum):
    """What became of a falsehood."""

    DONE = "done"
    REFUSED = "refused"
    """A constraint of the database does not let it in."""
    NO_ROW = "no row"
    """There is no such row in that state of a run."""


class Database:
    """The tables of a filled database, and the falsehoods that fit into them.

    Args:
        cursor: Of a transaction, which is as before after each falsehood.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._tables: dict[str, list[_Column]] = {}
        cursor.execute(_COLUMNS)
        for relation, *column in cursor.fetchall():
            self._tables.setdefault(relation, []).append(_Column(*column))

    def falsehoods(self) -> list[Falsehood]:
        """Return everything that can be made wrong: each table, column and state of a run."""
        found = []
        for relation, columns in self._tables.items():
            has_runs = any(column.name == "simulation" for column in columns)
            has_runs |= relation == "mart.fact_order_items"
            for state in STATES if has_runs else ("",):
                found += [Falsehood(relation, deed, "", state) for deed in ("delete", "add")]
                for column in columns:
                    if not column.is_generated and column.name != _NO_FACT:
                        found.append(Falsehood(relation, "change", column.name, state))
                        if column.may_be_null:
                            found.append(Falsehood(relation, "empty", column.name, state))
        return found

    @contextmanager
    def planted(self, falsehood: Falsehood) -> Iterator[Planting]:
        """Plant a falsehood for a while; yield what became of it."""
        self._cursor.execute("SAVEPOINT before")
        try:
            yield self._plant(falsehood)
        finally:
            self._cursor.execute("ROLLBACK TO SAVEPOINT before")
            self._cursor.execute("RELEASE SAVEPOINT before")

    def _plant(self, falsehood: Falsehood) -> Planting:
        relation, columns = falsehood.relation, self._tables[falsehood.relation]
        where = _of_state(relation, columns, falsehood.state)
        keys = [column for column in columns if column.is_key]
        order = ", ".join(column.name for column in keys)
        row = None
        if falsehood.column:
            row = self._pick(relation, f"{where} AND {falsehood.column} IS NOT NULL", order)
        if row is None and falsehood.deed != "empty":
            row = self._pick(relation, where, order)
        if row is None:
            return Planting.NO_ROW
        at = f" WHERE {relation}.tableoid = %s AND {relation}.ctid = %s"
        for statement in _statements(falsehood, columns):
            self._cursor.execute("SAVEPOINT tried")
            try:
                self._cursor.execute(statement + at, row)
            except errors.IntegrityError:
                self._cursor.execute("ROLLBACK TO SAVEPOINT tried")
            else:
                assert self._cursor.rowcount == 1, statement
                return Planting.DONE
        return Planting.REFUSED

    def _pick(self, relation: str, where: str, order: str) -> tuple[Any, ...] | None:
        """Return the place of a row: not of the last, which is still open in a running run."""
        self._cursor.execute(
            f"SELECT tableoid, ctid FROM {relation} WHERE {where} ORDER BY {order}"
            f" OFFSET (SELECT count(*) / 3 FROM {relation} WHERE {where}) LIMIT 1"
        )
        return self._cursor.fetchone()


def _statements(falsehood: Falsehood, columns: list[_Column]) -> list[str]:
    """Return statements of which the first that the database takes is the falsehood."""
    relation = falsehood.relation
    if falsehood.deed == "delete":
        return [f"DELETE FROM {relation}"]
    if falsehood.deed == "add":
        keys = [column for column in columns if column.is_key]
        return [_addition(relation, columns, key) for key in _by_strangeness(keys)]
    changed = next(column for column in columns if column.name == falsehood.column)
    values = ["NULL"] if falsehood.deed == "empty" else _others(changed, relation)
    return [f"UPDATE {relation} SET {changed.name} = {value}" for value in values]


def _by_strangeness(keys: list[_Column]) -> list[_Column]:
    """Return a key's columns, those first that a stray row would most likely differ in."""
    kinds = ("uuid", "bigint", "integer", "timestamp with time zone", "date", "text")
    return sorted(keys, key=lambda column: kinds.index(column.type))


def _addition(relation: str, columns: list[_Column], key: _Column) -> str:
    names = [column.name for column in columns if not column.is_generated]
    values = [_others(key, relation)[-1] if name == key.name else name for name in names]
    return f"INSERT INTO {relation} ({', '.join(names)}) SELECT {', '.join(values)} FROM {relation}"


def _others(column: _Column, relation: str) -> list[str]:
    """Return other values for a column, as SQL; the likeliest mistake first."""
    name, one = column.name, f"{relation}.{column.name}"
    another = f"(SELECT min(o.{name}) FROM {relation} AS o WHERE o.{name} <> {one})"
    path = {"record": "seed"}.get(name, "0,quantity")
    unit = {"minute": "1 minute", "hour": "1 hour", "day": "1 day"}.get(name, "1 second")
    return {
        "uuid": [
            f"(SELECT min(o.{name}::text)::uuid FROM {relation} AS o WHERE o.{name} <> {one})",
            "'00000000-0000-4000-8000-00000000abcd'",
        ],
        "text": [f"coalesce({another}, 'strange')", f"{one} || 'x'"],
        "integer": [f"coalesce({one}, 0) + 1", f"coalesce({one}, 0) + 77"],
        "smallint": [f"{one} + 1"],
        "bigint": [f"coalesce({one}, 0) + 1", f"coalesce({one}, 0) + 77777"],
        "double precision": [f"{one} + 1"],
        "boolean": [f"NOT {one}"],
        "date": [f"{one} + 1", f"{one} + 20000"],
        "timestamp with time zone": [
            f"coalesce(nullif({one}, '-infinity'), clock_timestamp()) + interval '{unit}'",
            f"coalesce(nullif({one}, '-infinity'), clock_timestamp()) + interval '1 day'",
        ],
        "bytea": [rf"coalesce({one}, '') || '\x00'"],
        "jsonb": [f"jsonb_set({one}, '{{{path}}}', '77')"],
        "ARRAY": [f"{one} || '{{x}}'"],
        "numeric": [f"{one} + 1"],
        "int8multirange": [f"{one} + '{{[700000,700001]}}'::int8multirange"],
    }[column.type]  # fmt: skip
