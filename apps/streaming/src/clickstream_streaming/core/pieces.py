"""The pieces of a rebuild: ranges of days that it computes one after the other.

Owns how days become pieces, so that a piece has enough events to be worth a statement, and few
enough to compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Piece", "covering", "pieces_of"]

_LEAST_BYTES = 256 << 20
"""About half a million events."""


@dataclass(frozen=True)
class Piece:
    """A range of days, UTC.

    Attributes:
        since: The first day; ``None`` if there is no first one.
        until: The day after the last one; ``None`` if there is no last one.
    """

    since: date | None
    until: date | None

    def values(self) -> dict[str, object]:
        """Return the values for the placeholders of statements."""
        return {"since": self.since or "-infinity", "until": self.until or "infinity"}


def pieces_of(
    days: Iterable[tuple[date, int]], whole: Piece, least_bytes: int = _LEAST_BYTES
) -> list[Piece]:
    """Return the pieces of a range: one for each large day; small days share one.

    Args:
        days: The days with events and the size of their tables in bytes, in order.
        whole: The range.
        least_bytes: The least size of a piece, except the last one.
    """
    ends: list[date | None] = []
    size = 0
    for day, size_bytes in days:
        end = day + timedelta(days=1)
        if (whole.since and end <= whole.since) or (whole.until and end >= whole.until):
            continue
        size += size_bytes
        if size >= least_bytes:
            ends.append(end)
            size = 0
    bounds = [whole.since, *ends, whole.until]
    return [Piece(since, until) for since, until in pairwise(bounds)]


def covering(pieces: Sequence[Piece], numbers: Iterable[int], days: Iterable[date]) -> Piece:
    """Return the range from the first to the last of some pieces.

    Args:
        pieces: All pieces, in order.
        numbers: The places of some pieces in ``pieces``.
        days: Days; their pieces count too. A day outside of all pieces opens the range.
    """
    reached = [pieces[number] for number in numbers]
    everywhere = Piece(None, None)
    reached += [next((one for one in pieces if _has(one, day)), everywhere) for day in days]
    starts = [one.since for one in reached]
    ends = [one.until for one in reached]
    return Piece(
        None if None in starts else min(filter(None, starts), default=None),
        None if None in ends else max(filter(None, ends), default=None),
    )


def _has(piece: Piece, day: date) -> bool:
    return (piece.since is None or piece.since <= day) and (
        piece.until is None or day < piece.until
    )
