"""The keeper of a run's record: the record has a decision before any event that follows from it.

Owns when the record of ``clickstream generate`` is stored: at the start, with each edit of the
simulation's file, with the decided end, and when the run is over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickstream_generator.core.run_record import RunRecord
    from clickstream_generator.core.simulator import Simulator
    from clickstream_generator.shell.edits import Edits

__all__ = ["RecordKeeper"]


class RecordKeeper:
    """The keeper of a run's record.

    Args:
        record: The run record.
        store: Stores a record in place of the earlier one.
        simulator: The run's simulator.
        edits: Edits of the simulation's file; ``None`` to ignore them.

    Attributes:
        record: The current run record.
    """

    def __init__(
        self,
        record: RunRecord,
        store: Callable[[RunRecord], None],
        simulator: Simulator,
        edits: Edits | None,
    ) -> None:
        self.record = record
        self._store = store
        self._simulator = simulator
        self._edits = edits

    def begin(self) -> None:
        """Store the record at the start."""
        self._store(self.record)

    def take_up_edit(self, now: float) -> None:
        """Apply a new edit of the simulation's file.

        Args:
            now: The current time, Unix seconds.
        """
        if self._edits is None:
            return
        revision = self._edits.next_revision(self._simulator, self.record.running, now)
        if revision is not None:
            # Before any event of the revision: after a kill the run must find it in the record.
            self._change(revisions=(*self.record.revisions, revision))
            self._simulator.revise(revision)

    def decide_end(self) -> None:
        """End the run after the events taken so far."""
        self._simulator.stop()
        shards = self._simulator.shards
        self._change(ends_at={number: shard.made for number, shard in shards.items()})

    def complete(self, now: float) -> None:
        """Store that the run is over.

        Args:
            now: The current time, Unix seconds.
        """
        self._change(ended_at=f"{np.datetime64(int(1000 * now), 'ms')}Z")

    def _change(self, **fields: Any) -> None:  # noqa: ANN401  any field of a record
        self.record = replace(self.record, **fields)
        self._store(self.record)
