"""The canonical text: of one event one text, and of another event another one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clickstream_contract.canonical import (
    CHECKSUM_DIVIDEND,
    CHECKSUM_OFFSET,
    canonical_text,
    checksum_sql,
    sent_at_ending,
)
from clickstream_contract.events import EVENT_FIELDS, ITEM_FIELDS
from clickstream_contract.fields import Field, FieldType
from clickstream_streaming.core.sample import sample_event

_COVERED = [field for field in EVENT_FIELDS if field.name != "sent_at"]


def _event(field: Field) -> dict[str, Any]:
    return sample_event(field.events[0] if field.events else "page_view")


def _other(field: Field, value: Any) -> Any:  # noqa: ANN401  any JSON value
    if field.type in {FieldType.INTEGER, FieldType.BIGINT}:
        return value + 1
    if field.type is FieldType.ITEMS:
        return [*value, *value]
    return f"{value}x"


@pytest.mark.parametrize("field", _COVERED, ids=lambda field: field.name)
def test_every_field_is_covered(field: Field) -> None:
    """A field that changes, or goes, changes the text."""
    event = _event(field)
    changed = event | {field.name: _other(field, event[field.name])}
    without = {name: value for name, value in event.items() if name != field.name}

    texts = {canonical_text(event), canonical_text(changed), canonical_text(without)}

    assert len(texts) == 3


@pytest.mark.parametrize("item", ITEM_FIELDS, ids=lambda item: item.name)
def test_every_item_field_is_covered(item: Field) -> None:
    """A field of an order's line that changes changes the text."""
    event = sample_event("purchase")
    (line,) = event["items"]

    changed = event | {"items": [line | {item.name: _other(item, line[item.name])}]}

    assert canonical_text(changed) != canonical_text(event)


def test_sent_at_is_not_covered() -> None:
    """Another ``sent_at`` leaves the text as it is."""
    event = sample_event("search")

    later = event | {"sent_at": "2031-01-31T12:00:00.000Z"}

    assert canonical_text(later) == canonical_text(event)


def test_json_layout_does_not_matter() -> None:
    """Order of fields, nulls and unknown fields change nothing."""
    event = sample_event("purchase")
    reordered = dict(reversed(event.items())) | {"referrer": None, "unknown": 1}
    reordered["items"] = [dict(reversed(line.items())) for line in event["items"]]

    assert canonical_text(reordered) == canonical_text(event)


def test_canonical_text_is_json() -> None:
    """But for ``sent_at`` the text says what the event says."""
    event = sample_event("purchase")

    text = canonical_text(event)

    assert json.loads(text) | {"sent_at": event["sent_at"]} == event
    assert text.endswith(sent_at_ending())


def test_values_cannot_pose_as_fields() -> None:
    """A quote in a text is escaped, so that no text of two fields is that of one."""
    event = sample_event("page_view")

    joined = event | {"city": 'A","language":"B'}

    assert canonical_text(joined) != canonical_text(event | {"city": "A", "language": "B"})
    assert json.loads(canonical_text(joined))["city"] == 'A","language":"B'


@pytest.mark.parametrize("field", _COVERED, ids=lambda field: field.name)
def test_sql_reads_every_column(field: Field) -> None:
    """The expression for PostgreSQL names each column that is covered."""
    assert f"""{field.name}":' || """ in checksum_sql()


_FORMS = {
    FieldType.TEXT: "to_json({})::text",
    FieldType.UUID: """'"' || {}::text || '"'""",
    FieldType.TIMESTAMP: """'"' || replace(to_char({} AT TIME ZONE 'UTC', 'YYYY""",
    FieldType.INTEGER: "{}::text",
    FieldType.BIGINT: "{}::text",
    FieldType.ITEMS: "{}::text",
}
"""How a column of each type becomes JSON in PostgreSQL; texts and times are quoted."""


@pytest.mark.parametrize("field", _COVERED, ids=lambda field: field.name)
def test_column_is_written_as_json(field: Field) -> None:
    """Each column is converted to JSON by its type, directly after its name."""
    form = _FORMS[field.type].format(field.name)

    assert f"""{field.name}":' || {form}""" in checksum_sql()


def test_remainder_depends_on_every_bit() -> None:
    """The dividend is the largest bigint; the divisor is above every CRC, so it is never zero."""
    assert CHECKSUM_DIVIDEND == 9_223_372_036_854_775_807
    assert CHECKSUM_OFFSET == 4_294_967_296
    assert checksum_sql().startswith("mod(9223372036854775807, 4294967296 + crc32c(convert_to(")
