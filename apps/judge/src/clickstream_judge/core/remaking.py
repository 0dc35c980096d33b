"""The events of a run, made again in the order of shard and number.

Owns which of them the run has really sent: planted losses are left out, planted late events have
their delay. Memory holds one chunk of one shard.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from clickstream_generator.core.event_columns import event_table
from clickstream_generator.core.faults import plant_faults
from clickstream_generator.core.making import begin_run
from clickstream_generator.core.simulator import Simulator

from clickstream_judge.core.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa
    from clickstream_generator.core.faults import Planted
    from clickstream_generator.core.run_record import RunRecord

__all__ = ["Chunk", "remake"]

_ID_BYTES = len(b'{"event_id":"') + 36


@dataclass(frozen=True)
class Chunk:
    """Consecutive events of one shard that were sent.

    Attributes:
        shard: The shard.
        values: The events as JSON; ``sent_at`` means nothing.
        fields: The columns of :attr:`table`.
        shard_seq: Shape (events,), int64.
        time_ms: Shape (events,), int64; Unix milliseconds.
        late_seconds: Shape (events,), float64; how much later than planned each was sent.
        is_repeated: Shape (events,), bool; whether the run sent the id more than once on purpose.
    """

    shard: int
    values: list[bytes]
    fields: frozenset[str]
    shard_seq: np.ndarray
    time_ms: np.ndarray
    late_seconds: np.ndarray
    is_repeated: np.ndarray

    @cached_property
    def table(self) -> pa.Table:
        """The events as columns; made when first asked for, because it takes long."""
        return event_table(self.values, self.fields)


def remake(
    record: RunRecord,
    last_seq: Mapping[int, int],
    fields: Iterable[str] = FIELDS,
    shards: Iterable[int] | None = None,
) -> Iterator[Chunk]:
    """Return the run's sent events, shard by shard, each shard in the order of its numbers.

    Args:
        record: The run record.
        last_seq: The last event of each shard.
        fields: The fields that are wanted as columns.
        shards: The shards; all if absent.

    Raises:
        WorldChanged: This process would make other events than the run has.
    """
    names = frozenset(fields)
    numbers = range(record.first.spec.shards) if shards is None else shards
    simulator = Simulator(record.first, tuple(numbers), record.run_id)
    for number, carried in begin_run(simulator, record).carried.items():
        while len(events := simulator.replay(number, last_seq.get(number, 0))):
            encoded = simulator.encoder.encode(events, 0)
            planted = plant_faults(events.rows, encoded, {number: carried.fault_source()})
            yield _chunk(number, events.rows, encoded.values, planted, names)


def _chunk(
    number: int,
    rows: np.ndarray,
    values: list[bytes],
    planted: Planted,
    fields: frozenset[str],
) -> Chunk:
    seq, time_ms = rows["shard_seq"], rows["event_time_ms"]
    late = np.zeros(len(rows))
    repeated = np.zeros(len(rows), dtype=bool)
    if not planted.late and len(planted.records) == len(values):
        return Chunk(number, values, fields, seq, time_ms, late, repeated)
    sent = {id(value) for value, _ in planted.records}
    was_sent = np.array([id(value) in sent for value in values])
    for row in planted.late:
        at = row.shard_seq - int(seq[0])
        late[at] = row.due_seconds - time_ms[at] / 1000
        was_sent[at] = True
    copies = Counter(value[:_ID_BYTES] for value, _ in planted.records if value is not None)
    repeated = np.array([copies[value[:_ID_BYTES]] > 1 for value in values])
    kept = [value for value, is_there in zip(values, was_sent, strict=True) if is_there]
    return Chunk(
        number, kept, fields, seq[was_sent], time_ms[was_sent], late[was_sent], repeated[was_sent]
    )
