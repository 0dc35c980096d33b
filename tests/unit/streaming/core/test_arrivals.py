"""A shard's arrival checksum shows each change of an event's time or place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest
from clickstream_streaming.core.arrivals import arrivals_of
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUN = "11111111-1111-4111-8111-111111111111"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECOND, MICROSECOND = timedelta(seconds=1), timedelta(microseconds=1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""The start of PostgreSQL's timestamps."""
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  the time zone is another argument
NUMBERS = st.integers(0, 2**63 - 1)


def _events(*rows: tuple[int, int, datetime, int], partition: int = 0) -> pa.Table:
    """Return events of one run and partition, each by shard, number, ``sent_at`` and offset."""
    shards, numbers, sent, offsets = zip(*rows, strict=True)
    return pa.table(
        {
            "run_id": [RUN] * len(rows),
            "shard": pa.array(shards, pa.int32()),
            "shard_seq": pa.array(numbers, pa.int64()),
            "sent_at": pa.array(sent, pa.timestamp("us", "UTC")),
            "kafka_partition": pa.array([partition] * len(rows), pa.int32()),
            "kafka_offset": pa.array(offsets, pa.int64()),
        }
    )


def _checksum(
    *rows: tuple[int, int, datetime, int], at: datetime = NOON, partition: int = 0
) -> int:
    """Return the checksum of one shard's events."""
    (checksum,) = arrivals_of(_events(*rows, partition=partition), at)["checksums"]
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


@pytest.mark.parametrize("partition", [1, 2, 63, 2**31 - 1])
def test_partition_shows(partition: int) -> None:
    """An event of another partition changes the sum, whatever the event's number."""
    for row in TRUE:
        assert _checksum(row, partition=partition) != _checksum(row)


@pytest.mark.parametrize("delta", [timedelta(microseconds=1), SECOND, timedelta(days=-1)])
def test_time_of_storing_shows(delta: timedelta) -> None:
    """Another ``ingested_at`` changes the sum."""
    assert _checksum(*TRUE, at=NOON + delta) != _checksum(*TRUE)


def test_largest_values_have_a_checksum() -> None:
    """The largest number and offset, and times before 2000, do not overflow."""
    row = (0, 2**63 - 1, datetime(1970, 1, 1, tzinfo=UTC), 2**63 - 1)

    assert 0 <= _checksum(row) < 2**32


@pytest.mark.parametrize(
    ("row", "stored_at", "checksum"),
    [
        ((0, 0, EPOCH, 0), EPOCH, 0),
        ((0, 0, EPOCH + MICROSECOND, 0), EPOCH, 1),
        ((0, 0, EPOCH, 0), EPOCH + MICROSECOND, 3),
        ((0, 0, EPOCH, 1), EPOCH, 65_537),
        ((0, 0, EPOCH, 2), EPOCH, 131_074),
        ((0, 0, EPOCH + MICROSECOND, 1), EPOCH + MICROSECOND, 65_541),
        ((0, 1, EPOCH + MICROSECOND, 0), EPOCH, 3),
        ((0, 5, EPOCH + 7 * MICROSECOND, 0), EPOCH, 77),
        ((0, 2**30 - 1, EPOCH + MICROSECOND, 0), EPOCH, 2**31 - 1),
        ((0, 2**30 + 1, EPOCH + MICROSECOND, 0), EPOCH, 3),
        ((0, 2**30 - 1, EPOCH + 2 * MICROSECOND, 0), EPOCH, 2**32 - 2),
        ((0, 2**30 - 1, EPOCH + 4 * MICROSECOND, 0), EPOCH, 2**32 - 4),
        ((0, 0, EPOCH - MICROSECOND, 0), EPOCH, 2**31 - 1),
        ((0, 0, EPOCH + 2**31 * MICROSECOND, 2**31), EPOCH + 2**31 * MICROSECOND, 0),
    ],
)
def test_known_checksums(
    row: tuple[int, int, datetime, int], stored_at: datetime, checksum: int
) -> None:
    """The checksum of an event follows from microseconds since 2000, its offset and its number."""
    assert _checksum(row, at=stored_at) == checksum


@pytest.fixture(scope="module")
def arrival_in_sql() -> Iterator[Callable[[int, int, int, int, int], int]]:
    """Return ``ops.arrival_of`` of the schema, computed by DuckDB; times are PostgreSQL's."""
    schema = Path(__file__).parents[4] / "db" / "schema" / "functions" / "ops.arrival_of.sql"
    _, _, body = schema.read_text(encoding="utf-8").partition("RETURN ")
    with duckdb.connect(":memory:") as database:
        database.execute("CREATE MACRO timestamptz_send(moment) AS moment")
        database.execute(
            "CREATE MACRO arrival_of(shard_seq, sent_at, ingested_at, kafka_partition,"
            " kafka_offset) AS " + body.partition(";")[0]
        )

        def ask(*values: int) -> int:
            found = database.execute(
                "SELECT arrival_of(?::bigint, ?::bigint, ?::bigint, ?::integer, ?::bigint)", values
            ).fetchone()
            assert found is not None
            return int(found[0])

        yield ask


@settings(max_examples=25)
@given(
    number=NUMBERS,
    sent=MOMENTS,
    stored_at=MOMENTS,
    partition=st.integers(0, 2**31 - 1),
    offset=NUMBERS,
)
def test_equals_the_sql(
    arrival_in_sql: Callable[[int, int, int, int, int], int],
    number: int,
    sent: datetime,
    stored_at: datetime,
    partition: int,
    offset: int,
) -> None:
    """The stream computes the number that the SQL function of the schema returns."""
    sent_us, stored_us = ((moment - EPOCH) // MICROSECOND for moment in (sent, stored_at))

    found = _checksum((0, number, sent, offset), at=stored_at, partition=partition)
    assert found == arrival_in_sql(number, sent_us, stored_us, partition, offset)
