"""Child processes: started with a log, watched, and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest
from clickstream_local.class_archive import ClassArchive
from clickstream_local.errors import ServiceFailed
from clickstream_local.processes import (
    ServiceProcess,
    _has_members,
    is_running,
    process_identity,
    stop_remembered,
)
from pipeline import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def _started(tmp_path: Path, script: str, stop_seconds: float = 30.0) -> Iterator[ServiceProcess]:
    """Run a shell script as a service; it has ended afterwards."""
    process = ServiceProcess.start(
        "sleeper", ["sh", "-c", script], tmp_path / "log", os.environ, stop_seconds=stop_seconds
    )
    try:
        yield process
    finally:
        process.process.kill()
        process.process.wait()


def _says(tmp_path: Path, word: str) -> bool:
    return word in (tmp_path / "log").read_text(encoding="utf-8")


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    """Output and errors of a service are appended to its log."""
    (tmp_path / "log").write_text("before\n")
    with _started(tmp_path, "echo out; echo err >&2") as process:
        process.process.wait()

    assert (tmp_path / "log").read_text() == "before\nout\nerr\n"


def test_large_log_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log beyond the limit moves beside itself, and the process writes on at the file's end."""
    monkeypatch.setattr("clickstream_local.processes._MOST_LOG_BYTES", 10)
    script = f"echo 0123456789; while ! test -e '{tmp_path}/go'; do sleep 0.01; done; echo next"
    with _started(tmp_path, script) as process:
        process.limit_log()  # there may be none yet
        process.wait_until(lambda: _says(tmp_path, "9\n"), 60)
        process.limit_log()
        (tmp_path / "go").touch()
        process.process.wait()
        process.limit_log()

    assert (tmp_path / "log").read_text() == "next\n"
    assert (tmp_path / "log.log.1").read_text() == "0123456789\n"


def test_environment_is_the_given_one(tmp_path: Path) -> None:
    """A service sees the variables that it is given and no others."""
    process = ServiceProcess.start(
        "x", ["sh", "-c", "echo $GIVEN-$HOME"], tmp_path / "log", {"GIVEN": "yes"}
    )
    process.process.wait()

    assert (tmp_path / "log").read_text() == "yes-\n"


@pytest.mark.parametrize(
    ("script", "how"),
    [("exit 3", "ended with code 3"), ("exit 0", "ended with code 0"),
     ("kill -9 $$", "was killed by signal 9")],
)  # fmt: skip
def test_ended_service_is_an_error(tmp_path: Path, script: str, how: str) -> None:
    """A service that has ended is named, with how it ended."""
    with _started(tmp_path, script) as process:
        process.process.wait()

        with pytest.raises(ServiceFailed, match=f"^sleeper {how};"):
            process.check()


def test_running_service_is_fine(tmp_path: Path) -> None:
    """A service that runs is no error, and waiting ends as soon as it is ready."""
    with _started(tmp_path, "echo ready; exec sleep 60") as process:
        process.wait_until(lambda: _says(tmp_path, "ready"), 60)

        process.check()


def test_late_service_is_an_error(tmp_path: Path) -> None:
    """A service that is not ready in time is named, with how long it had."""
    with (
        _started(tmp_path, "exec sleep 60") as process,
        pytest.raises(ServiceFailed, match="was not ready after 0 s"),
    ):
        process.wait_until(lambda: False, 0)


def test_death_ends_the_wait(tmp_path: Path) -> None:
    """A service that ends before it is ready is not waited for."""
    with (
        _started(tmp_path, "exit 3") as process,
        pytest.raises(ServiceFailed, match="ended with code 3"),
    ):
        process.wait_until(lambda: False, 60)


def test_stopping_asks_first(tmp_path: Path) -> None:
    """A service is stopped, and stopping it again is no error."""
    with _started(tmp_path, "exec sleep 60") as process:
        process.stop()
        process.stop()

        assert process.process.returncode == -signal.SIGTERM


def test_deaf_service_is_killed(tmp_path: Path) -> None:
    """A service that does not stop in time is killed."""
    script = "trap '' TERM; echo ready; while :; do sleep 0.01; done"
    with _started(tmp_path, script, stop_seconds=0.05) as process:
        process.wait_until(lambda: _says(tmp_path, "ready"), 60)
        process.stop()

        assert process.process.returncode == -signal.SIGKILL


def test_stopping_waits_for_children(tmp_path: Path) -> None:
    """A service has stopped only when the processes that it started have ended."""
    child = f"(trap '' TERM; while ! test -e '{tmp_path}/go'; do sleep 0.01; done; echo last) &"
    with _started(tmp_path, f"{child} echo ready; exec sleep 60") as process:
        process.wait_until(lambda: _says(tmp_path, "ready"), 60)
        opener = threading.Timer(0.2, (tmp_path / "go").touch)
        opener.start()
        process.stop()

        assert _says(tmp_path, "last")


def test_deaf_children_are_killed(tmp_path: Path) -> None:
    """Processes that a service started and that do not end in time are killed."""
    child = "(trap '' TERM; while :; do sleep 0.01; done) &"
    with _started(tmp_path, f"{child} echo ready; exec sleep 60", stop_seconds=0.2) as process:
        process.wait_until(lambda: _says(tmp_path, "ready"), 60)
        process.stop()

        wait_until(lambda: not _has_members(process.process.pid), "the child has ended")


@pytest.mark.parametrize("is_killed", [False, True])
def test_stopped_service_keeps_its_archive(tmp_path: Path, *, is_killed: bool) -> None:
    """What a JVM writes at its end is kept, but not what a kill has cut off."""
    archive = ClassArchive(tmp_path / "classes" / "x-1.jsa", tmp_path / "a" / "b" / "java")
    (option,) = (row for row in archive.options(os.environ) if "AtExit=" in row)
    draft = option.partition("=")[2]
    with _started(tmp_path, f"echo x > '{draft}'; echo ready; exec sleep 60") as process:
        process.archive = archive
        process.wait_until(lambda: _says(tmp_path, "ready"), 60)
        if is_killed:
            process.kill()
            process.process.wait()
        process.stop()

    assert archive.file.exists() is not is_killed


def test_remembered_process_is_stopped(tmp_path: Path) -> None:
    """A process is found again by pid and start time, once."""
    with _started(tmp_path, "exec sleep 60") as process:
        row = process.remembered()

        assert (row["service"], row["pid"]) == ("sleeper", process.process.pid)
        assert stop_remembered(row, 5) is True
        process.process.wait()
        assert stop_remembered(row, 5) is False


def test_foreign_pid_is_left_alone(tmp_path: Path) -> None:
    """A process with another start is not the one that was written down."""
    with _started(tmp_path, "exec sleep 60") as process:
        row = process.remembered()
        boot, _, ticks = row["identity"].partition(" ")

        others = [f"{boot} {int(ticks) + 1}", f"{boot[::-1]} {ticks}", None]
        assert is_running(row)
        for other in others:
            assert not stop_remembered(row | {"identity": other}, 1)
        process.check()


def test_identity_needs_no_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is set while a process runs does not make it another one."""
    with _started(tmp_path, "exec sleep 60") as process:
        row = process.remembered()
        monkeypatch.setattr(time, "time", lambda: 0.0)
        monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)

        assert is_running(row)


@pytest.mark.parametrize("name", ["a) R 1 1 (b", "x" * 15])
def test_identity_ignores_the_name(tmp_path: Path, name: str) -> None:
    """A process name that looks like further fields does not hide the start time."""
    program = tmp_path / name
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as process:
        try:
            identity = process_identity(process.pid)
            assert identity is not None
            ticks = int(identity.split()[1])
            assert 0 < ticks <= time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")
        finally:
            process.kill()


def test_deaf_remembered_process_is_killed(tmp_path: Path) -> None:
    """A process that was written down and does not end is killed."""
    with _started(tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.01; done") as process:
        process.wait_until(lambda: _says(tmp_path, "ready"), 60)

        assert stop_remembered(process.remembered(), 0.05) is True
        assert not psutil.pid_exists(process.process.pid) or process.process.poll() is not None
