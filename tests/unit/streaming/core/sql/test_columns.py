"""Columns that several marts have, and how a list of columns is selected."""

from __future__ import annotations

from typing import Literal

import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_streaming.core.sql.columns import (
    COUNTERS,
    DIMENSIONS,
    REVENUE,
    Column,
    combined,
    counters,
    names,
    selected,
    start_of,
)


@pytest.mark.parametrize("unit", ["minute", "hour", "day"])
def test_start_is_utc(unit: str) -> None:
    """A moment's unit begins at a whole number of units since 2000, UTC."""
    assert start_of(unit, "at") == (
        f"date_bin('1 {unit}', at, timestamptz '2000-01-01 00:00:00+00')"
    )


def test_column_is_selected_with_its_value() -> None:
    """A column without a value is a column of its source."""
    columns = (Column("day", "date", "Day."), Column("n", "bigint", "Number.", "count(*)"))

    assert selected(columns).split() == ["day,", "count(*)", "AS", "n"]
    assert names(columns) == ("day", "n")


def test_every_event_name_has_a_counter() -> None:
    """The counters are the contract's event names, in its order, and merge by adding."""
    assert names(COUNTERS) == tuple(f"{name}_events" for name in EVENT_NAMES)
    assert names(counters("integer")) == names(COUNTERS)
    for name, column in zip(EVENT_NAMES, COUNTERS, strict=True):
        assert f"FILTER (WHERE event_name = '{name}')" in column.value
        assert column.comment == f"Events named {name}."
    assert {column.merge for column in (*COUNTERS, REVENUE)} == {"sum"}


def test_dimensions_are_no_measures() -> None:
    """What sums are divided by is text."""
    assert names(DIMENSIONS) == ("simulation", "country", "device", "channel")
    assert {column.type for column in DIMENSIONS} == {"text"}


@pytest.mark.parametrize(
    ("merge", "value"), [("sum", "sum(n)::integer"), ("least", "min(n)"), ("greatest", "max(n)")]
)
def test_rows_of_a_key_become_one(merge: Literal["sum", "least", "greatest"], value: str) -> None:
    """A sum keeps the type of its column; the least and the greatest have it."""
    assert combined(Column("n", "integer", "Number.", merge=merge)) == value
