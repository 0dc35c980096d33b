"""What a batch's outcomes say about event times."""

from __future__ import annotations

from datetime import UTC, datetime

from batch_tasks import outcome_of
from clickstream_streaming.shell.batch import reached_event_times, timestamp


def test_slowest_partition_decides() -> None:
    """A shard has reached the lowest time of the partitions with its events."""
    outcomes = [
        outcome_of(max_event_times=[("a", 0, 1.0), ("b", 0, 5.0)]),
        outcome_of(),
        outcome_of(max_event_times=[("a", 1, 3.0), ("a", 0, 2.0)]),
    ]

    assert reached_event_times(outcomes) == {("a", 0): 1.0, ("a", 1): 3.0, ("b", 0): 5.0}


def test_timestamp_is_utc() -> None:
    """PostgreSQL gets a timestamp with a time zone."""
    assert timestamp(1.5) == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
