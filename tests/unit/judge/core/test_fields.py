"""Canonical texts and checksums of the truth."""

from __future__ import annotations

import hashlib

import pyarrow as pa
from clickstream_judge.core.fields import (
    CHECKSUM_BITS,
    CHECKSUM_DIGITS,
    FIELDS,
    NULL,
    SEPARATOR,
    UUIDS,
    Comparison,
    checksums,
    truth_texts,
)


def test_texts_of_truth() -> None:
    """Times are milliseconds, numbers have no fraction, absent fields are null."""
    table = pa.table(
        {
            "event_time": pa.array([1_764_000_000_123], pa.timestamp("ms", tz="UTC")),
            "value_minor": pa.array([None], pa.int64()),
            "session_seq": pa.array([3], pa.int32()),
        }
    )

    texts = truth_texts(table, ("event_time", "value_minor", "session_seq"))

    assert [text.to_pylist() for text in texts] == [["1764000000123"], [None], ["3"]]


def test_checksum_is_md5() -> None:
    """A row's checksum is the first 60 bits of the MD5 of its texts."""
    (found,) = checksums([pa.array(["a"]), pa.array([None], pa.string()), pa.array(["Köln"])])

    text = f"a{SEPARATOR}{NULL}{SEPARATOR}Köln"
    assert found == int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:15], 16)


def test_compared_fields() -> None:
    """Order lines and the time of sending are not compared; amounts are money."""
    assert not {"items", "sent_at"} & set(FIELDS)
    assert FIELDS["price_minor"] is Comparison.MONEY
    assert FIELDS["event_id"] is Comparison.TEXT
    assert set(FIELDS) >= UUIDS == {"event_id", "session_id", "run_id", "order_id"}


def test_digits_are_the_bits() -> None:
    """Engines that make a checksum from hexadecimal digits use as many bits as the others."""
    assert 4 * CHECKSUM_DIGITS == CHECKSUM_BITS
