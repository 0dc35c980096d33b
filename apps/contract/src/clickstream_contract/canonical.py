"""The canonical text of an event, from which the ledger's ``content_checksum`` is made.

Owns the text, which Python and SQL build from the same table of fields, and each event's part of
its minute's checksum. The canonical text is the generator's record with a fixed ``sent_at``: fields
in the contract's order, absent fields left out, order lines as PostgreSQL prints ``jsonb``. So the
generator already has the text, and PostgreSQL rebuilds it from the stored columns.

``sent_at`` is fixed because it is not reproducible: an event that is sent again after a crash gets
another one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from clickstream_contract.events import EVENT_FIELDS, ITEM_FIELDS
from clickstream_contract.fields import Field, FieldType

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CHECKSUM_DIVIDEND",
    "CHECKSUM_OFFSET",
    "canonical_text",
    "checksum_sql",
    "sent_at_ending",
    "text_sql",
]

CHECKSUM_DIVIDEND: Final = 2**63 - 1
CHECKSUM_OFFSET: Final = 2**32
"""An event adds ``CHECKSUM_DIVIDEND % (CHECKSUM_OFFSET + crc32c(text))`` to its minute.

A sum of plain CRCs would miss two swapped values: a CRC is linear, so both events' CRCs change in
the same bits, and the sum is unchanged whenever these bits are opposite in the two CRCs. The
remainder is not linear.
"""

_FIXED_SENT_AT = "0000-00-00T00:00:00.000Z"
_DIGITS = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""


def sent_at_ending(sent_at: str = _FIXED_SENT_AT) -> str:
    """Return the end of a record; without an argument, the end of a canonical text."""
    return f',"sent_at":"{sent_at}"}}'


def canonical_text(event: Mapping[str, Any]) -> str:
    """Return the canonical text of an event.

    Args:
        event: A valid event, as JSON values; unknown fields are ignored.
    """
    members = ",".join(
        f'"{field.name}":{_as_json(field, event[field.name])}'
        for field in _covered()
        if event.get(field.name) is not None
    )
    return f"{{{members}{sent_at_ending()}"


def text_sql() -> str:
    """Return the canonical text of a row of ``raw.events``, as an SQL expression."""
    # concat() leaves out nulls, and so the fields that an event does not have.
    first, *others = _covered()
    parts = [
        f"""'{{"{first.name}":' || {_value_sql(first)}""",
        *(f"""',"{field.name}":' || {_value_sql(field)}""" for field in others),
        f"'{sent_at_ending()}'",
    ]
    return f"concat({', '.join(parts)})"


def checksum_sql() -> str:
    """Return the checksum of a row of ``raw.events``, as an SQL expression."""
    crc = f"crc32c(convert_to({text_sql()}, 'UTF8'))"
    return f"mod({CHECKSUM_DIVIDEND}, {CHECKSUM_OFFSET} + {crc})"


def _covered() -> tuple[Field, ...]:
    return tuple(field for field in EVENT_FIELDS if field.name != "sent_at")


def _as_json(field: Field, value: Any) -> str:  # noqa: ANN401  any JSON value
    if field.type is FieldType.ITEMS:
        # jsonb sorts keys by their length, then by their bytes.
        names = sorted((item.name for item in ITEM_FIELDS), key=lambda name: (len(name), name))
        value = [
            {name: line[name] for name in names if line.get(name) is not None} for line in value
        ]
    return json.dumps(value, ensure_ascii=False)


def _value_sql(field: Field) -> str:
    """Return a column as JSON, as an SQL expression that is null for a null."""
    if field.type is FieldType.TEXT:
        return f"to_json({field.name})::text"
    if field.type is FieldType.UUID:
        return f"""'"' || {field.name}::text || '"'"""
    if field.type is FieldType.TIMESTAMP:
        # With microseconds, so that every change shows; whole milliseconds lose their zeros.
        digits = f"to_char({field.name} AT TIME ZONE 'UTC', {_DIGITS})"
        return f"""'"' || replace({digits}, '000Z', 'Z') || '"'"""
    return f"{field.name}::text"
