"""Dealing shards to workers, and their text form."""

from __future__ import annotations

import pytest
from clickstream_operator.core.shards import assign_shards, format_shards, parse_shards
from hypothesis import given
from hypothesis import strategies as st

_RANGES = 510
_PADDED = ",".join(f"{number:04}-{number:04}" for number in range(_RANGES))
"""5,099 characters: each number takes ten with its comma, the last one nine."""


@pytest.mark.parametrize(
    ("shards", "workers", "hands"),
    [
        (1, 1, ((0,),)),
        (3, 1, ((0, 1, 2),)),
        (4, 2, ((0, 1), (2, 3))),
        (8, 3, ((0, 1), (2, 3, 4), (5, 6, 7))),
        (1, 2, ((), (0,))),
    ],
)
def test_workers_get_neighbouring_shards(
    shards: int, workers: int, hands: tuple[tuple[int, ...], ...]
) -> None:
    """Each worker carries one run of neighbours, in the workers' order."""
    assert assign_shards(shards, workers) == hands


@given(st.integers(1, 1_024), st.integers(1, 64))
def test_shards_are_dealt_evenly(shards: int, workers: int) -> None:
    """Each shard is assigned once, and no worker has two shards more than another."""
    hands = assign_shards(shards, workers)

    assert [number for hand in hands for number in hand] == list(range(shards))
    assert len(hands) == workers
    assert max(map(len, hands)) - min(map(len, hands)) <= 1


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((), ""),
        ((7,), "7"),
        ((0, 1), "0-1"),
        ((0, 2), "0,2"),
        ((7, 2, 0, 1, 3), "0-3,7"),
        ((1_022, 1_023), "1022-1023"),
    ],
)
def test_runs_are_written_as_ranges(numbers: tuple[int, ...], text: str) -> None:
    """Neighbours become one range, in ascending order whatever order was given."""
    assert format_shards(numbers) == text


@given(st.sets(st.integers(0, 1_023)))
def test_written_shards_are_read_back(numbers: set[int]) -> None:
    """Reading returns the set that was written, for every mixture of ranges and numbers."""
    assert parse_shards(format_shards(tuple(numbers))) == numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0", {0}),
        ("1023", {1_023}),
        ("3-3", {3}),
        ("0-1,2", {0, 1, 2}),
        ("0-1023", set(range(1_024))),
        ("007", {7}),
    ],
)
def test_ascending_ranges_are_read(text: str, numbers: set[int]) -> None:
    """A range may be one shard, may touch the next one, and may end at the last shard."""
    assert parse_shards(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "1-", "-1", "1,,2", "1,", "1-2-3", "99999999999", "00001", "1024", "0-1024",
        "0-1023,0-1023", "3-1", "0-1,1", "2,1", "1,1", "\u0661", "1\n",
    ],
)  # fmt: skip
def test_other_texts_hold_no_shards(text: str) -> None:
    """A text that the operator cannot have written is an empty set."""
    assert parse_shards(text) == frozenset()


def test_longest_text_is_read() -> None:
    """A text of 5,120 characters is read; with one more it is refused unread."""
    longest = f"{_PADDED},0600-601,602,603-604"
    assert len(longest) == 5_120
    longer = f"{_PADDED},0600-601,0602,603-604"

    assert parse_shards(longest) == {*range(_RANGES), *range(600, 605)}
    assert parse_shards(longer) == frozenset()
