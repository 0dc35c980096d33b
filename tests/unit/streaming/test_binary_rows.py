"""Rows for COPY are what they were, when they are taken apart again."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
from clickstream_streaming.core import binary_rows
from clickstream_streaming.core.binary_rows import BinaryRows
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    import pytest

TYPES = {
    "id": "uuid",
    "name": "text",
    "at": "timestamp with time zone",
    "small": "integer",
    "large": "bigint",
    "more": "jsonb",
    "bytes": "bytea",
}
ARROW = pa.schema(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
        ("small", pa.int32()),
        ("large", pa.int64()),
        ("more", pa.string()),
        ("bytes", pa.binary()),
    ]
)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.none() | st.uuids().map(str),
            "name": st.none() | _TEXT,
            "at": st.none() | st.datetimes(datetime(1900, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  given behind
            "small": st.none() | st.integers(-(2**31), 2**31 - 1),
            "large": st.integers(-(2**63), 2**63 - 1),
            "more": st.none() | _TEXT.map(json.dumps),
            "bytes": st.none() | st.binary(),
        }
    )
)


def _taken_apart(data: bytes) -> list[list[bytes | None]]:
    """Read the form as its documentation tells it."""
    assert data.startswith(b"PGCOPY\n\xff\r\n\0" + bytes(8))
    at, rows = 19, []
    while True:
        (fields,) = struct.unpack_from(">h", data, at)
        at += 2
        if fields < 0:
            assert at == len(data)
            return rows
        row: list[bytes | None] = []
        for _ in range(fields):
            (size,) = struct.unpack_from(">i", data, at)
            at += 4
            row.append(None if size < 0 else data[at : at + size])
            at += max(size, 0)
        rows.append(row)


def _sent(row: dict[str, Any]) -> list[bytes | None]:
    """Return what PostgreSQL's own functions would send of a row."""
    since = datetime(2000, 1, 1, tzinfo=UTC)
    write = {
        "id": lambda value: UUID(value).bytes,
        "name": str.encode,
        "at": lambda value: struct.pack(">q", (value - since) // timedelta(microseconds=1)),
        "small": lambda value: struct.pack(">i", value),
        "large": lambda value: struct.pack(">q", value),
        "more": lambda value: b"\x01" + value.encode(),
        "bytes": bytes,
    }
    return [None if row[name] is None else write[name](row[name]) for name in TYPES]


@settings(deadline=None)
@given(_ROWS)
def test_rows_come_out_as_they_went_in(rows: list[dict[str, Any]]) -> None:
    """Every value and every null stands where the form wants it."""
    table = pa.Table.from_pylist(rows, ARROW)

    assert _taken_apart(b"".join(BinaryRows(table, TYPES).of(list(TYPES)))) == [
        _sent(row) for row in rows
    ]


def test_some_columns_go_one_way_and_others_another() -> None:
    """What a table gets does not depend on what another one got of the same rows before."""
    row = {"id": None, "name": "a", "at": None, "small": 1, "large": 2, "more": "{}", "bytes": b"b"}
    rows = BinaryRows(pa.Table.from_pylist([row, row | {"name": None}], ARROW), TYPES)
    first, again = b"".join(rows.of(["name", "small"])), b"".join(rows.of(["large", "name"]))

    small, large = struct.pack(">i", 1), struct.pack(">q", 2)
    assert _taken_apart(first) == [[b"a", small], [None, small]]
    assert _taken_apart(again) == [[large, b"a"], [large, None]]


def test_many_rows_in_pieces_are_the_same() -> None:
    """A table of many chunks is written row after row, whatever their borders."""
    rows = [
        {"id": None, "name": str(at), "at": None, "small": at, "large": -at, "more": None}
        for at in range(10_000)
    ]
    table = pa.Table.from_pylist([row | {"bytes": b""} for row in rows], ARROW)
    parts = pa.concat_tables([table.slice(0, 17), table.slice(17, 5_000), table.slice(5_017)])

    assert _taken_apart(b"".join(BinaryRows(parts, TYPES).of(list(TYPES)))) == [
        _sent(row | {"bytes": b""}) for row in rows
    ]


def test_rows_too_large_for_one_chunk_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """However large some of them are, none is left out."""
    monkeypatch.setattr(binary_rows, "_CHUNK_BYTES", 10_000)
    rows = [
        {"id": None, "name": "x" * (at % 7) * 1_000, "at": None, "small": at, "large": -at}
        | {"more": None, "bytes": b"y" * (at % 3) * 9_000}
        for at in range(1_000)
    ]
    pieces = list(BinaryRows(pa.Table.from_pylist(rows, ARROW), TYPES).of(list(TYPES)))

    assert max(map(len, pieces)) < 30_000  # a chunk, or a single row: Arrow cuts at 2 GiB
    assert _taken_apart(b"".join(pieces)) == [_sent(row) for row in rows]
