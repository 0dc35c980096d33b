"""A run of workers, read from Kafka: its record from the shards' topic, its ledger beside it."""

from __future__ import annotations

import json
import math
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from clickstream_contract.events import MAX_SHARDS
from clickstream_contract.topics import SHARDS

from clickstream_generator.core.shard_history import merged_record
from clickstream_generator.errors import RecordUnusable
from clickstream_generator.shell.shard_log import LEASE_PARTITION, ShardRecords, snapshot_partition
from clickstream_generator.shell.topic_reader import TopicReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clickstream_generator.core.run_record import RunRecord
    from clickstream_generator.settings import KafkaSettings
    from clickstream_generator.shell.shard_log import Record

__all__ = ["read_ledger", "read_record"]

_SHOWN_RUNS = 10
_ENTRIES_AT_ONCE = 10_000


class _Run:
    """What the topic has of one run."""

    def __init__(self, run_id: UUID) -> None:
        self.id = run_id
        self.records = ShardRecords(run_id, tuple(range(MAX_SHARDS)))
        self._seconds: list[float] = []

    def take(self, record: Record) -> None:
        """Apply a record of the run."""
        self.records.take(record)
        if math.isfinite(record.seconds):
            known = [*self._seconds, record.seconds]
            self._seconds = [min(known), max(known)]

    def record(self) -> RunRecord:
        """Return the run record."""
        if not self._seconds:
            raise RecordUnusable(
                f"run {self.id}", "records without a time", "let Kafka store the time of records"
            )
        began, last = map(_iso, self._seconds)
        histories = self.records.histories()
        is_over = bool(histories) and not set(histories) & set(self.records.unfinished())
        return merged_record(
            self.id,
            histories,
            version("clickstream-generator"),
            began,
            last if is_over else None,
        )


def read_record(settings: KafkaSettings, run_id: UUID | None) -> RunRecord:
    """Return the record of a run.

    Args:
        settings: The connection settings.
        run_id: The run; if absent, the only one of the topic.

    Raises:
        BrokerRefused: The topic cannot be read.
        RecordUnusable: There is no such run, or its record cannot be made.
        SnapshotUnusable: A record of the topic cannot be read.
    """
    runs: dict[str, _Run] = {}
    with TopicReader(settings) as reader:
        for record in reader.read_to_end({LEASE_PARTITION}):
            name = _run_of(record)
            if name and (run_id is None or name == str(run_id)):
                if name not in runs:
                    runs[name] = _Run(UUID(name))
                runs[name].take(record)
        run = _only(runs, run_id)
        # Snapshots last: a position leaves out revisions that an earlier snapshot contains.
        own = snapshot_partition(run.id, len(reader.partitions))
        written = (run.records.snapshot_partitions() | {own}) & set(reader.partitions)
        for record in reader.read_to_end(written - {LEASE_PARTITION}):
            if _run_of(record) == str(run.id):
                run.records.take(record)
        return run.record()


def read_ledger(settings: KafkaSettings, record: RunRecord) -> Iterator[list[dict[str, Any]]]:
    """Return a run's ledger entries in the order of each shard, some at a time.

    Args:
        settings: The connection settings.
        record: The run's record.

    Raises:
        BrokerRefused: The topic cannot be read.
    """
    rows: list[dict[str, Any]] = []
    with TopicReader(settings, record.first.spec.event_output.ledger_topic) as reader:
        for entry in reader.read_to_end(reader.partitions):
            if (row := _entry(entry.value, record.run_id)) is not None:
                rows.append(row)
            if len(rows) == _ENTRIES_AT_ONCE:
                yield rows
                rows = []
    yield rows


def _entry(value: bytes | None, run_id: UUID) -> dict[str, Any] | None:
    """Return a record's ledger entry, unless it belongs to another run or is none."""
    try:
        row = json.loads(value or b"null")
    except ValueError:
        return None
    return row if isinstance(row, dict) and row.get("run_id") == str(run_id) else None


def _run_of(record: Record) -> str:
    """Return the run of a record of the shards' topic; empty if its key is no run's."""
    name = record.key.decode(errors="replace").partition("/")[0]
    try:
        return name if str(UUID(name)) == name else ""
    except ValueError:
        return ""


def _only(runs: Mapping[str, _Run], run_id: UUID | None) -> _Run:
    """Return the chosen run."""
    place = f"topic {SHARDS.name}"
    if run_id is not None and str(run_id) not in runs:
        raise RecordUnusable(place, f"no run {run_id}", "check --run-id and the servers")
    if not runs:
        raise RecordUnusable(place, "no run", "check the servers, or start a simulation")
    if len(runs) > 1:
        shown = ", ".join(sorted(runs)[:_SHOWN_RUNS])
        raise RecordUnusable(place, f"{len(runs)} runs: {shown}", "name one of them by --run-id")
    return next(iter(runs.values()))


def _iso(seconds: float) -> str:
    return f"{np.datetime64(int(1000 * seconds), 'ms')}Z"
