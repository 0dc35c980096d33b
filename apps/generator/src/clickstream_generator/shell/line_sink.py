"""The line sink: writes records to a byte stream, such as standard output."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from clickstream_generator.errors import OutputFailed

if TYPE_CHECKING:
    from typing import BinaryIO

    from clickstream_generator.core.faults import Record
    from clickstream_generator.core.shard_ledger import Tally
    from clickstream_generator.shell.sink import Batch

__all__ = ["LineSink"]


class LineSink:
    """A sink that writes one record per line; a record without a value is an empty line.

    A written record counts as acknowledged.

    Args:
        stream: The byte stream.

    Raises:
        BrokenPipeError: By :meth:`send`: the reader has closed the stream.
        OutputFailed: By :meth:`send`: the stream cannot be written.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._written: list[Batch] = []

    def has_room(self, _records: int) -> bool:
        """Return ``True``: writing waits for the reader."""
        return True

    def send(self, records: list[Record], batch: Batch) -> None:
        """Write records."""
        if records:
            lines = [value or b"" for value, _ in records]
            try:
                self._stream.write(b"\n".join(lines) + b"\n")
                self._stream.flush()
            except BrokenPipeError:
                raise
            except OSError as error:
                raise OutputFailed(
                    "standard output",
                    error.strerror or str(error),
                    "free some space, and start again",
                ) from None
        self._written.append(batch)

    def poll(self, seconds: float) -> list[Batch]:
        """Wait for a while, and return the batches written since the last call."""
        if seconds:
            time.sleep(seconds)
        written, self._written = self._written, []
        return written

    def is_idle(self) -> bool:
        """Return whether all batches are returned."""
        return not self._written

    def in_flight(self) -> int:
        """Return 0: a written record is acknowledged."""
        return 0

    def tallies(self) -> list[Tally]:
        """Return the figures of the batches that are not returned yet."""
        return [batch.tally for batch in self._written]
