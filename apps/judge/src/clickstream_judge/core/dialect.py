"""The SQL that differs between engines, as data.

Owns the dialects, and the family of each engine's types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

__all__ = ["DUCKDB", "POSTGRES", "Dialect", "Family", "quoted", "quoted_table", "text_literal"]


class Family(Enum):
    """The families of column types that the judge can read."""

    TEXT = "text"
    UUID = "uuid"
    INTEGER = "whole number"
    FRACTION = "number"
    TIMESTAMP = "time"
    OTHER = "other"


_FAMILIES = (
    (Family.TIMESTAMP, r"(timestamp|datetime)"),
    (Family.UUID, r"uuid$"),
    (Family.TEXT, r"(varchar|character|text|enum|bpchar|string|name$|(.*\.)?citext$)"),
    # DuckDB's type for a column of JSON lines in which no line has a value.
    (Family.TEXT, r'"null"$'),
    (Family.INTEGER, r"(u?(tiny|small|big|huge)?int(eger)?$|int[248]$)"),
    (Family.FRACTION, r"(decimal|numeric|double|float|real)"),
)


_PART = r'(?:"(?:[^"]|"")+"|[^."]+)'
"""A part of a table's name."""


@dataclass(frozen=True)
class Dialect:
    """One engine's SQL.

    Attributes:
        milliseconds: Unix milliseconds of a time with a zone, ``{0}``; a whole number, and none for
            an infinite time.
        text_to_time: A time with a zone from text, ``{}``.
        divide: The operator for whole numbers without a remainder.
        decimal: A decimal from a number, ``{0}``; none for infinity and what is no number.
        text_to_decimal: A decimal from a text, ``{0}``; none if the text is no number.
        hash_number: A whole number from a text's first hexadecimal digits of MD5, ``{}``.
        order: What makes a text order by its bytes, ``{}``.
    """

    milliseconds: str
    text_to_time: str
    divide: str
    decimal: str
    text_to_decimal: str
    hash_number: str
    order: str

    def family(self, type_name: str) -> Family:
        """Return the family of a type, by the engine's name for it."""
        lowered = type_name.lower()
        if lowered.endswith("[]"):
            return Family.OTHER
        for family, pattern in _FAMILIES:
            if re.match(pattern, lowered):
                return family
        return Family.OTHER


DUCKDB = Dialect(
    milliseconds="epoch_ms(CAST({} AS TIMESTAMPTZ))",
    text_to_time="TRY_CAST({} AS TIMESTAMPTZ)",
    divide="//",
    decimal="TRY_CAST({0} AS decimal(24, 6))",
    text_to_decimal="TRY_CAST({0} AS decimal(24, 6))",
    hash_number="CAST('0x' || substr(md5({}), 1, 15) AS BIGINT)",
    order="{}",
)

POSTGRES = Dialect(
    milliseconds="CASE WHEN isfinite(CAST({0} AS timestamptz)) THEN"
    " CAST(floor(extract(epoch FROM CAST({0} AS timestamptz)) * 1000) AS bigint) END",
    text_to_time="CAST({} AS timestamptz)",
    divide="/",
    decimal="CASE WHEN CAST({0} AS text) NOT IN ('NaN', 'Infinity', '-Infinity')"
    " THEN CAST({0} AS numeric) END",
    text_to_decimal="CASE WHEN {0} ~ '^[ ]*[+-]?[0-9]{{1,18}}([.][0-9]+)?[ ]*$'"
    " THEN CAST({0} AS numeric) END",
    hash_number="CAST(CAST(('x' || substr(md5({}), 1, 15)) AS bit(60)) AS bigint)",
    order='{} COLLATE "C"',
)


def quoted(name: str) -> str:
    """Return a name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def quoted_table(name: str) -> str:
    """Return a table's name as SQL; a part with a dot is in double quotes, as in SQL."""
    parts = re.findall(_PART, name) if re.fullmatch(f"{_PART}([.]{_PART})*", name) else [name]
    names = [
        part[1:-1].replace('""', '"') if part.startswith('"') and len(part) > 1 else part
        for part in parts
    ]
    return ".".join(quoted(part) for part in names)


def text_literal(value: str) -> str:
    """Return a text as SQL."""
    return "'" + value.replace("'", "''") + "'"
