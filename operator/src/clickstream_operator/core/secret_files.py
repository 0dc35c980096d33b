"""Secrets as files of a worker: what a pod mounts, and how an error names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clickstream_operator.core.kinds import Object

__all__ = ["SecretFiles", "files_text"]


@dataclass(frozen=True)
class SecretFiles:
    """A secret, mounted read-only at ``/etc/VOLUME``.

    A missing secret does not stop a pod from starting: the worker reports the missing file.

    Attributes:
        volume: The volume's name.
        secret: The secret's name.
        keys: The keys that become files; the worker gets no other key.
    """

    volume: str
    secret: str
    keys: tuple[str, ...]

    def as_mount(self) -> Object:
        """Return the path at which the container mounts the secret."""
        return {"name": self.volume, "mountPath": f"/etc/{self.volume}", "readOnly": True}

    def as_volume(self) -> Object:
        """Return the secret as a volume."""
        return {
            "name": self.volume,
            "secret": {
                "secretName": self.secret,
                "optional": True,
                "items": [{"key": key, "path": key} for key in self.keys],
            },
        }


def files_text(rows: Iterable[SecretFiles]) -> str:
    """Return a text that names the secrets of the worker's files; empty without secrets."""
    return ", ".join(f"/etc/{row.volume} is the secret {row.secret}" for row in rows)
