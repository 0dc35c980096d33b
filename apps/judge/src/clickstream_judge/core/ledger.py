"""The ledger's figures, by shard and minute: what the run has really sent.

Owns which entry of several holds, which minutes are complete, and the comparison with the events
that are made again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.ledger import GROWING_FIGURES, LedgerKind

from clickstream_judge.errors import TruthUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

__all__ = ["Ledger", "MinuteFigures", "minute_of"]

_FIGURES = ("events", "revenue_minor", *(f"{name}_events" for name in EVENT_NAMES))


@dataclass(frozen=True)
class MinuteFigures:
    """What was sent of one minute.

    Attributes:
        events: Number of events.
        revenue_minor: Value of the purchases, in minor units.
        by_name: Number of events by event name.
    """

    events: int
    revenue_minor: int
    by_name: tuple[int, ...]


@dataclass
class Ledger:
    """The ledger of one run.

    Attributes:
        place: Where it comes from, for messages.
        entries: The entry of each shard and minute that holds.
        last_seq: The last acknowledged event of each shard.
        ended: The shards that have ended.
    """

    place: str
    entries: dict[tuple[int, int], Mapping[str, Any]] = field(default_factory=dict)
    last_seq: dict[int, int] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)

    @classmethod
    def read(
        cls, rows: Iterable[Mapping[str, Any]], run_id: UUID, shards: int, place: str
    ) -> Ledger:
        """Return the ledger of a run's entries, in the order in which they were written.

        Raises:
            TruthUnusable: They belong to another run, or are no ledger entries.
        """
        found = cls(place)
        strangers = set()
        try:
            for row in rows:
                if row["run_id"] != str(run_id):
                    strangers.add(row["run_id"])
                    continue
                found._add(row)
        except (KeyError, TypeError, ValueError) as error:
            raise TruthUnusable(
                place, f"has a line that is no ledger entry ({error})", "name the run's ledger"
            ) from None
        if not found.last_seq:
            holds = f"run {min(map(str, strangers))}" if strangers else "no entry"
            raise TruthUnusable(
                place, f"holds {holds}, not run {run_id}", "name the ledger beside the run record"
            )
        missing = sorted(set(range(shards)) - set(found.last_seq))
        if missing:
            raise TruthUnusable(
                place,
                f"has no entry of shard {missing[0]}",
                "judge once every shard has sent something, or name the whole ledger",
            )
        return found

    @property
    def is_over(self) -> bool:
        """Whether every shard has ended."""
        return self.ended >= set(self.last_seq)

    def closed_before(self) -> int | None:
        """Return the first minute that a shard may still send, or ``None`` after the run."""
        latest: dict[int, int] = {}
        for shard, minute in self.entries:
            latest[shard] = max(latest.get(shard, 0), minute)
        running = [latest.get(shard, 0) for shard in self.last_seq if shard not in self.ended]
        return min(running, default=None)

    def forget(self, since: int) -> None:
        """Remove the entries of earlier minutes."""
        self.entries = {key: row for key, row in self.entries.items() if key[1] >= since}

    def minutes(self, before: int | None) -> dict[int, MinuteFigures]:
        """Return the figures of each minute, over all shards.

        Args:
            before: Only minutes before this one.
        """
        sums: dict[int, list[int]] = {}
        for (_, minute), row in self.entries.items():
            if before is not None and minute >= before:
                continue
            known = sums.setdefault(minute, [0] * len(_FIGURES))
            for place, name in enumerate(_FIGURES):
                known[place] += int(row[name])
        return {
            minute: MinuteFigures(row[0], row[1], tuple(row[2:]))
            for minute, row in sorted(sums.items())
            if row[0]
        }

    def open_minutes(
        self, made: Mapping[tuple[int, int], int], before: int | None = None
    ) -> set[int]:
        """Return the minutes that are not complete yet, because late events are still to come.

        Args:
            made: Events by shard and minute, as the run record makes them.
            before: Only minutes before this one.

        Raises:
            TruthUnusable: The run record makes other events than the ledger counts.
        """
        waiting = set()
        for key in sorted(set(made) | set(self.entries)):
            if before is not None and key[1] >= before:
                continue
            sent = int(self.entries.get(key, {"events": 0})["events"])
            if sent == made.get(key, 0):
                continue
            if sent > made.get(key, 0) or key[0] in self.ended:
                raise TruthUnusable(
                    self.place,
                    f"counts {sent} events of shard {key[0]} at Unix second {key[1] * 60}, but"
                    f" the run record makes {made.get(key, 0)}",
                    "name a ledger and a run record of the same run",
                )
            waiting.add(key[1])
        return waiting

    def _add(self, row: Mapping[str, Any]) -> None:
        if row["kind"] in {LedgerKind.RUN_START.value, LedgerKind.REVISION.value}:
            return
        shard = int(row["shard"])
        self.last_seq[shard] = max(self.last_seq.get(shard, 0), int(row["shard_seq"]))
        if row["kind"] == LedgerKind.SHARD_END.value:
            self.ended.add(shard)
        if row["kind"] != LedgerKind.MINUTE.value:
            return
        for name in _FIGURES:
            int(row[name])
        key = shard, minute_of(row["minute"])
        known = self.entries.get(key)
        if known is None or _size(row) >= _size(known):
            self.entries[key] = row


def minute_of(text: str) -> int:
    """Return the minutes since 1970 of a ledger entry's minute."""
    return int(datetime.fromisoformat(text).timestamp()) // 60


def _size(row: Mapping[str, Any]) -> int:
    """Return what only grows in the entries of one minute."""
    return sum(int(row[name]) for name in GROWING_FIGURES)
