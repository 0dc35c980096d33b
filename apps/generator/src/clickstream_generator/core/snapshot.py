"""Snapshots: the state of a shard, from which another process resumes it.

Owns the format: a NumPy archive (``.npz``) with a JSON header, compressed with Zstandard. What it
has of a shard is decided in :mod:`clickstream_generator.core.carried_shard`.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from clickstream_contract.document import parse_simulation

from clickstream_generator.errors import SnapshotUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_contract.simulation import Simulation

__all__ = ["Snapshot", "compress", "decompress", "dump_snapshot", "load_snapshot"]

_FORMAT = 8


@dataclass(frozen=True)
class Snapshot:
    """The state of a shard at one moment.

    Attributes:
        header: Numbers and texts, as JSON values.
        arrays: The state in arrays; the shard that is made from the snapshot takes them over.
    """

    header: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    @property
    def number(self) -> int:
        """The shard."""
        return int(self.header["number"])

    @property
    def shard_seq(self) -> int:
        """The number of the last event taken."""
        return int(self.header["made"])

    @property
    def since_seconds(self) -> float:
        """When the shard's current schedule started, Unix seconds; later revisions are missing."""
        return float(self.header["schedule"]["start_seconds"])

    @property
    def first(self) -> Simulation:
        """The simulation at the start of the run."""
        return parse_simulation(self.header["first_document"])

    @property
    def running(self) -> Simulation:
        """The simulation at the time of the snapshot."""
        return parse_simulation(self.header["document"])


def dump_snapshot(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes."""
    plain = io.BytesIO()
    content = json.dumps({"format": _FORMAT, **snapshot.header}).encode()
    header = np.frombuffer(content, dtype=np.uint8)
    np.savez(plain, header=header, allow_pickle=False, **snapshot.arrays)
    return compress(plain.getvalue())


def load_snapshot(content: bytes) -> Snapshot:
    """Read the bytes of :func:`dump_snapshot`.

    Raises:
        SnapshotUnusable: The bytes are not a snapshot of this format.
    """
    try:
        with np.load(io.BytesIO(decompress(content)), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("header").tobytes())
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise SnapshotUnusable(f"its bytes cannot be read ({error})") from None
    found = header.pop("format", None)
    if found != _FORMAT:
        raise SnapshotUnusable(f"its format is {found}, not {_FORMAT}")
    return Snapshot(header, arrays)


def compress(content: bytes) -> bytes:
    """Return bytes compressed with Zstandard."""
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(content)
    return bytes(packed.getvalue())


def decompress(content: bytes) -> bytes:
    """Read the bytes of :func:`compress`.

    Raises:
        OSError: They are not compressed.
    """
    with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
        return bytes(stream.read())
