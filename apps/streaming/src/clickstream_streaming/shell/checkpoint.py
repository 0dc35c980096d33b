"""Checkpoints: what Spark wrote down, and whether it fits the job and the database.

Owns the reading of Spark's checkpoint files (``metadata``, ``offsets``, ``commits``; their
format is that of Spark's HDFSMetadataLog and OffsetSeqLog) and a fingerprint of our own
beside them. It does not know what a batch holds.
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
"""The query that reads; its checkpoint folder has the same name."""

Offsets = dict[str, dict[int, int]]
"""The offset up to which, without it, each partition of each topic was read."""

_FINGERPRINT = "clickstream-fingerprint.json"


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint folder of one query."""

    folder: Path

    def exists(self) -> bool:
        """Say whether a batch was ever planned with it."""
        return self.planned_batch() is not None

    def identity(self) -> str:
        """Return Spark's id of the query; batch numbers belong to it."""
        with self._readable("metadata") as text:
            identity: str = json.loads(text)["id"]
        return identity

    def planned_batch(self) -> int | None:
        """Return the number of the last batch that was begun, or ``None``."""
        return self._last("offsets")

    def committed_batch(self) -> int | None:
        """Return the number of the last batch that is done, or ``None``."""
        return self._last("commits")

    def offsets_until(self, batch_id: int) -> Offsets:
        """Return where the batch ends."""
        with self._readable(f"offsets/{batch_id}") as text:
            # The first line is the version, the second the watermark, then one line per source.
            return {
                topic: {int(partition): int(offset) for partition, offset in partitions.items()}
                for topic, partitions in json.loads(text.splitlines()[2]).items()
            }

    def check_fingerprint(self, fingerprint: dict[str, str]) -> None:
        """Compare the job with the one that made the checkpoint, or note ours in a new one.

        Raises:
            CheckpointMismatch: They differ.
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
        """Give a file's text, and take what does not make sense of it for a broken file."""
        try:
            yield (self.folder / name).read_text(encoding="utf-8")
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise CheckpointMismatch(self.folder, [f"{name} is not as Spark writes it"]) from error

    def _last(self, log: str) -> int | None:
        numbers = [int(path.name) for path in (self.folder / log).glob("*") if path.name.isdigit()]
        return max(numbers, default=None)
