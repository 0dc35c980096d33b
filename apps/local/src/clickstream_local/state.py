"""The state folder: where a laptop's pipeline keeps everything.

Owns its layout, the lock that only one pipeline holds, and what is written about the running
one. It does not know how services are started.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_local.errors import AlreadyRunning

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

from contextlib import contextmanager

__all__ = ["StateFolder"]

_PASSWORD_BYTES = 24


@dataclass(frozen=True)
class StateFolder:
    """A folder such as ``.clickstream``; made when first needed, for its owner only."""

    root: Path

    def folder(self, name: str) -> Path:
        """Return a folder inside, and make it if need be."""
        path = self.root / name
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        return path

    def log_file(self, service: str) -> Path:
        """Return where a service's log goes."""
        return self.folder("logs") / f"{service}.log"

    def secret(self, name: str) -> Path:
        """Return the file of a password; it is made once and readable by its owner only."""
        folder = self.folder("secrets")
        folder.chmod(0o700)
        path = folder / f"{name}.password"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(_PASSWORD_BYTES))
        return path

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for oneself.

        Raises:
            AlreadyRunning: Another process holds it.
        """
        with (self.folder("run") / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(self.root, self.describe()) from None
            try:
                yield
            finally:
                self.forget()

    def remember(self, state: dict[str, Any]) -> None:
        """Write down what is running."""
        path = self.folder("run") / "state.json"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(state, indent=1), encoding="utf-8")
        draft.replace(path)

    def recall(self) -> dict[str, Any] | None:
        """Return what is running, or ``None``."""
        try:
            text = (self.root / "run" / "state.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        state: dict[str, Any] = json.loads(text)
        return state

    def forget(self) -> None:
        """Remove what was written about the running pipeline."""
        (self.root / "run" / "state.json").unlink(missing_ok=True)

    def describe(self) -> str:
        """Say in a few words what is running."""
        state = self.recall()
        if state is None:
            return "another command is using it"
        services = ", ".join(
            f"{row['service']} (pid {row['pid']})" for row in state.get("services", [])
        )
        return (
            f"simulation {state['simulation']} runs since {state['since']} under pid"
            f" {state['pid']}" + (f" with {services}" if services else "")
        )
