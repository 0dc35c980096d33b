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
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from clickstream_local.environment import service_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
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
    _lock: int | None = field(default=None, init=False, repr=False)

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
        return self._lock is not None

    def options(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """Return the JVM's options: to use the archive, or to write it if no other process does.

        Args:
            environment: The variables of the process that starts the service.
        """
        if self.file.exists():
            with suppress(OSError):
                os.utime(self.file)
            return self._mapping(self._base, self.file)
        try:
            self.empty_folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.file.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._draft.unlink(missing_ok=True)
        except OSError:
            self.drop()
            return ()
        self._write_base(environment)
        return (*self._mapping(self._base), f"-XX:ArchiveClassesAtExit={self._draft}")

    def keep(self) -> None:
        """Keep the archive that the JVM has written, after its end; remove the oldest ones."""
        if self._lock is None:
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
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def _draft(self) -> Path:
        return self.file.with_suffix(".draft")

    @property
    def _base(self) -> Path | None:
        """The archive of the JVM's own classes, if the JVM comes without one."""
        own = self.java.resolve().parents[1] / "lib" / "server" / "classes.jsa"
        if own.exists():
            return None
        return (
            self.file.parent / f"java-{_digest([self.java, self.java.parents[1] / 'release'])}.jsa"
        )

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
