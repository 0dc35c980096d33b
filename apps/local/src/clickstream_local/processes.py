"""Child processes: started with a log, watched, and stopped in order.

Owns their life. A process is known by its pid and by when it started, counted from the machine's
start, so that neither a pid that was used again nor a clock that was set misleads.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from clickstream_streaming.shell.retry import Deadline

from clickstream_local.errors import ServiceFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ServiceProcess", "is_running", "process_identity", "stop_remembered"]

_LAUNCHER = Path(__file__).with_name("launcher.py")
_POLL_SECONDS = 0.05
_MOST_LOG_BYTES = 8 * 2**20
_PROC = Path("/proc")
_START_TICKS = 19
"""Place of the start time behind the process's name: ``starttime`` is field 22."""


@dataclass
class ServiceProcess:
    """One running service.

    Attributes:
        service: Its name, as people read it.
        log_file: Where its output goes.
        stop_signal: What asks it to end.
        stop_seconds: How long it may take; then it is killed.
    """

    service: str
    log_file: Path
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 30.0

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
        """Start a process in a session of its own, which ends when this process does.

        Call it from the main thread: the kernel ends the child with the thread that made it.

        Args:
            service: Its name, as people read it.
            command: The program and its arguments.
            log_file: Where its output goes.
            environment: All of its variables.
            user_id: Its user; ours if absent.
            stop_signal: What asks it to end.
            stop_seconds: How long it may take to end; then it is killed.
            folder: Where it works, entered before it gets its user; where we do if absent.
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
            ServiceFailed: It ended, or was not ready in time.
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
        """Move a log that has grown to more than 8 MiB to ``NAME.log.1``, and let it begin again.

        What was there is replaced. The process keeps the file open and writes at its end: what it
        writes between copy and truncation is lost. A log that cannot be copied stays as it is.
        """
        try:
            if self.log_file.stat().st_size > _MOST_LOG_BYTES:
                shutil.copyfile(self.log_file, self.log_file.with_suffix(".log.1"))
                os.truncate(self.log_file, 0)
        except OSError:
            return

    def stop(self) -> None:
        """Ask the process to end, and kill it when it does not."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(self.stop_seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self) -> None:
        """End the process at once."""
        if self.process.poll() is None:
            self.process.kill()

    def remembered(self) -> dict[str, Any]:
        """Return what is written down about it."""
        pid = self.process.pid
        return {"service": self.service, "pid": pid, "identity": process_identity(pid)}


def process_identity(pid: int) -> str | None:
    """Return what tells a process from every other of its pid; ``None`` if there is none."""
    if sys.platform != "linux":
        try:
            return str(psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None
    try:
        # https://docs.kernel.org/filesystems/proc.html: the name, in parentheses, is any text.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return f"{boot} {fields[_START_TICKS]}"


def is_running(row: Mapping[str, Any]) -> bool:
    """Return whether a process that was written down still runs."""
    identity = process_identity(row["pid"])
    return identity is not None and identity == row.get("identity")


def stop_remembered(row: Mapping[str, Any], seconds: float) -> bool:
    """End a process that was written down, if it is still the same one; say whether it was."""
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
