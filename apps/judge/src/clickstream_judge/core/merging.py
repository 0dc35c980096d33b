"""The comparison of truth and result, event by event, in the order of their ids.

Owns what each difference is called. Both sides come in pages and in the same order, so that memory
holds one page of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["DEFECTS", "Finding", "Kind", "ResultRow", "TrueEvent", "compare"]

_MINUTE_MS = 60_000
_MOST_COPIES = 1_000
"""Most rows of one id that are kept; the others are counted."""


class Kind(StrEnum):
    """The kinds of difference."""

    LOST = "lost"
    REJECTED = "rejected"
    LATE_DROPPED = "late and dropped"
    DUPLICATED = "duplicated"
    STORED_AND_REJECTED = "stored and rejected"
    PHANTOM = "phantom"
    ALTERED = "altered"
    MISPLACED = "misplaced"
    AGGREGATE = "aggregate"
    ALLOWED = "late and allowed to be missing"


DEFECTS = tuple(kind for kind in Kind if kind is not Kind.ALLOWED)
"""The kinds by which a result differs."""


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """An event that the run has sent.

    Attributes:
        id: Its id.
        time_ms: Its time, Unix milliseconds.
        values: The canonical texts of the compared fields; ``None`` for an absent field.
        shard, shard_seq: Its place in the run.
        late_seconds: How much later than planned it was sent.
        is_repeated: Whether the run sent its id more than once on purpose.
    """

    id: str
    time_ms: int
    values: tuple[str | None, ...]
    shard: int
    shard_seq: int
    late_seconds: float = 0.0
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A row of the result.

    Attributes:
        id: Its id; empty for none.
        time_ms: Its time, Unix milliseconds; ``None`` for none.
        values: The canonical texts of the compared fields.
    """

    id: str
    time_ms: int | None
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference.

    Attributes:
        kind: Its kind.
        event: The event; ``None`` for a phantom.
        row: The row; ``None`` if there is none.
        field: The altered field; empty for other kinds.
        expected, found: Its values; of a rejected event, ``found`` is the pipeline's reason.
        copies: Rows too many.
    """

    kind: Kind
    event: TrueEvent | None
    row: ResultRow | None
    field: str = ""
    expected: str | None = None
    found: str | None = None
    copies: int = 1


def compare(
    truth: Iterable[TrueEvent],
    result: Iterable[ResultRow],
    fields: tuple[str, ...],
    dropped_after_seconds: float | None = None,
    rejected: Iterable[tuple[str, str | None]] = (),
) -> Iterator[Finding]:
    """Return every difference.

    Args:
        truth: The events, in the order of their ids.
        result: The rows, in the order of their ids.
        fields: The names of the compared fields.
        dropped_after_seconds: Events that are later than this may be missing; ``None`` if none may.
        rejected: Id and reason of each event that the pipeline put aside, in the order of ids.
    """
    rejects = _Rejects(rejected)
    groups = _by_id(result)
    group = next(groups, None)
    for event in truth:
        while group is not None and group.rows[0].id < event.id:
            yield from _phantoms(group)
            group = next(groups, None)
        if group is None or group.rows[0].id != event.id:
            yield from _absent(event, dropped_after_seconds, rejects.of(event.id))
            continue
        yield from _present(event, group, fields)
        # Of an event that was sent twice, or also broken, the other record may be rejected.
        if (row := rejects.of(event.id)) is not None and not event.is_repeated:
            yield Finding(Kind.STORED_AND_REJECTED, event, group.rows[0], found=row[1])
        group = next(groups, None)
    while group is not None:
        yield from _phantoms(group)
        group = next(groups, None)


class _Rejects:
    """The rejected events, looked up in the order of their ids."""

    def __init__(self, rows: Iterable[tuple[str, str | None]]) -> None:
        self._rows = iter(rows)
        self._next = next(self._rows, None)

    def of(self, event_id: str) -> tuple[str, str | None] | None:
        """Return id and reason of an event, or ``None`` if it was not rejected."""
        while self._next is not None and self._next[0] < event_id:
            self._next = next(self._rows, None)
        return self._next if self._next is not None and self._next[0] == event_id else None


@dataclass(slots=True)
class _Group:
    """The rows of one id: the first ones, and the number of all."""

    rows: list[ResultRow]
    count: int = 1


def _by_id(rows: Iterable[ResultRow]) -> Iterator[_Group]:
    """Return the rows of each id; rows without an id stay alone."""
    group: _Group | None = None
    for row in rows:
        if group is None or row.id != group.rows[0].id or not row.id:
            if group is not None:
                yield group
            group = _Group([row])
            continue
        group.count += 1
        if len(group.rows) < _MOST_COPIES:
            group.rows.append(row)
    if group is not None:
        yield group


def _phantoms(group: _Group) -> Iterator[Finding]:
    *rows, last = group.rows
    yield from (Finding(Kind.PHANTOM, None, row) for row in rows)
    yield Finding(Kind.PHANTOM, None, last, copies=group.count - len(rows))


def _absent(
    event: TrueEvent, dropped_after_seconds: float | None, reject: tuple[str, str | None] | None
) -> Iterator[Finding]:
    if dropped_after_seconds is not None and event.late_seconds > dropped_after_seconds:
        yield Finding(Kind.ALLOWED, event, None)
    elif reject is not None:
        yield Finding(Kind.REJECTED, event, None, found=reject[1])
    else:
        yield Finding(Kind.LATE_DROPPED if event.late_seconds else Kind.LOST, event, None)


def _present(event: TrueEvent, group: _Group, fields: tuple[str, ...]) -> Iterator[Finding]:
    """Return what is wrong with the rows of one event; the row that fits best is compared."""
    best = group.rows[0]
    if group.count > 1:
        best = min(group.rows, key=lambda row: _distance(event, row))
        yield Finding(Kind.DUPLICATED, event, best, copies=group.count - 1)
    if best.time_ms != event.time_ms:
        if best.time_ms is None or best.time_ms // _MINUTE_MS == event.time_ms // _MINUTE_MS:
            found = None if best.time_ms is None else str(best.time_ms)
            yield Finding(Kind.ALTERED, event, best, "event_time", str(event.time_ms), found)
        else:
            yield Finding(Kind.MISPLACED, event, best)
    if best.values == event.values:
        return
    for name, expected, found in zip(fields, event.values, best.values, strict=True):
        if expected != found:
            yield Finding(Kind.ALTERED, event, best, name, expected, found)


def _distance(event: TrueEvent, row: ResultRow) -> int:
    differing = sum(a != b for a, b in zip(event.values, row.values, strict=True))
    return differing + 1000 * (row.time_ms != event.time_ms)
