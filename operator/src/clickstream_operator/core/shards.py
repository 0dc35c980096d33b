"""The assignment of shards to workers, and the text form of a set of shards."""

from __future__ import annotations

import re
from itertools import groupby

__all__ = ["assign_shards", "format_shards", "parse_shards"]

_MOST = 1_024
_LONGEST = 5 * _MOST
_SHARDS = re.compile(r"[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*", re.ASCII)


def assign_shards(shards: int, workers: int) -> tuple[tuple[int, ...], ...]:
    """Return each worker's shards: neighbours, in equal parts of ``0 .. shards - 1``."""
    bounds = [shards * worker // workers for worker in range(workers + 1)]
    return tuple(tuple(range(bounds[at], bounds[at + 1])) for at in range(workers))


def format_shards(numbers: tuple[int, ...]) -> str:
    """Return shards as ranges, such as ``0-3,7``."""
    runs = []
    for _, group in groupby(enumerate(sorted(numbers)), key=lambda row: row[1] - row[0]):
        run = [number for _, number in group]
        runs.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return ",".join(runs)


def parse_shards(text: str) -> frozenset[int]:
    """Return the shards of a text by :func:`format_shards`; any other text is an empty set.

    Other users can make pods with this annotation, so a wrong text must not take longer to read.
    """
    if len(text) > _LONGEST or not _SHARDS.fullmatch(text):
        return frozenset()
    numbers: set[int] = set()
    least = 0
    for part in text.split(","):
        low, _, high = part.partition("-")
        first, last = int(low), int(high or low)
        if not least <= first <= last < _MOST:
            return frozenset()
        numbers.update(range(first, last + 1))
        least = last + 1
    return frozenset(numbers)
