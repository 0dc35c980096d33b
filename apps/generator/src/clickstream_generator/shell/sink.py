"""What a run needs of an output that takes records one after the other.

Owns the protocol and the batch: records leave in order, and a batch's figures are handed back when
all of its records and all before them are acknowledged.
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
"""What records get that were queued when the producer gave up; why it did comes by itself."""


class _Refusing(Protocol):
    """Keeps the first error that no retry can help."""

    refusal: KafkaError | None


@dataclass(eq=False)
class Batch:
    """Some records on their way, and what they are in figures.

    Attributes:
        tally: Figures by shard and minute.
        sent_by_shard: Records by shard.
        last_seq: Highest ``shard_seq`` by shard.
        events: Events that the users made: planted copies do not count, and what is planted as
            lost or held back does.
        done: What is to happen when this batch and all before it are acknowledged.
        waiting: Reports that have not come yet.
        size_bytes: Length of the values.
    """

    tally: Tally = field(default_factory=dict)
    sent_by_shard: dict[int, int] = field(default_factory=dict)
    last_seq: dict[int, int] = field(default_factory=dict)
    events: int = 0
    done: Callable[[], None] | None = None
    waiting: int = 0
    size_bytes: int = 0
    sink: _Refusing | None = field(default=None, repr=False)

    def reported(self, error: KafkaError | None, _message: object) -> None:
        """Take one delivery report; a batch with a record refused is never complete."""
        if error is None:
            self.waiting -= 1
        elif self.sink is not None and error.name() != AFTERMATH:
            self.sink.refusal = error


class Sink(Protocol):
    """An output that takes records in order."""

    def has_room(self, records: int) -> bool:
        """Return whether so many more may be sent now."""

    def send(self, records: list[Record], batch: Batch) -> None:
        """Take records."""

    def poll(self, seconds: float) -> list[Batch]:
        """Return the batches that are acknowledged by now, in order; wait for a while if none."""

    def is_idle(self) -> bool:
        """Return whether everything is acknowledged and handed back."""

    def in_flight(self) -> int:
        """Return how many records have no acknowledgement yet."""

    def tallies(self) -> list[Tally]:
        """Return the figures of the batches that are not handed back."""
