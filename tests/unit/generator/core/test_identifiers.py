"""Identifiers: UUIDs made of run, shard and number, and are never the same."""

from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest
from clickstream_contract.identifiers import run_prefix
from clickstream_generator.core.identifiers import MAX_SHARDS, TAIL_BYTES, write_tails
from hypothesis import given
from hypothesis import strategies as st

RUN_ID = UUID("00000000-0000-4000-8000-000000000007")


def _tail(shard: int, number: int) -> str:
    target = np.zeros((1, TAIL_BYTES), dtype=np.uint8)
    write_tails(target, np.array([shard]), np.array([number]))
    return target.tobytes().decode()


@pytest.mark.parametrize(
    ("shard", "number", "tail"),
    [
        (0, 1, "000-8000-000000000001"),
        (0xABC, 0x0123_4567_89AB_CDEF, "abc-8123-456789abcdef"),
        (4_095, 2**62 - 1, "fff-bfff-ffffffffffff"),
        (0x0F0, 2**61, "0f0-a000-000000000000"),
        (0xF0F, 255, "f0f-8000-0000000000ff"),
    ],
)
def test_tail_tells_shard_and_number(shard: int, number: int, tail: str) -> None:
    """The end of an id has the shard, the variant of RFC 9562 and the number."""
    assert _tail(shard, number) == tail


@given(st.uuids(), st.integers(0, MAX_SHARDS - 1), st.integers(1, 2**62 - 1))
def test_id_is_a_uuid(run_id: UUID, shard: int, number: int) -> None:
    """Prefix and tail are a UUID of version 8 from which shard and number can be read."""
    found = UUID(run_prefix(run_id) + _tail(shard, number))

    assert (found.version, found.variant) == (8, "specified in RFC 4122")
    assert found.int >> 64 & 0xFFF == shard
    assert found.int & (1 << 62) - 1 == number


def test_many_tails_are_written() -> None:
    """Each row of the target gets the tail of its shard and number."""
    target = np.full((2, TAIL_BYTES), ord("x"), dtype=np.uint8)

    write_tails(target, np.array([1, 258]), np.array([2, 3]))

    assert [row.tobytes() for row in target] == [
        b"001-8000-000000000002",
        b"102-8000-000000000003",
    ]


def test_id_has_its_length() -> None:
    """Prefix and tail together are a UUID's text; the shard has three digits of it."""
    assert len(run_prefix(RUN_ID)) + TAIL_BYTES == 36
    assert MAX_SHARDS == 4_096
