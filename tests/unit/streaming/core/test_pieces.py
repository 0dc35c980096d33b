"""Pieces of a rebuild: they cover the range without a gap, and each is worth a statement."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from clickstream_streaming.core.pieces import Piece, covering, pieces_of

_FIRST = date(2026, 1, 1)
_DAYS = [(_FIRST + timedelta(days=number), 10 * (number + 1)) for number in range(6)]
"""Six days of 10, 20, ..., 60 bytes."""


def _day(number: int) -> date:
    return date(2026, 1, number)


@pytest.mark.parametrize(
    ("least_bytes", "ends"), [(0, range(2, 8)), (50, [4, 6, 7]), (100, [5, 7]), (1_000, [])]
)
def test_small_days_share_a_piece(least_bytes: int, ends: list[int]) -> None:
    """A piece ends with the day that makes it large enough."""
    found = pieces_of(_DAYS, Piece(None, None), least_bytes)

    assert [piece.until for piece in found] == [*map(_day, ends), None]


@pytest.mark.parametrize("since", [None, _day(1), _day(3)])
@pytest.mark.parametrize("until", [None, _day(5), _day(7), _day(20)])
@pytest.mark.parametrize("least_bytes", [0, 45])
def test_pieces_have_no_gap(since: date | None, until: date | None, least_bytes: int) -> None:
    """They begin where the range does, end where it does, and follow each other."""
    found = pieces_of(_DAYS, Piece(since, until), least_bytes)

    assert (found[0].since, found[-1].until) == (since, until)
    for one, other in pairwise(found):
        assert one.until == other.since
    for piece in found[:-1]:
        assert piece.until is not None
        assert piece.since is None or piece.since < piece.until


def test_no_days_make_one_piece() -> None:
    """Rows without any event are in the only piece."""
    assert pieces_of([], Piece(None, None)) == [Piece(None, None)]


def test_open_ends_are_infinite() -> None:
    """A piece without an end has PostgreSQL's infinity in its place."""
    assert Piece(None, None).values() == {"since": "-infinity", "until": "infinity"}
    assert Piece(_day(1), _day(2)).values() == {"since": _day(1), "until": _day(2)}


@pytest.mark.parametrize(
    ("numbers", "days", "covered"),
    [
        ([1, 2], [], Piece(_day(2), _day(4))),
        ([0], [], Piece(None, _day(2))),
        ([2], [_day(2)], Piece(_day(2), _day(4))),
        ([], [_day(6)], Piece(_day(6), _day(7))),
        ([1], [_day(30)], Piece(_day(2), None)),
        ([], [], Piece(None, None)),
    ],
)
def test_range_covers_pieces(numbers: list[int], days: list[date], covered: Piece) -> None:
    """It reaches from the first of the pieces to the last, with those of the days."""
    pieces = pieces_of(_DAYS, Piece(None, None), 0)

    assert covering(pieces, numbers, days) == covered


def test_days_outside_open_the_range() -> None:
    """A row that began before the first piece may have events there."""
    pieces = pieces_of(_DAYS, Piece(_day(3), _day(5)), 0)

    assert covering(pieces, [0], [_day(4)]) == Piece(_day(3), _day(5))
    assert covering(pieces, [0], [_day(1)]) == Piece(None, None)
