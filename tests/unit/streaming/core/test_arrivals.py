"""A shard's arrival checksum shows each change of an event's time or offset."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from clickstream_streaming.core.arrivals import arrivals_of

RUN = "11111111-1111-4111-8111-111111111111"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def _events(*rows: tuple[int, int, datetime, int]) -> pa.Table:
    """Return events of one run, each by shard, number, ``sent_at`` and offset."""
    shards, numbers, sent, offsets = zip(*rows, strict=True)
    return pa.table(
        {
            "run_id": [RUN] * len(rows),
            "shard": pa.array(shards, pa.int32()),
            "shard_seq": pa.array(numbers, pa.int64()),
            "sent_at": pa.array(sent, pa.timestamp("us", "UTC")),
            "kafka_offset": pa.array(offsets, pa.int64()),
        }
    )


def _checksum(*rows: tuple[int, int, datetime, int], at: datetime = NOON) -> int:
    """Return the checksum of one shard's events."""
    (checksum,) = arrivals_of(_events(*rows), at)["checksums"]
    assert isinstance(checksum, int)
    return checksum


TRUE = ((0, 1, NOON, 10), (0, 2, NOON + SECOND, 11))


def test_shards_have_own_checksums() -> None:
    """Each run and shard has the sum of its events."""
    found = arrivals_of(_events(*TRUE, (1, 1, NOON, 12)), NOON)

    assert found["run_ids"] == [RUN, RUN]
    assert dict(zip(found["shards"], found["checksums"], strict=True)) == {
        0: _checksum(*TRUE),
        1: _checksum((1, 1, NOON, 12)),
    }


def test_checksums_add_up() -> None:
    """Events of two batches have the sum of the batches' checksums."""
    assert _checksum(*TRUE) == sum(_checksum(row) for row in TRUE)


@pytest.mark.parametrize(
    "false",
    [
        ((0, 1, NOON + timedelta(microseconds=1), 10), TRUE[1]),
        ((0, 1, NOON - timedelta(hours=1), 10), TRUE[1]),
        ((0, 1, NOON + timedelta(days=1), 10), TRUE[1]),
        ((0, 1, NOON, 9), TRUE[1]),
        ((0, 1, NOON, 1_000_010), TRUE[1]),
        ((0, 1, NOON, 11), (0, 2, NOON + SECOND, 10)),
        ((0, 1, NOON + SECOND, 10), (0, 2, NOON, 11)),
    ],
    ids=["sent", "hour", "day", "offset", "far offset", "offsets swapped", "times swapped"],
)
def test_change_shows(false: tuple[tuple[int, int, datetime, int], ...]) -> None:
    """A changed time or offset changes the sum, and so do two that change places."""
    assert _checksum(*false) != _checksum(*TRUE)


@pytest.mark.parametrize("delta", [timedelta(microseconds=1), SECOND, timedelta(days=-1)])
def test_time_of_storing_shows(delta: timedelta) -> None:
    """Another ``ingested_at`` changes the sum."""
    assert _checksum(*TRUE, at=NOON + delta) != _checksum(*TRUE)


def test_largest_values_have_a_checksum() -> None:
    """The largest number and offset, and times before 2000, do not overflow."""
    row = (0, 2**63 - 1, datetime(1970, 1, 1, tzinfo=UTC), 2**63 - 1)

    assert 0 <= _checksum(row) < 2**32
