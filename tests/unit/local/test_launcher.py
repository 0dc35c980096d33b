"""Becoming another program that ends with its parent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from clickstream_local import launcher


def _launched(parent_pid: int, *command: str) -> subprocess.CompletedProcess[str]:
    script = Path(launcher.__file__)
    return subprocess.run(
        [sys.executable, "-I", str(script), str(parent_pid), str(os.getuid()), *command],
        capture_output=True,
        text=True,
        check=False,
    )


def test_launcher_becomes_the_program() -> None:
    """The program runs with its arguments, output and exit code."""
    done = _launched(os.getpid(), "sh", "-c", 'echo "$0 $1"; exit 7', "a b", "c")

    assert (done.returncode, done.stdout) == (7, "a b c\n")


def test_orphan_starts_nothing() -> None:
    """If the parent has already ended, the program is not started."""
    done = _launched(1 if os.getpid() != 1 else 2, "echo", "started")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "the parent is gone\n")


def test_program_dies_with_its_parent() -> None:
    """The program gets SIGTERM when the process that started it is killed."""
    trap = "trap 'echo ended; exit' TERM; echo begun; while :; do sleep 0.01; done"
    parent = (
        "import os, subprocess, sys\n"
        f"launcher = {launcher.__file__!r}\n"
        "command = [sys.executable, '-I', launcher, str(os.getpid()), str(os.getuid())]\n"
        "subprocess.Popen([*command, 'sh', '-c', sys.argv[1]]).wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-c", parent, trap], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"

        process.kill()

        assert process.stdout.read() == "ended\n"
