"""Tasks and outcomes of batches, for tests without Spark and PostgreSQL.

Owns a task of the events' topic whose partition goes from one offset to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.topics import EVENTS
from clickstream_streaming.core.log_positions import LogPosition
from clickstream_streaming.shell.batch import BatchTask, Outcome
from kafka_records import FIRST_OFFSET, PARTITION

if TYPE_CHECKING:
    from clickstream_streaming.settings import Settings

__all__ = ["NO_PROCESS", "UNTIL", "batch_task", "outcome_of"]

UNTIL = FIRST_OFFSET + 50
NO_PROCESS = -1
"""Where a task would name the driver's process."""


def batch_task(settings: Settings) -> BatchTask:
    """Return a task of batch 5."""
    return BatchTask(
        settings=settings,
        query="events",
        checkpoint_id="abc",
        batch_id=5,
        offsets_from={EVENTS.name: {PARTITION: FIRST_OFFSET}},
        offsets_until={EVENTS.name: {PARTITION: UNTIL}},
        driver_pid=NO_PROCESS,
        logs={(EVENTS.name, PARTITION): LogPosition("id", UNTIL, 2)},
    )


def outcome_of(
    *,
    max_event_times: list[tuple[str, int, float]] | None = None,
    run_ids: list[str] | None = None,
) -> Outcome:
    """Return the outcome of that task's partition."""
    return Outcome(
        topic=EVENTS.name,
        partition=PARTITION,
        rows=3,
        skipped=0,
        stored=3,
        duplicates=0,
        late=0,
        rejects={},
        latencies=[],
        max_event_times=max_event_times or [],
        run_ids=run_ids or [],
        arrived_at=0.0,
        read_seconds=0.0,
        write_seconds=0.0,
    )
