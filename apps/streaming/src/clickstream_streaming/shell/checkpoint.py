"""Checkpoints: what Spark wrote down, and whether it fits the job and the database.

Owns the reading of Spark's checkpoint files (``metadata``, ``offsets``, ``commits``; their
format is that of Spark's HDFSMetadataLog and OffsetSeqLog) and a fingerprint of our own
beside them. It does not know what a batch holds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_streaming.errors import CheckpointMismatch

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Checkpoint", "Offsets"]

Offsets = dict[str, dict[int, int]]
"""The offset up to which, without it, each partition of each topic was read."""

_FINGERPRINT = "clickstream-fingerprint.json"


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint folder of one query."""

    folder: Path

    def exists(self) -> bool:
        """Say whether a batch was ever planned with it."""
        return self._last("offsets") is not None

    def identity(self) -> str:
        """Return Spark's id of the query; batch numbers belong to it."""
        content = json.loads((self.folder / "metadata").read_text(encoding="utf-8"))
        identity: str = content["id"]
        return identity

    def committed_batch(self) -> int | None:
        """Return the number of the last batch that is done, or ``None``."""
        return self._last("commits")

    def offsets_until(self, batch_id: int) -> Offsets:
        """Return where the batch ends."""
        lines = (self.folder / "offsets" / str(batch_id)).read_text(encoding="utf-8").splitlines()
        # The first line is the version, the second the watermark, then one line per source.
        return {
            topic: {int(partition): offset for partition, offset in partitions.items()}
            for topic, partitions in json.loads(lines[2]).items()
        }

    def check_fingerprint(self, fingerprint: dict[str, str]) -> None:
        """Compare the job with the one that made the checkpoint, or note ours in a new one.

        Raises:
            CheckpointMismatch: They differ.
        """
        file = self.folder / _FINGERPRINT
        if file.exists():
            theirs = json.loads(file.read_text(encoding="utf-8"))
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

    def _last(self, log: str) -> int | None:
        numbers = [int(path.name) for path in (self.folder / log).glob("*") if path.name.isdigit()]
        return max(numbers, default=None)
