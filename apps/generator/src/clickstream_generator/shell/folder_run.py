"""A run that writes its events into a folder, part by part.

Owns the loop between clock, simulator and folder. Each shard advances separately, up to the end of
its part. After a kill, the run makes the events since the shards' snapshots again; it does not
rewrite complete parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from clickstream_generator.core.shard_ledger import MINUTE_MS
from clickstream_generator.shell.pace import TICK_SECONDS, horizon_seconds
from clickstream_generator.shell.record_keeper import RecordKeeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from clickstream_generator.core.carried_shard import CarriedShard
    from clickstream_generator.core.events import Events
    from clickstream_generator.core.making import Maker
    from clickstream_generator.core.run_record import RunRecord
    from clickstream_generator.shell.clock import Clock
    from clickstream_generator.shell.edits import Edits
    from clickstream_generator.shell.run_folder import RunFolder

__all__ = ["FolderRun"]

_DAY_MS = 1440 * MINUTE_MS
_SNAPSHOT_SECONDS = 10.0
"""Shortest time between two snapshots of a shard; one costs as much as thousands of events."""


@dataclass
class _Written:
    """A shard, and how far it is written.

    Attributes:
        carried: The shard.
        reached_seconds: The time of its last event, Unix seconds.
        next_snapshot: When its next snapshot is due, Unix seconds.
    """

    carried: CarriedShard
    reached_seconds: float
    next_snapshot: float


class FolderRun:
    """A run that writes its events into a folder.

    Args:
        maker: The maker of records of all shards.
        folder: The folder of this run.
        record: The run record, with a layout.
        clock: The clock.
        edits: Edits of the simulation's file; ``None`` to ignore them.
        show: Called after progress.
        is_paced: Whether events are made when they are due, else as fast as possible.
        snapshot_seconds: Shortest time between two snapshots of a shard.
    """

    def __init__(
        self,
        maker: Maker,
        folder: RunFolder,
        record: RunRecord,
        clock: Clock,
        edits: Edits | None,
        show: Callable[[], None],
        *,
        is_paced: bool,
        snapshot_seconds: float = _SNAPSHOT_SECONDS,
    ) -> None:
        assert record.layout is not None  # noqa: S101  a run in a folder has a layout
        self._part_events = record.layout.part_events
        self._maker = maker
        self._simulator = maker.simulator
        self._folder = folder
        self._clock = clock
        self._keeper = RecordKeeper(record, folder.keep_record, maker.simulator, edits)
        self._show = show
        self._is_paced = is_paced
        self._snapshot_seconds = snapshot_seconds
        due = clock.now() + snapshot_seconds
        self._written = [
            _Written(carried, record.start_seconds, due) for carried in maker.carried.values()
        ]

    @property
    def record(self) -> RunRecord:
        """The current run record."""
        return self._keeper.record

    def run(self, stop: Event) -> None:
        """Run until the end or until ``stop`` is set, then write the last parts.

        Args:
            stop: Set it to end the run; events already made are still written.

        Raises:
            OutputFailed: A file cannot be written.
        """
        self._keeper.begin()
        while not stop.is_set() and not self._simulator.is_over():
            now = self._clock.now()
            self._keeper.take_up_edit(now)
            horizon = horizon_seconds(self._simulator, now, is_paced=self._is_paced)
            if np.isinf(horizon):
                break
            made = sum(self._advance(written, horizon) for written in self._written)
            self._show()
            if not made:
                stop.wait(TICK_SECONDS)
        self._finish()

    def _advance(self, written: _Written, horizon: float) -> int:
        """Make a shard's next events, up to the end of its part; return how many."""
        shard = written.carried.shard
        number = shard.number
        boundary = (shard.made // self._part_events + 1) * self._part_events
        events = self._simulator.replay(number, boundary, horizon)
        if not len(events):
            return 0
        written.reached_seconds = float(events.rows["event_time_ms"][-1]) / 1000
        part = boundary // self._part_events
        is_new = not self._folder.has_part(number, part)
        for day, of_day in _by_day(events):
            planted = self._maker.make(of_day, self._now_ms())
            self._count(planted.tally, planted.sent_by_shard)
            if is_new and planted.records:
                self._folder.add(number, day, [value or b"" for value, _ in planted.records])
        self._maker.acknowledge({}, {}, {number: shard.made})
        if shard.made == boundary:
            self._close(written, part, written.reached_seconds)
        return len(events)

    def _close(self, written: _Written, part: int, reached: float, *, is_end: bool = False) -> None:
        """Close a shard's part, with the late events that are due by then."""
        carried = written.carried
        number = carried.shard.number
        is_new = not self._folder.has_part(number, part)
        for late in self._maker.take_late([carried], reached, self._now_ms()):
            self._count(late.tally, {number: 1})
            self._maker.close(late)
            if is_new:
                ((_, minute_ms),) = late.tally
                self._folder.add(number, _day(minute_ms), [late.record[0] or b""])
        rows = self._maker.ledger_records([carried], written.reached_seconds, is_end=is_end)
        if not is_new:
            return
        snapshot = None
        if not is_end and self._clock.now() >= written.next_snapshot:
            snapshot = carried.snapshot()
            written.next_snapshot = self._clock.now() + self._snapshot_seconds
        self._folder.close_part(number, part, rows, snapshot)

    def _finish(self) -> None:
        """Fix the end of the run, write each shard's last part, and complete the record."""
        self._keeper.decide_end()
        for written in self._written:
            part = written.carried.shard.made // self._part_events + 1
            self._close(written, part, float("inf"), is_end=True)
        self._folder.settle()
        self._keeper.complete(self._clock.now())
        self._folder.forget_state()
        self._show()

    def _count(self, tally: dict[tuple[int, int], np.ndarray], sent: dict[int, int]) -> None:
        """Count records as sent and acknowledged; they count once their part is written."""
        self._maker.count_sent(sent)
        self._maker.acknowledge(tally, sent, {})

    def _now_ms(self) -> int:
        return int(1000 * self._clock.now())


def _by_day(events: Events) -> Iterator[tuple[str, Events]]:
    """Return the events split by day, UTC; they must be sorted by time."""
    days = events.rows["event_time_ms"] // _DAY_MS
    starts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(events)]
    for start, stop in pairwise(starts):
        yield _day(int(events.rows["event_time_ms"][start])), events.part(start, stop)


def _day(unix_ms: int) -> str:
    return str(np.datetime64(unix_ms, "ms").astype("datetime64[D]"))
