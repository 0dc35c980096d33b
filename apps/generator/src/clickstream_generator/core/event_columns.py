"""Encoded events as columns, with the types of the contract's field table.

Turns the JSON of records into an Arrow table, for file formats with columns. The record is the only
source.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.json as pj
from clickstream_contract.events import EVENT_FIELDS, ITEM_FIELDS
from clickstream_contract.fields import FieldType

if TYPE_CHECKING:
    from collections.abc import Collection

    from clickstream_contract.fields import Field

__all__ = ["event_schema", "event_table", "flat_table"]

_BLOCK_BYTES = 4_194_304
"""Bytes that Arrow reads at a time, in parallel."""
_TYPES = {
    FieldType.TEXT: pa.string(),
    FieldType.UUID: pa.string(),
    FieldType.TIMESTAMP: pa.timestamp("ms", tz="UTC"),
    FieldType.INTEGER: pa.int32(),
    FieldType.BIGINT: pa.int64(),
}


@cache
def event_schema() -> pa.Schema:
    """Return the columns of an event, in the contract's order."""
    return pa.schema([pa.field(row.name, _type(row)) for row in EVENT_FIELDS])


def event_table(values: list[bytes], names: Collection[str] | None = None) -> pa.Table:
    """Return events as a table of :func:`event_schema`.

    Args:
        values: Encoded events; each one valid.
        names: The columns to return; all if absent. Fewer are faster.
    """
    table = _parsed(values, names)
    # Arrow does not read a time ending with Z as a timestamp: read it as text, then cast.
    return table.cast(pa.schema([event_schema().field(name) for name in table.column_names]))


def flat_table(values: list[bytes]) -> pa.Table:
    """Return events as a table without nesting: order lines and times are text.

    Args:
        values: Encoded events; each one valid.
    """
    table = _parsed(values)
    place = table.schema.get_field_index("items")
    lines = [
        None if row is None else json.dumps(row, ensure_ascii=False)
        for row in table["items"].to_pylist()
    ]
    return table.set_column(place, "items", pa.array(lines, pa.string()))


def _parsed(values: list[bytes], names: Collection[str] | None = None) -> pa.Table:
    """Return events as a table of some columns; times are text."""
    schema = pa.schema(
        [
            pa.field(row.name, pa.string() if row.type is FieldType.TIMESTAMP else _type(row))
            for row in EVENT_FIELDS
            if names is None or row.name in names
        ]
    )
    others = "error" if names is None else "ignore"
    return pj.read_json(
        pa.BufferReader(b"\n".join(values)),
        read_options=pj.ReadOptions(block_size=_BLOCK_BYTES),
        parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior=others),
    )


def _type(row: Field) -> pa.DataType:
    if row.type is FieldType.ITEMS:
        return pa.list_(pa.struct([pa.field(item.name, _TYPES[item.type]) for item in ITEM_FIELDS]))
    return _TYPES[row.type]
