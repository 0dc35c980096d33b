"""Faults that a simulation plants into its stream on purpose.

Owns the choice of events and faults, and the form of a faulty record. Each shard has a separate
random stream for faults, so its events are the same with and without faults. A faulty record comes
in addition to its original event; only a planted loss removes an event. The overlays of a session
may give its events further chances. If they lose all events, the loss needs no random number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from clickstream_generator.core.breaks import CORRUPT_FAULTS
from clickstream_generator.core.encodings import JSON
from clickstream_generator.core.shard_ledger import Tally, add_fault, tally_events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clickstream_contract.simulation import Faults

    from clickstream_generator.core.encoding import Encoded
    from clickstream_generator.core.encodings import Encoding

__all__ = ["FaultSource", "LateRecord", "Planted", "Record", "fault_rng", "plant_faults"]

_STREAM = 2
_LOST, _LATE = range(2)
"""The faults that hold an event back, by their places in :data:`_FAULTS`."""
_ALL = 1_000
"""In permille: every event."""
_TIME = re.compile(rb'("event_time":")(\d{4})')
_YEARS_AHEAD = 8
"""A multiple of four, so that 29 February remains a valid date."""

Record = tuple[bytes | None, bytes]
"""Value and key."""


@dataclass(frozen=True)
class LateRecord:
    """An event that is held back and sent late; its record is JSON until then.

    The event is sent once the shard has reached ``due_seconds``.
    """

    record: Record
    due_seconds: float
    shard: int
    shard_seq: int
    tally: Tally


@dataclass(frozen=True)
class Planted:
    """The records made from some events, and their figures.

    Attributes:
        records: In order; the events and the faulty records.
        tally: Figures of these records, faults included.
        late: Events to send later, each with its figures.
        sent_by_shard: Number of ``records`` by shard.
        broken: Places of the records that are no valid events.
    """

    records: list[Record]
    tally: Tally
    late: list[LateRecord]
    sent_by_shard: dict[int, int]
    broken: frozenset[int] = frozenset()


class FaultSource(NamedTuple):
    """What decides a shard's faults: its random stream, which advances, and the shares.

    Attributes:
        rng: The random stream.
        faults: The shares of all events.
        has_own: Whether overlays give some events further shares.
    """

    rng: np.random.Generator
    faults: Faults
    has_own: bool = False


def fault_rng(seed: int, shard: int) -> np.random.Generator:
    """Return the random stream of a shard's faults, at its start."""
    return np.random.default_rng([_STREAM, shard, seed])


def plant_faults(
    rows: np.ndarray,
    encoded: Encoded,
    sources: Mapping[int, FaultSource],
    encoding: Encoding = JSON,
    values: list[bytes] | None = None,
) -> Planted:
    """Choose a fault for each event, and return the records.

    Args:
        rows: Shape (events,), of EVENT_DTYPE; each shard's events in order.
        encoded: The same events as JSON.
        sources: What decides the faults, by shard.
        encoding: The encoding of the records.
        values: The same events in the records' encoding, unless that is JSON.
    """
    sent = encoded.values if values is None else values
    records: list[Record] = list(zip(sent, encoded.keys, strict=True))
    uniform = np.ones((len(rows), 3))
    kind = np.full(len(rows), len(_FAULTS))
    for shard, source in sources.items():
        shares = _shares(source.faults)
        if not (shares[-1] or source.has_own):
            continue
        at = np.flatnonzero(rows["shard"] == shard)
        uniform[at] = source.rng.random((len(at), 3))
        if source.has_own:
            more = np.zeros((len(at), len(shares)))
            more[:, : rows["faults"].shape[1]] = rows["faults"][at] / _ALL
            kind[at] = (shares + np.cumsum(more, axis=1) <= uniform[at, :1]).sum(axis=1)
        else:
            kind[at] = np.searchsorted(shares, uniform[at, 0], side="right")
    # After the draw: the faults of the other events are the same without an incident.
    kind[rows["faults"][:, _LOST] == _ALL] = _LOST
    away = kind <= _LATE
    kept = ~away if away.any() else slice(None)
    tally = tally_events(rows[kept], encoded.checksums[kept])
    hit = np.flatnonzero(kind < len(_FAULTS))
    late: list[LateRecord] = []
    extra: dict[int, Record] = {}
    corrupt: set[int] = set()
    for place in hit.tolist():
        value, key = encoded.values[place], encoded.keys[place]
        shard, moment = int(rows["shard"][place]), int(rows["event_time_ms"][place])
        fault = _FAULTS[kind[place]](uniform[place, 1])
        if fault == "late":
            only = slice(place, place + 1)
            own = tally_events(rows[only], encoded.checksums[only])
            add_fault(own, shard, moment, fault)
            delay = sources[shard].faults.max_lateness_seconds * uniform[place, 2]
            number = int(rows["shard_seq"][place])
            due = moment / 1000 + delay
            late.append(LateRecord((value, key), due, shard, number, own))
            continue
        add_fault(tally, shard, moment, fault)
        if fault != "lost":
            extra[place] = (_faulty(encoding, fault, value, sent[place]), key)
            if fault in CORRUPT_FAULTS:
                corrupt.add(place)
    return Planted(
        _merged(records, away, extra),
        tally,
        late,
        _count_by_shard(rows, away, list(extra)),
        _broken_places(away, extra, corrupt),
    )


def _faulty(encoding: Encoding, fault: str, value: bytes, sent: bytes) -> bytes | None:
    """Return the value of a faulty record.

    Args:
        encoding: The encoding of the records.
        fault: The fault.
        value: The event as JSON.
        sent: The event's record.
    """
    if fault == "duplicate_exact":
        return sent
    if fault in _CHANGES:
        return encoding.encode_one(_CHANGES[fault](value))
    return encoding.corrupt(fault, value)


def _shares(faults: Faults) -> np.ndarray:
    """Return the cumulative shares of the faults, in the order of :data:`_FAULTS`."""
    permille = (
        faults.loss_permille,
        faults.late_permille,
        faults.duplicate_permille,
        faults.corrupt_permille,
        faults.future_permille,
    )
    return np.cumsum(permille) / 1000


def _merged(records: list[Record], away: np.ndarray, extra: dict[int, Record]) -> list[Record]:
    """Return the records without the removed ones, each extra record after its event."""
    if not extra and not away.any():
        return records
    gone = set(np.flatnonzero(away).tolist())
    woven: list[Record] = []
    for place, record in enumerate(records):
        if place not in gone:
            woven.append(record)
        if place in extra:
            woven.append(extra[place])
    return woven


def _broken_places(away: np.ndarray, extra: dict[int, Record], corrupt: set[int]) -> frozenset[int]:
    """Return the places of corrupt records among the merged records."""
    if not corrupt:
        return frozenset()
    kept = np.cumsum(~away)
    before = {place: count for count, place in enumerate(sorted(extra))}
    return frozenset(int(kept[place]) + before[place] for place in corrupt)


def _count_by_shard(rows: np.ndarray, away: np.ndarray, extra: list[int]) -> dict[int, int]:
    """Return the number of records by shard."""
    shards = np.concatenate([rows["shard"][~away], rows["shard"][extra]])
    numbers, counts = np.unique(shards, return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def _conflict(value: bytes) -> bytes:
    """Return an event with the same id and another body."""
    return value.replace(b'"city":"', b'"city":"Old ')


def _postdate(value: bytes) -> bytes:
    """Return an event dated years in the future."""
    return _TIME.sub(lambda found: found[1] + b"%d" % (int(found[2]) + _YEARS_AHEAD), value)


_FAULTS: tuple[Callable[[float], str], ...] = (
    lambda _choice: "lost",
    lambda _choice: "late",
    lambda choice: "duplicate_exact" if choice < 0.5 else "duplicate_conflicting",
    lambda choice: CORRUPT_FAULTS[int(choice * len(CORRUPT_FAULTS))],
    lambda _choice: "future",
)
"""The name of a fault by a number from 0 to 1, in the order of :func:`_shares`."""

_CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "duplicate_conflicting": _conflict,
    "future": _postdate,
}
"""The faults whose record is a changed event; they change its JSON."""
