"""The protocol of an output that takes records in order.

Owns the protocol and the batch: records leave in order, and a batch is returned once all of its
records and all earlier ones are acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError

    from clickstream_generator.core.faults import Record
    from clickstream_generator.core.shard_ledger import Tally

__all__ = ["AFTERMATH", "Batch", "Sink"]

AFTERMATH = "_FATAL"
"""Error of records that were queued when the producer failed; the cause is reported separately."""


class _Refusing(Protocol):
    """A sink with the first error that a retry cannot fix."""

    refusal: KafkaError | None


@dataclass(eq=False)
class Batch:
    """Some records in flight, and their figures.

    Attributes:
        tally: Figures by shard and minute.
        sent_by_shard: Records by shard.
        last_seq: Highest ``shard_seq`` by shard.
        events: Number of original events: lost and late ones count, planted copies do not.
        broken: Places of the records that were broken on purpose.
        done: Called once this batch and all earlier ones are acknowledged.
        waiting: Number of delivery reports or answers to come.
        size_bytes: Total length of the values.
    """

    tally: Tally = field(default_factory=dict)
    sent_by_shard: dict[int, int] = field(default_factory=dict)
    last_seq: dict[int, int] = field(default_factory=dict)
    events: int = 0
    broken: frozenset[int] = frozenset()
    done: Callable[[], None] | None = None
    waiting: int = 0
    size_bytes: int = 0
    sink: _Refusing | None = field(default=None, repr=False)

    def reported(self, error: KafkaError | None, _message: object) -> None:
        """Apply a delivery report; a batch with a refused record never completes."""
        if error is None:
            self.waiting -= 1
        elif self.sink is not None and error.name() != AFTERMATH:
            self.sink.refusal = error


class Sink(Protocol):
    """An output for records in order."""

    def has_room(self, records: int) -> bool:
        """Return whether this many records may be sent now."""

    def send(self, records: list[Record], batch: Batch) -> None:
        """Queue or write records."""

    def poll(self, seconds: float) -> list[Batch]:
        """Return acknowledged batches in order; wait up to ``seconds`` if there are none."""

    def is_idle(self) -> bool:
        """Return whether all batches are acknowledged and returned."""

    def in_flight(self) -> int:
        """Return the number of records in flight."""

    def tallies(self) -> list[Tally]:
        """Return the figures of the batches that are not returned yet."""
