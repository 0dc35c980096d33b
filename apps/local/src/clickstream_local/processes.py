"""Child processes: started with a log, watched, and stopped in order.

A process is identified by its pid and its start time since boot, so that neither a reused pid nor a
changed clock misleads.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from clickstream_streaming.api import Deadline

from clickstream_local.errors import ServiceFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clickstream_local.class_archive import ClassArchive

__all__ = ["ServiceProcess", "is_running", "process_identity", "stop_remembered"]

_LAUNCHER = Path(__file__).with_name("launcher.py")
_POLL_SECONDS = 0.05
_ARCHIVE_SECONDS = 90.0
"""In which a JVM may write its archive, on a busy machine."""
_MOST_LOG_BYTES = 8 * 2**20
_PROC = Path("/proc")
_START_TICKS = 19
"""Index of the start time after the process's name: ``starttime`` is field 22."""


@dataclass
class ServiceProcess:
    """One running service.

    Attributes:
        service: Its name.
        log_file: The file for its output.
        stop_signal: The signal that stops it.
        stop_seconds: How long it may take to stop before it is killed.
        archive: What its JVM may write when it ends.
    """

    service: str
    log_file: Path
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 30.0
    archive: ClassArchive | None = None

    @classmethod
    def start(
        cls,
        service: str,
        command: list[str],
        log_file: Path,
        environment: Mapping[str, str],
        user_id: int | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_seconds: float = 30.0,
        folder: Path | None = None,
    ) -> ServiceProcess:
        """Start a process in a new session; it ends when this process ends.

        Call this from the main thread: the kernel ends the child with the thread that made it.

        Args:
            service: Its name.
            command: The program and its arguments.
            log_file: The file for its output.
            environment: All its environment variables.
            user_id: Its user; the current one if absent.
            stop_signal: The signal that stops it.
            stop_seconds: How long it may take to stop before it is killed.
            folder: Its working folder, entered before the user changes; the current one if absent.
        """
        user = os.getuid() if user_id is None else user_id
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", str(_LAUNCHER), str(os.getpid()), str(user), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        return cls(service, log_file, process, stop_signal, stop_seconds)

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Wait until the service is ready.

        Raises:
            ServiceFailed: The service ended, or was not ready in time.
        """
        deadline = Deadline(seconds)
        while not is_ready():
            self.check()
            if deadline.has_passed():
                raise ServiceFailed(
                    self.service, f"was not ready after {seconds:.0f} s", self.log_file
                )
            time.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Raise :class:`ServiceFailed` if the process has ended."""
        code = self.process.poll()
        if code is not None:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            raise ServiceFailed(self.service, how, self.log_file)

    def limit_log(self) -> None:
        """Copy a log of more than 8 MiB to ``NAME.log.1``, and truncate it.

        An earlier copy is replaced. The process keeps the file open: lines written between copy and
        truncation are lost. A log that cannot be copied is left unchanged.
        """
        try:
            if self.log_file.stat().st_size > _MOST_LOG_BYTES:
                shutil.copyfile(self.log_file, self.log_file.with_suffix(".log.1"))
                os.truncate(self.log_file, 0)
        except OSError:
            return

    def stop(self) -> None:
        """Stop the process and those that it started; kill them if they do not end in time."""
        if self.process.poll() is not None:
            self._drop_archive()
            return
        writes = self.archive is not None and self.archive.is_written
        deadline = Deadline(self.stop_seconds + (_ARCHIVE_SECONDS if writes else 0))
        self.process.send_signal(self.stop_signal)
        # Spark's JVM ends after the Python process that started it.
        while self.process.poll() is None or _has_members(self.process.pid):
            if deadline.has_passed():
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                self._drop_archive()
                return
            time.sleep(_POLL_SECONDS)
        if self.archive is not None:
            self.archive.keep()

    def _drop_archive(self) -> None:
        if self.archive is not None:
            self.archive.drop()

    def kill(self) -> None:
        """End the process at once."""
        if self.process.poll() is None:
            self.process.kill()

    def remembered(self) -> dict[str, Any]:
        """Return the process as an entry of the state file."""
        pid = self.process.pid
        return {"service": self.service, "pid": pid, "identity": process_identity(pid)}


def _has_members(group: int) -> bool:
    """Return whether a process of a group runs; a dead one may remain if nothing reaps it."""
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError):
            is_member = os.getpgid(process.pid) == group
            if is_member and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
    return False


def process_identity(pid: int) -> str | None:
    """Return a text that identifies a process beyond its pid; ``None`` without a process."""
    if sys.platform != "linux":
        try:
            return str(psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None
    try:
        # https://docs.kernel.org/filesystems/proc.html: the name in parentheses may be any text.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return f"{boot} {fields[_START_TICKS]}"


def is_running(row: Mapping[str, Any]) -> bool:
    """Return whether a process of the state file still runs."""
    identity = process_identity(row["pid"])
    return identity is not None and identity == row.get("identity")


def stop_remembered(row: Mapping[str, Any], seconds: float) -> bool:
    """End a process of the state file if it still runs; return whether it did."""
    try:
        process = psutil.Process(row["pid"])
        if not is_running(row):
            return False
        process.terminate()
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait()
    except psutil.NoSuchProcess:
        return False
    return True
