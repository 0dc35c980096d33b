"""A counter is written once: the schema's files and all statements follow from its definition."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_streaming.core.sql.columns import Column
from clickstream_streaming.core.sql.event_marts import TRAFFIC
from clickstream_streaming.core.sql.mart_checks import definition_check
from clickstream_streaming.core.sql.mart_steps import added
from clickstream_streaming.core.sql.marts import MARTS
from generate import differences
from schema_parts import PARTS, SCHEMA, renewed_schema, schema_files, table_parts, view_parts

_GROWN = replace(
    TRAFFIC[2],
    fields=(
        *TRAFFIC[2].fields,
        Column("wish_events", "bigint", "Events named wish.", "count(wish)", merge="sum"),
    ),
)
_FILES = schema_files()


def test_counter_is_written_once() -> None:
    """A column that a definition gets is in the table, its comments, batches and verification."""
    parts = table_parts(_GROWN)

    assert "\nwish_events bigint NOT NULL,\n" in parts["columns"]
    for found, relation in ((parts, _GROWN.written_table), (view_parts(_GROWN), _GROWN.table)):
        comment = f"COMMENT ON COLUMN {relation}.wish_events IS 'Events named wish.';"
        assert comment in found["comments"]
    assert "\n    sum(wish_events)::bigint AS wish_events\n" in view_parts(_GROWN)["view"]
    assert "count(wish) AS wish_events" in _GROWN.select
    assert "wish_events = known.wish_events + excluded.wish_events" in added(_GROWN, "new_events")
    assert definition_check(_GROWN).query.count("wish_events") >= 4


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_event_names_are_derived(name: str) -> None:
    """No file of a table or of its view names an event's counter by hand."""
    for path, parts in PARTS.items():
        by_hand = renewed_schema((SCHEMA / path).read_text("utf-8"), dict.fromkeys(parts, ""))
        assert not re.search(rf"\b{name}_events\b", by_hand), path


@pytest.mark.parametrize("path", _FILES)
def test_file_marks_each_of_its_parts(path: str) -> None:
    """Each part has one place in its file, and other files have none."""
    marked = re.findall(r"^ *-- derived: (\w+)$", _FILES[path], re.MULTILINE)

    assert sorted(marked) == sorted(PARTS[path.removeprefix("db/schema/")])


def test_no_other_file_is_derived() -> None:
    """A file that marks a part is in the list."""
    marking = {
        str(file.relative_to(SCHEMA))
        for file in SCHEMA.rglob("*.sql")
        if "-- derived: " in file.read_text("utf-8")
    }

    assert marking == set(PARTS)
    assert {mart.written_table.replace(".", "/") + ".sql" for mart in MARTS} <= marking
    assert {f"views/{mart.table}.sql" for mart in MARTS if mart.is_shared} <= marking


@pytest.mark.parametrize("path", _FILES)
def test_planted_edit_is_shown(path: str) -> None:
    """An edit of a derived column is a difference."""
    part, text = next(iter(PARTS[path.removeprefix("db/schema/")].items()))
    line = text.splitlines()[0]
    edited = (SCHEMA.parents[1] / path).read_text("utf-8").replace(line, f"{line} -- edited", 1)

    renewed = renewed_schema(edited, PARTS[path.removeprefix("db/schema/")])

    assert "-- edited" in edited
    assert renewed == _FILES[path], part
    assert differences({path: edited}) != []
