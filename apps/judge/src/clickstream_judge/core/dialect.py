"""The SQL that differs between engines, as data.

Owns the dialects, and the family of each engine's types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

__all__ = ["DUCKDB", "POSTGRES", "Dialect", "Family", "quoted", "text_literal"]


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
    (Family.TEXT, r"(varchar|character|text|enum|bpchar|string|name$)"),
    (Family.INTEGER, r"(u?(tiny|small|big|huge)?int(eger)?$|int[248]$)"),
    (Family.FRACTION, r"(decimal|numeric|double|float|real)"),
)


@dataclass(frozen=True)
class Dialect:
    """One engine's SQL.

    Attributes:
        milliseconds: Unix milliseconds of a time with a zone, ``{}``; a whole number.
        text_to_time: A time with a zone from text, ``{}``.
        divide: The operator for whole numbers that rounds down.
        hash_number: A whole number from a text's first hexadecimal digits of MD5, ``{}``.
        order: What makes a text order by its bytes, ``{}``.
    """

    milliseconds: str
    text_to_time: str
    divide: str
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
    hash_number="CAST('0x' || substr(md5({}), 1, 15) AS BIGINT)",
    order="{}",
)

POSTGRES = Dialect(
    milliseconds="CAST(floor(extract(epoch FROM CAST({} AS timestamptz)) * 1000) AS bigint)",
    text_to_time="CAST({} AS timestamptz)",
    divide="/",
    hash_number="CAST(CAST(('x' || substr(md5({}), 1, 15)) AS bit(60)) AS bigint)",
    order='{} COLLATE "C"',
)


def quoted(name: str) -> str:
    """Return a name as SQL; the parts of a table's name are separated by a dot."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def text_literal(value: str) -> str:
    """Return a text as SQL."""
    return "'" + value.replace("'", "''") + "'"
