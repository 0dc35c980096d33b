"""Archives of a service's Java classes: with one, the service starts in about half the time.

Owns their names, their number and the options of the JVM. The JVM writes an archive when it ends,
and maps it at later starts (class-data sharing,
https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html). An archive only saves time:
without one, or with one that the JVM cannot use, the service starts as usual.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from clickstream_local.environment import service_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

__all__ = ["ClassArchive"]

_MOST_ARCHIVES = 3
"""Of one service: an archive has up to 160 MB, and installations do not share it."""
_DUMP_SECONDS = 60.0


@dataclass
class ClassArchive:
    """The archive of one service.

    Attributes:
        file: The archive; if it is there, it is complete.
        java: The JVM's program.
    """

    file: Path
    java: Path
    _unlock: Callable[[], object] | None = field(default=None, init=False, repr=False)
    _draft: Path = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Name the draft, which no other JVM writes: one of a killed service may end later."""
        self._draft = self.file.with_suffix(f".{uuid4().hex}.draft")

    @classmethod
    def of(cls, service: str, cache: Path, java_home: Path, jars: Iterable[Path]) -> Self:
        """Return the archive that fits a Java and its class path.

        Args:
            service: The service's name.
            cache: The folder that gets the archives' folder.
            java_home: The Java that runs the service.
            jars: All jars of the class path.
        """
        java = java_home / "bin" / "java"
        key = _digest([java, java_home / "release", *sorted(jars)])
        return cls(cache / "classes" / f"{service}-{key}.jsa", java)

    @property
    def empty_folder(self) -> Path:
        """A folder for the class path of a service that needs one."""
        return self.file.parent / "empty"

    @property
    def is_written(self) -> bool:
        """Whether the JVM writes the archive when it ends."""
        return self._unlock is not None

    def options(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """Return the JVM's options: to use the archive, or to write it if no other process does.

        Args:
            environment: The variables of the process that starts the service.
        """
        try:
            self._make_folder()
            if self.file.exists():
                os.utime(self.file)
                return self._mapping(self._base, self.file)
            lock = os.open(self.file.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError:
            return ()
        self._unlock = weakref.finalize(self, os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for file in self.file.parent.glob(f"{self.file.stem}.*.draft"):
                file.unlink()
        except OSError:
            self.drop()
            return ()
        self._write_base(environment)
        return (*self._mapping(self._base), f"-XX:ArchiveClassesAtExit={self._draft}")

    def keep(self) -> None:
        """Keep the archive that the JVM has written, after its end; remove the oldest ones."""
        if self._unlock is None:
            return
        with suppress(OSError):
            self._draft.replace(self.file)
            service = self.file.name.partition("-")[0]
            known = sorted(self.file.parent.glob(f"{service}-*.jsa"), key=_used_at)
            for file in known[:-_MOST_ARCHIVES]:
                file.unlink()
        self.drop()

    def drop(self) -> None:
        """Let another process write the archive."""
        if self._unlock is not None:
            self._unlock()
            self._unlock = None

    @property
    def _base(self) -> Path | None:
        """The archive of the JVM's own classes, if the JVM comes without one."""
        own = self.java.resolve().parents[1] / "lib" / "server" / "classes.jsa"
        if own.exists():
            return None
        return (
            self.file.parent / f"java-{_digest([self.java, self.java.parents[1] / 'release'])}.jsa"
        )

    def _make_folder(self) -> None:
        """Make the folder; raise ``PermissionError`` if others can write classes into it."""
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = self.file.parent.stat()
        if status.st_uid != os.getuid() or status.st_mode & 0o022:
            raise PermissionError(self.file.parent)
        self.empty_folder.mkdir(exist_ok=True)

    def _write_base(self, environment: Mapping[str, str]) -> None:
        base = self._base
        if base is not None and not base.exists():
            draft = self.file.with_suffix(".base")
            dump = [str(self.java), "-Xshare:dump", f"-XX:SharedArchiveFile={draft}"]
            with suppress(OSError, subprocess.SubprocessError):
                subprocess.run(
                    dump, env=service_environment(environment), stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, timeout=_DUMP_SECONDS, check=True,
                )  # fmt: skip
                draft.replace(base)

    @staticmethod
    def _mapping(*files: Path | None) -> tuple[str, ...]:
        """Return the options that map archives, after checking their sums."""
        names = [str(file) for file in files if file is not None]
        if not names:
            return ()
        return ("-XX:+VerifySharedSpaces", f"-XX:SharedArchiveFile={os.pathsep.join(names)}")


def _used_at(file: Path) -> float:
    return file.stat().st_mtime


def _digest(files: Iterable[Path]) -> str:
    """Return a hash of the jars' paths, sizes and times, as the JVM has it, and of other files."""
    found = hashlib.sha256()
    for file in files:
        if file.suffix == ".jar":
            status = file.stat()
            content = f"{status.st_size} {status.st_mtime_ns}".encode()
        else:
            content = file.read_bytes() if file.exists() else b""
        found.update(f"{file}\0".encode() + content + b"\0")
    return found.hexdigest()[:16]
