"""The command: what bad input gets, before anything is started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from clickstream_local.errors import AlreadyRunning, JavaMissing
from clickstream_local.java import find_java_home
from clickstream_local.ports import free_port
from clickstream_local.processes import ServiceProcess, stop_remembered
from clickstream_local.state import StateFolder

GOOD = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {name: shop}
spec:
  seed: 42
  rate: {eventsPerSecond: 100}
  userMix: [{persona: Browser, weight: 1}]
"""


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clickstream_local", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("]", [], "document"),
        (GOOD.replace("seed", "sed"), [], "did you mean seed?"),
        (GOOD.replace("weight: 1", "weight: 0"), [], "spec.userMix"),
        (GOOD.replace("Browser", "Nobody"), [], "spec.userMix[0].persona"),
        (GOOD + "  suspend: true\n", [], "spec.suspend"),
        (GOOD, ["--for", "soon"], "--for"),
        (GOOD, ["--rate", "0"], "--rate"),
        (GOOD, ["--rate", "1000000000000"], "--rate"),
    ],
    ids=["no yaml", "unknown", "weights", "persona", "suspended", "for", "zero", "huge"],
)
def test_a_wrong_simulation_starts_nothing(
    tmp_path: Path, text: str, options: list[str], says: str
) -> None:
    """Exit code 2, one line with the path, and no state folder."""
    (tmp_path / "shop.yaml").write_text(text, encoding="utf-8")

    done = _run(tmp_path, "up", "shop.yaml", *options)

    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / ".clickstream").exists()


@pytest.mark.parametrize("command", ["status", "verify", "psql"])
def test_where_nothing_has_run_one_is_told_so(tmp_path: Path, command: str) -> None:
    """Exit code 1 and one sentence with what to do."""
    done = _run(tmp_path, command)

    assert done.returncode == 1
    assert "start with `clickstream up FILE`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Exit code 2 and the file's name."""
    done = _run(tmp_path, "up", "nowhere.yaml")

    assert done.returncode == 2
    assert "nowhere.yaml" in done.stderr


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """The second one is told what runs, and the first one's state stays."""
    state = StateFolder(tmp_path)
    with state.lock():
        running = {"simulation": "shop", "since": "noon", "pid": 7, "services": []}
        state.remember(running)
        with pytest.raises(AlreadyRunning, match="simulation shop runs since noon"), state.lock():
            pass
        assert state.recall() == running
    assert state.recall() is None


def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    """A password is made once, in a file that nobody else can read."""
    state = StateFolder(tmp_path)
    first = state.secret("x")

    assert first.stat().st_mode & 0o777 == 0o600
    assert first.parent.stat().st_mode & 0o777 == 0o700
    assert state.secret("x").read_text(encoding="utf-8") == first.read_text(encoding="utf-8")


def test_java_comes_from_the_package_where_there_is_none(tmp_path: Path) -> None:
    """Off the PATH, the packaged runtime serves, without the flag it does not know."""
    home = find_java_home({"PATH": str(tmp_path)}, tmp_path)

    done = subprocess.run(
        [str(home / "bin" / "java"), "--add-modules=jdk.incubator.vector", "-version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert 'version "21' in done.stderr


def test_a_wrong_java_home_is_not_fatal(tmp_path: Path) -> None:
    """A JAVA_HOME without a Java is passed over."""
    environment = {"JAVA_HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    assert (find_java_home(environment, tmp_path) / "bin" / "java").exists()
    assert "JAVA_HOME" in str(JavaMissing("nothing"))


def test_a_pid_that_is_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    """A process with another start time is not the one that was written down."""
    process = ServiceProcess.start("sleeper", ["sleep", "60"], tmp_path / "log", os.environ)
    try:
        row = process.remembered()
        assert not stop_remembered(row | {"started": row["started"] - 5}, 1)
        process.check()
        assert stop_remembered(row, 5)
    finally:
        process.stop()


def test_a_wanted_port_is_kept_if_it_is_free() -> None:
    """Twice in a row the same port is given."""
    port = free_port()

    assert free_port(port) == port


def test_a_free_port_is_none_that_the_kernel_lends_and_none_twice() -> None:
    """Until it is used, nobody else is given it by chance."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        lent = server.getsockname()[1]
        assert free_port(lent) != lent
    given = [free_port() for _ in range(500)]
    lent_file = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first_lent = int(lent_file.read_text().split()[0]) if lent_file.exists() else 49_152

    assert len(set(given)) == 500
    assert max(given) < first_lent
