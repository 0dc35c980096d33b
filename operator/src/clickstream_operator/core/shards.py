"""Which worker carries which shards.

Owns the dealing and the text form of a set of shards. It does not know any pod.
"""

from __future__ import annotations

import re
from itertools import groupby

__all__ = ["dealt", "format_shards", "parse_shards"]

_SHARDS = re.compile(r"[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*", re.ASCII)


def dealt(shards: int, workers: int) -> tuple[tuple[int, ...], ...]:
    """Deal shards ``0 .. shards - 1`` to so many workers, each an equal run of neighbours."""
    bounds = [shards * worker // workers for worker in range(workers + 1)]
    return tuple(tuple(range(bounds[at], bounds[at + 1])) for at in range(workers))


def format_shards(numbers: tuple[int, ...]) -> str:
    """Write shards as ranges: ``0-3,7``."""
    runs = []
    for _, group in groupby(enumerate(sorted(numbers)), key=lambda row: row[1] - row[0]):
        run = [number for _, number in group]
        runs.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return ",".join(runs)


def parse_shards(text: str) -> frozenset[int]:
    """Read what :func:`format_shards` wrote; anything else is an empty set."""
    if not _SHARDS.fullmatch(text):
        return frozenset()
    numbers: set[int] = set()
    for part in text.split(","):
        low, _, high = part.partition("-")
        numbers.update(range(int(low), int(high or low) + 1))
    return frozenset(numbers)
