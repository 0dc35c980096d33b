"""A sink that converts records into a form before another sink takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickstream_generator.core.faults import Record
    from clickstream_generator.core.shard_ledger import Tally
    from clickstream_generator.shell.sink import Batch, Sink

__all__ = ["FormedSink"]


class FormedSink:
    """A sink for records of another form; figures and keys stay those of the events.

    Args:
        sink: The sink that takes the converted records.
        convert: Returns a native record in the form.
    """

    def __init__(self, sink: Sink, convert: Callable[[bytes | None], bytes | None]) -> None:
        self._sink = sink
        self._convert = convert

    def has_room(self, records: int) -> bool:
        """Return whether this many records may be sent now."""
        return self._sink.has_room(records)

    def send(self, records: list[Record], batch: Batch) -> None:
        """Convert records, and send them."""
        self._sink.send([(self._convert(value), key) for value, key in records], batch)

    def poll(self, seconds: float) -> list[Batch]:
        """Return acknowledged batches in order; wait up to ``seconds`` if there are none."""
        return self._sink.poll(seconds)

    def is_idle(self) -> bool:
        """Return whether all batches are acknowledged and returned."""
        return self._sink.is_idle()

    def in_flight(self) -> int:
        """Return the number of records in flight."""
        return self._sink.in_flight()

    def tallies(self) -> list[Tally]:
        """Return the figures of the batches that are not returned yet."""
        return self._sink.tallies()
