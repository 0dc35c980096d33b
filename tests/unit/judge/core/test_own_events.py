"""The mapping of the project's own events."""

from __future__ import annotations

import re
from pathlib import Path

from clickstream_judge.core.fields import FIELDS
from clickstream_judge.core.mapping import EngineName, Given, parse_mapping
from clickstream_judge.core.own_events import OWN_EVENTS

_TABLE = Path(__file__).parents[4] / "db" / "schema" / "raw" / "events.sql"


def test_every_field_is_compared() -> None:
    """The mapping has each field that the judge can compare, and leaves out other runs."""
    mapping = parse_mapping(OWN_EVENTS, Given(truth="/run", connection="host=db"))

    assert set(mapping.result.columns) == set(FIELDS)
    assert (mapping.result.engine, mapping.result.only_this_run) == (EngineName.POSTGRES, True)
    assert (mapping.truth.run, mapping.result.connection) == ("/run", "host=db")


def test_table_has_the_columns() -> None:
    """Each column of the mapping is in the table."""
    text = _TABLE.read_text(encoding="utf-8")
    mapping = parse_mapping(OWN_EVENTS, Given(truth="/run", connection="host=db"))

    assert f"CREATE TABLE {mapping.result.table} (" in text
    there = set(re.findall(r"^    (\w+) \w+", text, re.MULTILINE))
    assert {column.column for column in mapping.result.columns.values()} <= there
