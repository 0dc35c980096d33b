"""The fields of an event that the judge compares, and the text in which it compares them.

Owns the canonical text of each field, which :mod:`clickstream_judge.core.statements` makes in the
engine and this module makes from the truth, and the checksum of a row, whose sum per minute shows
whether two sets of rows differ. A row's checksum is the first 60 bits of the MD5 of its texts:
every engine has MD5, and no one attacks it here.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.fields import FieldType

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CHECKSUM_BITS", "CHECKSUM_DIGITS", "FIELDS", "IDENTITY", "NULL", "SEPARATOR", "UUIDS",
    "Comparison", "checksums", "truth_texts",
]  # fmt: skip


class Comparison(Enum):
    """How a field is compared."""

    TEXT = "text"
    INTEGER = "a whole number"
    MONEY = "an amount of money"
    TIME = "a time"


_KINDS = {
    FieldType.TEXT: Comparison.TEXT,
    FieldType.UUID: Comparison.TEXT,
    FieldType.TIMESTAMP: Comparison.TIME,
    FieldType.INTEGER: Comparison.INTEGER,
    FieldType.BIGINT: Comparison.INTEGER,
}

FIELDS: dict[str, Comparison] = {
    row.name: Comparison.MONEY if row.name.endswith("_minor") else _KINDS[row.type]
    for row in EVENT_FIELDS
    if row.type is not FieldType.ITEMS and row.name != "sent_at"
}
"""The fields that a mapping may name; order lines and ``sent_at`` are not compared."""

UUIDS = frozenset(row.name for row in EVENT_FIELDS if row.type is FieldType.UUID)
"""The fields whose letters may be of either case."""

IDENTITY = ("event_id", "event_time")
"""The fields that are not compared as values: they say which event it is, and in which minute."""

SEPARATOR, NULL = "\x1f", "\x1e"
CHECKSUM_DIGITS, CHECKSUM_BITS = 15, 60


def truth_texts(table: pa.Table, names: Sequence[str]) -> list[pa.Array]:
    """Return the canonical texts of events, one array per field; null for an absent field.

    Args:
        table: Events, with the schema of :mod:`clickstream_generator.core.event_columns`.
        names: The fields; times are Unix milliseconds.
    """
    texts = []
    for name in names:
        column = table[name].combine_chunks()
        if FIELDS[name] is Comparison.TIME:
            column = column.cast(pa.int64())
        texts.append(column.cast(pa.string()))
    return texts


def checksums(texts: Sequence[pa.Array]) -> np.ndarray:
    """Return the checksum of each row of texts, as int64.

    Args:
        texts: Arrays of one length, in the order of the statement's fields.
    """
    joined = pc.binary_join_element_wise(
        *texts, SEPARATOR, null_handling="replace", null_replacement=NULL
    )
    digests = b"".join(
        [hashlib.md5(value, usedforsecurity=False).digest()[:8]
         for value in joined.cast(pa.binary()).to_pylist()]
    )  # fmt: skip
    numbers = np.frombuffer(digests, dtype=">u8") >> np.uint64(64 - CHECKSUM_BITS)
    return numbers.astype(np.int64)
