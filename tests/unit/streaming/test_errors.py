"""Errors of the stream say what is wrong, where, and what to do."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from clickstream_streaming import errors
from clickstream_streaming.core.log_positions import LogPosition
from clickstream_streaming.errors import (
    BatchRowsLost,
    CheckpointBehindDatabase,
    CheckpointMismatch,
    DatabaseBehindCheckpoint,
    DatabaseNotMigrated,
    DatabaseUnreachable,
    DaysDropped,
    LogDiverged,
    PartitionCountMismatch,
    QueryFailed,
    RecordsMissing,
    StreamingError,
    TooFewLocks,
    TopicMissing,
    TopicRecreated,
)

FOLDER = Path("/c/events")
EXAMPLES: list[StreamingError] = [
    CheckpointMismatch(FOLDER, ["schema: a there, b here", "query: c there, d here"]),
    CheckpointBehindDatabase(FOLDER, 7),
    DatabaseBehindCheckpoint(FOLDER, 7),
    DatabaseNotMigrated("raw.events"),
    DatabaseUnreachable("db:5432/clickstream", "FATAL:  no"),
    RecordsMissing("events", 1, 20, (30, 90), FOLDER),
    TopicMissing("events", "unknown topic", "SETTING"),
    PartitionCountMismatch("events", 3, 4),
    QueryFailed("events", "it fell"),
    BatchRowsLost(7, ["events/0", "events/3"]),
    DaysDropped(date(2026, 1, 31)),
    LogDiverged("events", 1, LogPosition("abc", 20, 3), FOLDER),
    TopicRecreated("events", ("abc", "def"), FOLDER),
    TooFewLocks(3_000, 9_200, 6_400, 184),
]


def test_every_error_has_example() -> None:
    """The examples here are all errors that the module exports."""
    assert {type(error).__name__ for error in EXAMPLES} | {"StreamingError"} == set(errors.__all__)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_text_names_every_field(error: StreamingError) -> None:
    """The text shows the value of each field, so that the log alone is enough."""
    text = " ".join(str(error).split())

    for name in vars(error).keys() - {"is_refusal"}:
        for part in _shown(error, name):
            assert " ".join(str(part).split()) in text, name


def _shown(error: StreamingError, name: str) -> list[object]:
    """Return the parts of a field that the text shows."""
    value = getattr(error, name)
    if isinstance(error, RecordsMissing) and name == "has":
        return [error.has[0]]
    return list(value) if isinstance(value, list) else [value]


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (EXAMPLES[0], "remove the folder"),
        (EXAMPLES[1], "restored to an older state"),
        (EXAMPLES[2], "it was wiped or restored"),
        (EXAMPLES[3], "run the migrations"),
        (EXAMPLES[4], "check CLICKSTREAM_STREAMING_POSTGRES_*"),
        (EXAMPLES[5], "empty ops.batches"),
        (EXAMPLES[7], "set CLICKSTREAM_STREAMING_EVENTS_PARTITIONS"),
        (EXAMPLES[8], "start the stream again"),
        (EXAMPLES[9], "Let a commit wait for the standby"),
        (EXAMPLES[10], "start the stream again"),
        (EXAMPLES[11], "empty ops.batches"),
        (EXAMPLES[12], "empty ops.batches"),
        (EXAMPLES[13], "set max_locks_per_transaction to 184 or more"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_text_gives_advice(error: StreamingError, advice: str) -> None:
    """Each error says what to do about it."""
    assert advice in str(error)


@pytest.mark.parametrize(
    ("wanted", "has", "says"),
    [
        (20, (30, 90), "deleted the 10 records before 30"),
        (29, (30, 90), "deleted the 1 records before 30"),
        (20, (0, 5), "ends before 5: its broker was"),
        (30, (30, 20), "ends before 20: its broker was"),
    ],
)
def test_gone_records_have_causes(wanted: int, has: tuple[int, int], says: str) -> None:
    """Records that were deleted and a log that has lost its end are different causes."""
    assert says in str(RecordsMissing("events", 1, wanted, has, FOLDER))


@pytest.mark.parametrize(
    ("reason", "is_refusal"),
    [
        ('FATAL:  password authentication failed for user "stream"', True),
        ('FATAL:  database "shop" does not exist', True),
        ("FATAL:  the database system is starting up", False),
        ("FATAL:  the database system is shutting down", False),
        ("connection refused", False),
        ("", False),
    ],
)
def test_refusal_is_not_absence(reason: str, is_refusal: bool) -> None:  # noqa: FBT001  a case
    """Only a server that has answered, and would answer the same again, refuses."""
    assert DatabaseUnreachable("db:5432/clickstream", reason).is_refusal is is_refusal


def test_reasons_are_one_line() -> None:
    """Line breaks in messages of PostgreSQL and Spark do not break a log line."""
    for error in (DatabaseUnreachable("db", "a\n  b\tc"), QueryFailed("events", "a\n  b\tc")):
        assert "a b c" in str(error)
        assert "\n" not in str(error)


def test_long_reason_is_cut() -> None:
    """The text has the first 400 characters of Spark's message."""
    text = str(QueryFailed("events", "x" * 401))

    assert "x" * 400 in text
    assert "x" * 401 not in text


def test_missing_topic_blames_setting() -> None:
    """The text names the setting that may be wrong, else the topic and the servers."""
    blamed = str(TopicMissing("events", "no", "SETTING"))
    unknown = str(TopicMissing("events", "no"))

    assert blamed == "cannot read the topic events: no; check SETTING"
    assert unknown == (
        "cannot read the topic events: no; create it, or check"
        " CLICKSTREAM_STREAMING_BOOTSTRAP_SERVERS"
    )
