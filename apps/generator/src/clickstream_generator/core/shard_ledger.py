"""A shard's ledger: its sent and acknowledged records, by minute of event time.

Owns the figures of the ledger entries. The caller adds a tally once the broker has acknowledged it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.ledger import FAULT_NAMES, LedgerKind

from clickstream_generator.core.events import CODE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

__all__ = ["MINUTE_MS", "ShardLedger", "Tally", "add_fault", "tally_events"]

MINUTE_MS = 60_000

_REVENUE, _BEGUN, _ENDED, _CHECKSUM = (len(EVENT_NAMES) + place for place in range(4))
_FIRST_FAULT = _CHECKSUM + 1
_WIDTH = _FIRST_FAULT + len(FAULT_NAMES)

Tally = dict[tuple[int, int], np.ndarray]
"""Figures by shard and minute (Unix milliseconds of its start); tallies are added up."""


def tally_events(rows: np.ndarray, checksums: np.ndarray) -> Tally:
    """Return the figures of events: by name, revenue, sessions begun and ended, checksum.

    Args:
        rows: Shape (events,), of EVENT_DTYPE.
        checksums: Each event's part of its minute's ``content_checksum``.
    """
    place = rows["shard"].astype(np.int64) << 40 | rows["event_time_ms"] // MINUTE_MS
    keys, where = np.unique(place, return_inverse=True)
    code = rows["code"]
    figures = np.zeros((len(keys), _WIDTH), dtype=np.int64)
    figures[:, : len(EVENT_NAMES)] = np.bincount(
        where * len(EVENT_NAMES) + code, minlength=len(keys) * len(EVENT_NAMES)
    ).reshape(-1, len(EVENT_NAMES))
    bought = np.flatnonzero(code == CODE["purchase"])
    np.add.at(figures[:, _REVENUE], where[bought], rows["value_minor"][bought])
    np.add.at(figures[:, _CHECKSUM], where, checksums)
    for column, counts in ((_BEGUN, rows["session_seq"] == 1), (_ENDED, rows["is_last"])):
        figures[:, column] = np.bincount(where[counts], minlength=len(keys))
    return {
        (key >> 40, (key & (1 << 40) - 1) * MINUTE_MS): row
        for key, row in zip(keys.tolist(), figures, strict=True)
    }


def add_fault(tally: Tally, shard: int, event_time_ms: int, fault: str) -> None:
    """Count a planted fault in the minute of its original event."""
    key = (shard, event_time_ms // MINUTE_MS * MINUTE_MS)
    figures = tally.setdefault(key, np.zeros(_WIDTH, dtype=np.int64))
    figures[_FIRST_FAULT + FAULT_NAMES.index(fault)] += 1


@dataclass
class ShardLedger:
    """The records that one shard has sent.

    Attributes:
        shard: Its number.
        shards: Number of shards in the run.
        minutes: Figures by minute; only minutes that can still change.
        changed: Minutes whose entry must be published.
        shard_seq: The broker has acknowledged this event and every earlier one.
        records_sent, records_acknowledged: Kafka records so far.
    """

    shard: int
    shards: int
    minutes: dict[int, np.ndarray] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    shard_seq: int = 0
    records_sent: int = 0
    records_acknowledged: int = 0

    def add(self, minute_ms: int, figures: np.ndarray) -> None:
        """Add acknowledged figures to a minute."""
        known = self.minutes.get(minute_ms)
        self.minutes[minute_ms] = figures.copy() if known is None else known + figures
        self.changed.add(minute_ms)

    def records(
        self,
        simulation: str,
        run_id: UUID,
        sessions_open: int,
        target_milli_per_second: int,
        *,
        is_end: bool = False,
    ) -> list[dict[str, Any]]:
        """Return an entry per changed minute, and the ``shard_end`` entry at the end."""
        common = {
            "simulation": simulation,
            "run_id": str(run_id),
            "shard": self.shard,
            "shards": self.shards,
            "shard_seq": self.shard_seq,
            "records_sent": self.records_sent,
            "records_acknowledged": self.records_acknowledged,
            "sessions_open": sessions_open,
            "target_milli_per_second": target_milli_per_second,
        }
        records = [
            {
                "kind": LedgerKind.MINUTE.value,
                "minute": _iso(minute),
                **common,
                **_figures(self.minutes[minute]),
            }
            for minute in sorted(self.changed)
        ]
        self.changed.clear()
        if is_end:
            last = max(self.minutes, default=0)
            records.append(
                {
                    "kind": LedgerKind.SHARD_END.value,
                    "minute": _iso(last),
                    **common,
                    **_figures(np.zeros(_WIDTH, dtype=np.int64)),
                }
            )
        return records

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the ledger as arrays for the shard's snapshot."""
        minutes = sorted(self.minutes)
        return {
            "ledger_minutes": np.array(minutes, dtype=np.int64),
            "ledger_figures": np.array(
                [self.minutes[minute] for minute in minutes], dtype=np.int64
            ).reshape(len(minutes), _WIDTH),
            "ledger_counts": np.array(
                [self.shard_seq, self.records_sent, self.records_acknowledged], dtype=np.int64
            ),
        }

    @classmethod
    def from_arrays(cls, shard: int, shards: int, arrays: Mapping[str, np.ndarray]) -> ShardLedger:
        """Read the arrays of :meth:`to_arrays`; every minute counts as changed."""
        minutes = arrays["ledger_minutes"].tolist()
        shard_seq, _, acknowledged = arrays["ledger_counts"].tolist()
        return cls(
            shard,
            shards,
            minutes=dict(zip(minutes, arrays["ledger_figures"], strict=True)),
            changed=set(minutes),
            shard_seq=shard_seq,
            # Records in flight are sent again, or counted as acknowledged during the replay.
            records_sent=acknowledged,
            records_acknowledged=acknowledged,
        )

    def forget_before(self, minute_ms: int) -> None:
        """Drop published minutes that no acknowledgement can change any more."""
        for minute in [known for known in self.minutes if known < minute_ms]:
            if minute not in self.changed:
                del self.minutes[minute]


def _figures(figures: np.ndarray) -> dict[str, int]:
    """Return the figures by the ledger's field names."""
    values = figures.tolist()
    return {
        "events": sum(values[: len(EVENT_NAMES)]),
        **{f"{name}_events": values[code] for code, name in enumerate(EVENT_NAMES)},
        "revenue_minor": values[_REVENUE],
        "content_checksum": values[_CHECKSUM],
        "sessions_begun": values[_BEGUN],
        "sessions_ended": values[_ENDED],
        **{
            f"{name}_faults": values[_FIRST_FAULT + place] for place, name in enumerate(FAULT_NAMES)
        },
    }


def _iso(unix_ms: int) -> str:
    """Return a moment in the contract's timestamp format."""
    return f"{np.datetime64(unix_ms, 'ms')}Z"
