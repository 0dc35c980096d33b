"""The state folder of a local pipeline.

Owns its layout, the lock that only one pipeline holds, and the state file of the running pipeline.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_local.errors import AlreadyRunning, StateBroken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

from contextlib import contextmanager

__all__ = ["StateFolder"]

_PASSWORD_BYTES = 24
_FOLDERS = ("checkpoints", "kafka", "logs", "postgres", "run", "secrets", "spark")


@dataclass(frozen=True)
class StateFolder:
    """A folder such as ``.clickstream``, created when needed, private to its owner."""

    root: Path

    def folder(self, name: str) -> Path:
        """Return a folder inside; it is created private to its owner."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        path = self.root / name
        for made in (self.root, path):
            made.mkdir(mode=0o700, exist_ok=True)
        return path

    def log_file(self, service: str) -> Path:
        """Return the log file of a service."""
        return self.folder("logs") / f"{service}.log"

    def secret(self, name: str) -> Path:
        """Return the file of a password; it is created once, private to its owner."""
        path = self.folder("secrets") / f"{name}.password"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(_PASSWORD_BYTES))
        return path

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the folder.

        Raises:
            AlreadyRunning: Another process holds the lock.
        """
        lock = self.folder("run") / "lock"
        is_older = lock.exists()
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(self.root, self.describe()) from None
            if is_older:
                self._close_folders()
            try:
                yield
            finally:
                self.forget()

    def _close_folders(self) -> None:
        """Make the folders private that an earlier version made readable for everyone."""
        for name in _FOLDERS:
            folder = self.root / name
            if folder.is_dir() and folder.stat().st_mode & 0o077:
                folder.chmod(0o700)

    def remember(self, state: dict[str, Any]) -> None:
        """Write the state file."""
        path = self.folder("run") / "state.json"
        draft = path.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(state, file, indent=1)
            file.flush()
            os.fsync(file.fileno())  # else a power cut may leave the file without content
        draft.replace(path)

    def recall(self) -> dict[str, Any] | None:
        """Return the content of the state file, or ``None`` without a file.

        Raises:
            StateBroken: The file cannot be read.
        """
        path = self.root / "run" / "state.json"
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise StateBroken(path, str(error)) from None
        if not isinstance(state, dict) or "pid" not in state:
            raise StateBroken(path, "it names no process")
        return state

    def forget(self) -> None:
        """Remove the state file."""
        (self.root / "run" / "state.json").unlink(missing_ok=True)

    def describe(self) -> str:
        """Return a short text about the running pipeline."""
        state = self.recall()
        if state is None:
            return "another command is using it"
        services = ", ".join(
            f"{row['service']} (pid {row['pid']})" for row in state.get("services", [])
        )
        return (
            f"simulation {state['simulation']} has run since {state['since']} with pid"
            f" {state['pid']}" + (f" with {services}" if services else "")
        )
