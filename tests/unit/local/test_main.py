"""The command: what bad input gets, before anything is started."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from io import TextIOWrapper
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_local import __main__ as command
from clickstream_local.__main__ import main
from clickstream_local.doctor import Finding
from clickstream_local.state import StateFolder
from versions import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]

GOOD = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {name: shop}
spec:
  seed: 42
  rate: {eventsPerSecond: 100}
  userMix: [{persona: Browser, weight: 1}]
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in an empty folder; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLICKSTREAM_DEBUG", "")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clickstream", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        output, errors = capsys.readouterr()
        return int(ended.value.code or 0), output, errors

    return call


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("]", [], "document"),
        (GOOD.replace("seed", "sed"), [], "did you mean seed?"),
        (GOOD.replace("weight: 1", "weight: 0"), [], "spec.userMix"),
        (GOOD.replace("Browser", "Nobody"), [], "spec.userMix[0].persona"),
        (GOOD + "  suspend: true\n", [], "spec.suspend"),
        (GOOD + "  output: {topic: a, ledgerTopic: b}\n", [], "clickstream generate FILE --paced"),
        (GOOD, ["--for", "soon"], "--for"),
        (GOOD, ["--rate", "0"], "--rate"),
        (GOOD, ["--rate", "1000000000000"], "--rate"),
    ],
    ids=["no yaml", "unknown", "weights", "persona", "suspended", "output", "for", "zero", "huge"],
)
def test_wrong_simulation_starts_nothing(
    run: Run, tmp_path: Path, text: str, options: list[str], says: str
) -> None:
    """Exit code 2, one line with the path, and no state folder."""
    (tmp_path / "shop.yaml").write_text(text, encoding="utf-8")

    code, _, errors = run("up", "shop.yaml", *options)

    assert code == 2
    assert says in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / ".clickstream").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["verify"],
        ["psql"],
        ["rebuild"],
        ["rejects", "list"],
        ["rejects", "replay", "--reason", "schema"],
        ["backup", "folder"],
    ],
    ids=" ".join,
)
def test_unused_folder_is_named(run: Run, arguments: list[str]) -> None:
    """Without a pipeline: exit code 1 and one sentence with the remedy."""
    code, _, errors = run(*arguments)

    assert code == 1
    assert "start one with `clickstream up FILE`" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "login"), [([], "clickstream_read"), (["--student"], "clickstream_study")]
)
def test_psql_has_a_login_that_reads(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: list[str], login: str
) -> None:
    """Psql gets the login and its password, in no argument; its exit code is the command's."""
    state = StateFolder(tmp_path)
    postgres = SimpleNamespace(state=state, host="127.0.0.1", port=5)
    started: list[tuple[list[str], dict[str, str]]] = []

    def spawn(_mode: int, _file: str, arguments: list[str], environment: dict[str, str]) -> int:
        started.append((arguments, environment))
        return 3

    monkeypatch.setattr(command, "database", lambda _: nullcontext(postgres))
    monkeypatch.setattr(os, "spawnve", spawn)

    code, _, _ = run("psql", *options, "-c", "SELECT 1")

    ((arguments, environment),) = started
    password = state.secret(login).read_text(encoding="utf-8")
    assert code == 3
    assert arguments[1:] == ["-h", "127.0.0.1", "-p", "5", "-U", login, "-d", "clickstream",
                             "-c", "SELECT 1"]  # fmt: skip
    assert environment["PGPASSWORD"] == password


def test_the_version_is_printed(run: Run) -> None:
    """``--version`` prints name and version, and starts nothing."""
    assert run("--version") == (0, f"clickstream {VERSION}\n", "")


def test_shipped_simulations_need_no_file(run: Run) -> None:
    """``up`` finds them from any folder; without a name it takes the storefront."""
    assert "--for" in run("up", "chaos", "--for", "soon")[2]
    assert "--for" in run("up", "--for", "soon")[2]


def test_missing_file_is_named(run: Run) -> None:
    """Exit code 2 and the file's name."""
    code, _, errors = run("up", "nowhere.yaml")

    assert code == 2
    assert "nowhere.yaml" in errors


@pytest.mark.parametrize(("option", "name"), [("--from", "--from"), ("--to", "--to")])
def test_wrong_day_is_named(run: Run, option: str, name: str) -> None:
    """Exit code 2 and the option, for a day that is none."""
    code, _, errors = run("rebuild", option, "tomorrow")

    assert code == 2
    assert name in errors
    assert "2026-01-31" in errors


@pytest.mark.parametrize("arguments", [[], ["file.json", "--reason", "schema"]])
def test_replay_takes_one_source(run: Run, arguments: list[str]) -> None:
    """A replay is of a file or of a reason, and of exactly one of them."""
    code, _, errors = run("rejects", "replay", *arguments)

    assert code == 2
    assert "give either FILE or --reason" in errors


@pytest.mark.parametrize("limit", ["0", "100001", "x"])
def test_limits_are_bounded(run: Run, limit: str) -> None:
    """A limit out of bounds is a wrong argument."""
    assert run("rejects", "list", "--limit", limit)[0] == 2


def test_no_backup_is_restored(run: Run) -> None:
    """A folder that is no backup: exit code 1, and nothing is started."""
    code, _, errors = run("restore", "nowhere")

    assert code == 1
    assert "the folder is not a backup" in errors


def test_nothing_is_stopped_twice(run: Run) -> None:
    """Stopping without a pipeline is no error."""
    assert run("down") == (0, "nothing is running\n", "")


def test_crash_is_cleaned_up(run: Run, tmp_path: Path) -> None:
    """What a pipeline that has died left behind is forgotten."""
    state = StateFolder(tmp_path / ".clickstream")
    gone = {
        "pid": 2**22 + 1, "identity": "", "simulation": "shop", "since": "noon",
        "services": [{"pid": 2**22 + 1, "identity": ""}],
    }  # fmt: skip
    state.remember(gone)

    assert run("down") == (0, "cleaned up after a crash: 0 processes ended\n", "")
    assert state.recall() is None


def test_dead_pipeline_is_not_running(run: Run, tmp_path: Path) -> None:
    """The state of a pipeline that has died is none that runs."""
    StateFolder(tmp_path / ".clickstream").remember({"pid": 2**22 + 1, "ports": {}})

    code, _, errors = run("status")

    assert code == 1
    assert f"no pipeline has run in {tmp_path}/.clickstream yet" in errors


@pytest.mark.parametrize(
    ("findings", "code", "output"),
    [
        ([Finding("Disk", True, "room")], 0, "ok   Disk: room\n"),  # noqa: FBT003
        (
            [Finding("Java", False, "none"), Finding("Disk", True, "room")],  # noqa: FBT003
            1,
            "BAD  Java: none\nok   Disk: room\n",
        ),
    ],
)
def test_doctor_counts_its_findings(
    run: Run, monkeypatch: pytest.MonkeyPatch, findings: list[Finding], code: int, output: str
) -> None:
    """Exit code 0 only if every finding is fine."""
    monkeypatch.setattr(command, "examine", lambda *_: findings)

    assert run("doctor") == (code, output, "")


def test_poor_terminal_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A letter that the output's encoding lacks is replaced."""
    monkeypatch.setattr(command, "examine", lambda *_: [Finding("Disk", True, "Łódź")])  # noqa: FBT003
    monkeypatch.setattr(sys, "argv", ["clickstream", "doctor"])
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(sys.stdout.buffer, encoding="latin-1"))

    with pytest.raises(SystemExit) as ended:
        main()

    sys.stdout.flush()
    assert (ended.value.code, capsysbinary.readouterr().out) == (0, b"ok   Disk: ?\xf3d?\n")


def test_shell_leads_no_connection_elsewhere(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command and what it starts do not see libpq's variables."""
    monkeypatch.setenv("PGSERVICE", "nowhere")

    run("down")

    assert "PGSERVICE" not in os.environ


def test_debugging_shows_the_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With ``--debug`` an error is not turned into a line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLICKSTREAM_DEBUG", "")
    monkeypatch.setattr(sys, "argv", ["clickstream", "--debug", "up", "nowhere.yaml"])

    with pytest.raises(SimulationInvalid):
        main()


def test_benches_are_commands(run: Run) -> None:
    """Commands of other packages are found by their entry points."""
    code, output, _ = run("bench", "--help")

    assert code == 0
    assert "pacing" in output
