"""Rows for COPY have PostgreSQL's documented binary format."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pytest
from clickstream_streaming.core import binary_rows
from clickstream_streaming.core.binary_rows import BinaryRows
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

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
EMPTY = dict.fromkeys(TYPES)
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.none() | st.uuids().map(str),
            "name": st.none() | _TEXT,
            "at": st.none() | st.datetimes(datetime(1900, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  given behind
            "small": st.none() | st.integers(-(2**31), 2**31 - 1),
            "large": st.none() | st.integers(-(2**63), 2**63 - 1),
            "more": st.none() | _TEXT.map(json.dumps),
            "bytes": st.none() | st.binary(),
        }
    )
)


def _taken_apart(data: bytes) -> list[list[bytes | None]]:
    """Return the fields of each row, read as PostgreSQL documents the form."""
    assert data.startswith(HEADER)
    at = len(HEADER)
    rows: list[list[bytes | None]] = []
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
    """Return the bytes that PostgreSQL's own send functions give for a row."""
    since = datetime(2000, 1, 1, tzinfo=UTC)
    write: dict[str, Callable[[Any], bytes]] = {
        "id": lambda value: UUID(value).bytes,
        "name": str.encode,
        "at": lambda value: struct.pack(">q", (value - since) // timedelta(microseconds=1)),
        "small": lambda value: struct.pack(">i", value),
        "large": lambda value: struct.pack(">q", value),
        "more": lambda value: b"\x01" + value.encode(),
        "bytes": bytes,
    }
    return [None if row[name] is None else write[name](row[name]) for name in TYPES]


def _rows(*rows: dict[str, Any]) -> BinaryRows:
    return BinaryRows(pa.Table.from_pylist([EMPTY | row for row in rows], ARROW), TYPES)


def _numbered(size: int) -> list[dict[str, Any]]:
    return [
        EMPTY | {"name": str(at), "small": at, "large": -at, "bytes": b""} for at in range(size)
    ]


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("id", "00010203-0405-0607-0809-0a0b0c0d0e0f", bytes(range(16))),
        ("name", "aé", b"a\xc3\xa9"),
        ("name", "", b""),
        ("at", datetime(2000, 1, 1, tzinfo=UTC), bytes(8)),
        ("at", datetime(2000, 1, 1, 0, 0, 0, 1, tzinfo=UTC), b"\0\0\0\0\0\0\0\x01"),
        ("at", datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), b"\xff" * 8),
        ("small", 1, b"\0\0\0\x01"),
        ("small", -2, b"\xff\xff\xff\xfe"),
        ("large", 2**32, b"\0\0\0\x01\0\0\0\0"),
        ("more", "{}", b"\x01{}"),
        ("bytes", b"\xff\0", b"\xff\0"),
        ("bytes", b"", b""),
    ],
)
def test_value_has_exact_bytes(name: str, value: object, field: bytes) -> None:
    """One value is the header, a row of one field with its size and bytes, and the trailer."""
    data = b"".join(_rows({name: value}).of([name]))

    size = struct.pack(">i", len(field))
    assert data == HEADER + b"\0\x01" + size + field + TRAILER


@pytest.mark.parametrize("name", TYPES)
def test_null_has_no_bytes(name: str) -> None:
    """A null has the size -1, alone and beside a value."""
    value = {"id": str(UUID(int=7)), "name": "a", "at": datetime(2020, 1, 1, tzinfo=UTC),
             "small": 1, "large": 2, "more": "{}", "bytes": b"b"}  # fmt: skip

    alone = b"".join(_rows({}).of([name]))
    beside = b"".join(_rows(value, {}, value).of([name]))

    assert alone == HEADER + b"\0\x01" + b"\xff\xff\xff\xff" + TRAILER
    expected = _sent(value)[list(TYPES).index(name)]
    assert _taken_apart(beside) == [[expected], [None], [expected]]


@pytest.mark.parametrize("name", TYPES)
def test_no_rows_are_header_and_trailer(name: str) -> None:
    """Without rows there is only the frame."""
    assert list(_rows().of([name])) == [HEADER, TRAILER]


def test_row_has_its_columns_in_order() -> None:
    """The fields of a row come in the order that is asked for."""
    rows = _rows({"name": "a", "small": 1, "bytes": b"b"})

    data = b"".join(rows.of(["bytes", "small", "name"]))

    assert _taken_apart(data) == [[b"b", struct.pack(">i", 1), b"a"]]
    assert data[len(HEADER) :][:2] == b"\0\x03"


@given(_ROWS)
def test_rows_come_back(rows: list[dict[str, Any]]) -> None:
    """PostgreSQL reads the same values and nulls."""
    data = b"".join(_rows(*rows).of(list(TYPES)))

    assert _taken_apart(data) == [_sent(row) for row in rows]


def test_tables_get_different_columns() -> None:
    """The bytes for one table do not depend on those for another one."""
    row = {"name": "a", "small": 1, "large": 2}
    rows = _rows(row, row | {"name": None})

    first, second = b"".join(rows.of(["name", "small"])), b"".join(rows.of(["large", "name"]))

    small, large = struct.pack(">i", 1), struct.pack(">q", 2)
    assert _taken_apart(first) == [[b"a", small], [None, small]]
    assert _taken_apart(second) == [[large, b"a"], [large, None]]


@pytest.mark.parametrize(("size", "pieces"), [(1, 3), (4_096, 3), (4_097, 4), (8_193, 5)])
def test_piece_has_4096_rows(size: int, pieces: int) -> None:
    """Between header and trailer each piece has at most 4,096 rows, and none is lost."""
    rows = _numbered(size)

    found = list(_rows(*rows).of(["small"]))

    assert len(found) == pieces
    assert _taken_apart(b"".join(found)) == [[struct.pack(">i", at)] for at in range(size)]


def test_table_of_parts_is_one_table() -> None:
    """A table in several chunks is written row after row."""
    rows = _numbered(10_000)
    table = pa.Table.from_pylist(rows, ARROW)
    parts = pa.concat_tables([table.slice(0, 17), table.slice(17, 5_000), table.slice(5_017)])

    data = b"".join(BinaryRows(parts, TYPES).of(list(TYPES)))

    assert _taken_apart(data) == [_sent(row) for row in rows]


def test_large_rows_are_cut_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece with too many bytes is cut until a part fits or is a single row."""
    monkeypatch.setattr(binary_rows, "_CHUNK_BYTES", 10_000)
    rows = [
        EMPTY
        | {"name": "x" * (at % 7) * 1_000, "small": at, "large": -at}
        | {"bytes": b"y" * (at % 3) * 9_000}
        for at in range(1_000)
    ]

    pieces = list(_rows(*rows).of(list(TYPES)))

    assert max(map(len, pieces)) < 30_000
    assert _taken_apart(b"".join(pieces)) == [_sent(row) for row in rows]


def test_limit_of_bytes_is_inclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of exactly as many bytes as allowed stay together; one byte more is cut."""
    table = pa.table({"bytes": pa.array([b"abc"] * 4, pa.binary())})

    counts = []
    for limit in (table.nbytes, table.nbytes - 1):
        monkeypatch.setattr(binary_rows, "_CHUNK_BYTES", limit)
        counts.append(len(list(BinaryRows(table, TYPES).of(["bytes"]))))

    assert counts == [3, 4]


def test_limit_of_bytes_suits_arrow() -> None:
    """Arrow counts a column's bytes with 31 bits, so a piece has a quarter of a GiB at most."""
    assert binary_rows._CHUNK_BYTES == 2**28
