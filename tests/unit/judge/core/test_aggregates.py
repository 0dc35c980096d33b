"""Sums that the truth makes, and their differences to a table."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from clickstream_judge.core.aggregates import Groups, time_key
from clickstream_judge.core.mapping import AggregateTable, KeyName
from clickstream_judge.core.remaking import Chunk
from clickstream_judge.errors import TooMuchToJudge

MINUTE_MS = 60_000


def _chunk(shard: int, *rows: tuple[int, str, str | None, int | None], late: float = 0.0) -> Chunk:
    """Return events: minute, user, product and value of an order."""
    minutes, users, products, values = zip(*rows, strict=True)
    table = pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "session_id": pa.array([f"s{user}" for user in users], pa.string()),
            "product_id": pa.array(products, pa.string()),
            "event_name": ["page_view" if value is None else "purchase" for value in values],
            "value_minor": pa.array(values, pa.int64()),
        }
    )
    time_ms = np.array(minutes, dtype=np.int64) * MINUTE_MS
    size = len(rows)
    encoded = [json.dumps(row).encode() for row in table.to_pylist()]
    fields = frozenset(table.column_names)
    return Chunk(
        shard,
        encoded,
        fields,
        np.arange(size),
        time_ms,
        np.full(size, late),
        np.zeros(size, dtype=bool),
    )


def _table(keys: dict[str, str], *measures: str) -> AggregateTable:
    return AggregateTable.model_validate(
        {"table": "sums", "keys": keys, "measures": {name: name for name in measures}}
    )


def _texts(groups: Groups, *rows: tuple[Any, ...], **more: Any) -> dict[str, tuple[str, ...]]:  # noqa: ANN401  any figure
    return {row.column: row.examples for row in groups.compare(rows, 9, **more)}


def test_sums_over_shards_and_chunks() -> None:
    """Events add up; a user of a minute counts once, also over two chunks."""
    groups = Groups("aggregates.0", _table({"minute": "m"}, "events", "users", "orders", "revenue"))
    groups.add(_chunk(0, (1, "a", None, None), (1, "b", None, 500), (2, "a", None, None)))
    groups.add(_chunk(0, (2, "a", None, 70), (3, "a", None, None)))
    groups.add(_chunk(1, (1, "c", None, None)))

    right = (
        (1 * MINUTE_MS, 3, 3, 1, 500), (2 * MINUTE_MS, 2, 1, 1, 70), (3 * MINUTE_MS, 1, 1, 0, 0)
    )  # fmt: skip
    assert not _texts(groups, *right)
    assert _texts(groups, (MINUTE_MS, 3, 4, 1, None), *right[1:], right[2], (9, 1, 1, 1, 1)) == {
        "sums: users": ("minute 1: expected 3, found 4",),
        "sums: revenue": ("minute 1: expected 500, found None",),
        "sums: groups": (
            "minute 3: the group has several rows", "minute 0: the truth has no such group",
        ),
    }  # fmt: skip
    assert _texts(groups, *right[:2])["sums: groups"] == ("minute 3: the group is missing",)


def test_events_without_a_key() -> None:
    """Events and rows without a value for a key are left out; time may be missing among keys."""
    groups = Groups("aggregates.0", _table({"product": "p"}, "events", "sessions"))
    groups.add(_chunk(0, (1, "a", "P1", None), (1, "a", None, None), (7, "a", "P1", None)))
    groups.add(_chunk(0, (9, "a", None, None)))

    assert not _texts(groups, ("P1", 2, 1), (None, 7, 7))


def test_late_events_may_be_missing() -> None:
    """With a policy, every figure between the sums with and without late events is right."""
    table = _table({"minute": "m"}, "events", "users")
    groups = Groups("aggregates.0", table, dropped_after_seconds=60)
    groups.add(_chunk(0, (1, "a", None, None)))
    groups.add(_chunk(0, (1, "b", None, None), (2, "b", None, None), late=90))

    assert not _texts(groups, (MINUTE_MS, 1, 1), (2 * MINUTE_MS, 1, 1))
    assert not _texts(groups, (MINUTE_MS, 2, 2))
    assert _texts(groups, (MINUTE_MS, 3, 2)) == {
        "sums: events": ("minute 1: expected 1 to 2, found 3",)
    }


def test_open_groups_are_left_out() -> None:
    """During the run, only groups that are over are compared."""
    groups = Groups("aggregates.0", _table({"hour": "h"}, "events"), until=90)
    groups.add(_chunk(0, (1, "a", None, None), (70, "a", None, None)))

    assert not _texts(groups, (0, 1), (60 * MINUTE_MS, 99))


def test_days_of_a_zone() -> None:
    """A day begins at local midnight; a date and a time name the same day."""
    table = _table({"day": "d"}, "events").model_copy(update={"time_zone": "Europe/Berlin"})
    groups = Groups("aggregates.0", table, until=10_000)
    late_evening = 23 * 60 + 30  # of 1 January in UTC, half past midnight in Berlin
    groups.add(_chunk(0, (late_evening, "a", None, None)))

    assert not _texts(groups, (1440 * MINUTE_MS, 1), is_date=True)
    assert not _texts(groups, (23 * 60 * MINUTE_MS, 1))
    assert time_key(np.array([0]), KeyName.DAY, "UTC").tolist() == [0]


def test_only_days_have_a_zone() -> None:
    """An hour begins with the hour in UTC, also in a zone with half an hour."""
    moment = np.array([31 * MINUTE_MS])

    assert time_key(moment, KeyName.HOUR, "Asia/Kolkata").tolist() == [0]
    assert time_key(moment, KeyName.DAY, "Asia/Kolkata").tolist() == [0]
    assert time_key(moment, KeyName.DAY, "America/New_York").tolist() == [-1440]


@pytest.mark.parametrize(
    ("zone", "until", "is_compared"),
    [
        ("UTC", 1_439, False),
        ("UTC", 1_440, True),
        ("Europe/Berlin", 2_279, False),
        ("Europe/Berlin", 2_280, True),
    ],
)
def test_day_of_a_zone_ends_late(zone: str, until: int, *, is_compared: bool) -> None:
    """A day is compared once it is over: in UTC, or 14 hours later in a zone."""
    table = _table({"day": "d"}, "events").model_copy(update={"time_zone": zone})
    groups = Groups("aggregates.0", table, until=until)
    groups.add(_chunk(0, (600, "a", None, None)))

    assert bool(_texts(groups, (0, 99), is_date=True)) == is_compared


def test_differences_are_counted() -> None:
    """A measure has the number of its differences, also of those without an example."""
    groups = Groups("aggregates.0", _table({"minute": "m"}, "events"))
    groups.add(_chunk(0, *((minute, "a", None, None) for minute in range(3))))

    (found,) = groups.compare([(at * MINUTE_MS, 7) for at in range(3)], 1)
    assert (found.count, len(found.examples)) == (3, 1)


def test_groups_are_bounded() -> None:
    """Too many groups are an error, not a lack of memory."""
    groups = Groups("aggregates.0", _table({"minute": "m"}, "events"), most=2)

    with pytest.raises(TooMuchToJudge, match=r"aggregates\.0: the run has more than 2 groups"):
        groups.add(_chunk(0, *((minute, "a", None, None) for minute in range(3))))


def test_groups_with_events_to_come() -> None:
    """During the run, a group with a late event that is still to come is left out."""
    groups = Groups("aggregates.0", _table({"hour": "h"}, "events"), until=999)
    groups.add(_chunk(0, (61, "a", None, None), (130, "a", None, None)))

    right = (120 * MINUTE_MS, 1)
    assert not _texts(groups, (60 * MINUTE_MS, 0), right, open_minutes={75})
    assert _texts(groups, (60 * MINUTE_MS, 0), right)
    assert groups.has_time


def test_todays_open_groups_are_absent() -> None:
    """The group of an open minute is found many years after 1970."""
    hour = 29_400_000
    groups = Groups("aggregates.0", _table({"hour": "h"}, "events"), until=hour + 999)
    groups.add(_chunk(0, (hour + 1, "a", None, None)))

    assert not _texts(groups, (hour * MINUTE_MS, 0), open_minutes={hour + 15})
    assert _texts(groups, (hour * MINUTE_MS, 0), open_minutes={hour + 60})


def test_keys_are_printable() -> None:
    """A key of the result is shown without control characters, and cut."""
    groups = Groups("aggregates.0", _table({"product": "p"}, "events"))
    groups.add(_chunk(0, (1, "a", "P1", None)))

    (text, _) = _texts(groups, ("\x1b[31m" + "y" * 5000, 1))["sums: groups"]
    assert text.isprintable()
    assert len(text) < 200
    assert not groups.has_time
