"""Spark's checkpoint, and the fingerprint of the job that made it.

Owns the reading of Spark's files ``metadata``, ``offsets`` and ``commits``, in the format of its
HDFSMetadataLog and OffsetSeqLog, and a file with the fingerprint beside them.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_streaming.errors import CheckpointMismatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["QUERY", "Checkpoint", "Offsets"]

QUERY = "events"
"""The name of the query and of its checkpoint folder."""

Offsets = dict[str, dict[int, int]]
"""The next offset of each partition of each topic."""

_FINGERPRINT = "clickstream-fingerprint.json"


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint folder of one query."""

    folder: Path

    def exists(self) -> bool:
        """Return whether a batch was ever planned."""
        return self.planned_batch() is not None

    def identity(self) -> str:
        """Return Spark's id of the query; its batch numbers are unique within this id."""
        with self._readable("metadata") as text:
            identity: str = json.loads(text)["id"]
        return identity

    def planned_batch(self) -> int | None:
        """Return the number of the last planned batch, or ``None``."""
        return self._last("offsets")

    def committed_batch(self) -> int | None:
        """Return the number of the last committed batch, or ``None``."""
        return self._last("commits")

    def offsets_until(self, batch_id: int) -> Offsets:
        """Return the end of a batch."""
        with self._readable(f"offsets/{batch_id}") as text:
            # The first line is the version, the second the watermark, then one line per source.
            return {
                topic: {int(partition): int(offset) for partition, offset in partitions.items()}
                for topic, partitions in json.loads(text.splitlines()[2]).items()
            }

    def check_fingerprint(self, fingerprint: dict[str, str]) -> None:
        """Compare the fingerprint with the checkpoint's; store it in a new checkpoint.

        Raises:
            CheckpointMismatch: The fingerprints differ.
        """
        file = self.folder / _FINGERPRINT
        if file.exists():
            with self._readable(_FINGERPRINT) as text:
                theirs = dict(json.loads(text))
            differences = [
                f"{name}: {theirs.get(name)} there, {fingerprint.get(name)} here"
                for name in sorted(theirs.keys() | fingerprint.keys())
                if theirs.get(name) != fingerprint.get(name)
            ]
            if differences:
                raise CheckpointMismatch(self.folder, differences)
        elif self.exists():
            raise CheckpointMismatch(self.folder, ["it has no fingerprint"])
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(fingerprint, indent=1), encoding="utf-8")

    @contextmanager
    def _readable(self, name: str) -> Iterator[str]:
        """Yield the text of a file; report an error of its reader as a broken file."""
        try:
            yield (self.folder / name).read_text(encoding="utf-8")
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise CheckpointMismatch(self.folder, [f"{name} is not as Spark writes it"]) from error

    def _last(self, log: str) -> int | None:
        numbers = [int(path.name) for path in (self.folder / log).glob("*") if path.name.isdigit()]
        return max(numbers, default=None)
