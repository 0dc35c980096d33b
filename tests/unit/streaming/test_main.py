"""The stream's process: what the command line asks for, and the exit code."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

import pytest
from clickstream_health.server import HealthServer
from clickstream_streaming import __main__ as program
from clickstream_streaming.errors import DatabaseNotMigrated
from clickstream_streaming.settings import database_settings_from, settings_from
from stream_settings import stream_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Self, TextIO

    from clickstream_streaming.settings import DatabaseSettings, Settings
    from clickstream_streaming.shell.telemetry import Telemetry

RUN_ID = "00000000-0000-4000-8000-000000000007"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Give this process the stream's environment."""
    found = stream_environment(tmp_path, METRICS_HOST="here", METRICS_PORT="77")
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def _main(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["stream", *words])
    return program.main()


def _only_database(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> dict[str, str]:
    """Leave only the database's variables, and return them."""
    database = {name: value for name, value in environment.items() if "POSTGRES" in name}
    for name in environment.keys() - database.keys():
        monkeypatch.delenv(name)
    return database


@pytest.mark.parametrize(("words", "wait_seconds"), [((), 0.0), (("--wait", "120"), 120.0)])
@pytest.mark.parametrize("code", [0, 1])
def test_verify_returns_its_code(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    code: int,
    words: tuple[str, ...],
    wait_seconds: float,
) -> None:
    """The word ``verify`` waits, prints the verification and ends with its exit code."""
    asked: list[tuple[DatabaseSettings, TextIO, float]] = []

    def show(settings: DatabaseSettings, output: TextIO, wait_seconds: float) -> int:
        asked.append((settings, output, wait_seconds))
        return code

    monkeypatch.setattr(program, "show_verification", show)
    database = _only_database(monkeypatch, environment)

    assert _main(monkeypatch, "verify", *words) == code
    assert asked == [(database_settings_from(database), sys.stdout, wait_seconds)]


def test_rebuild_ends_with_zero(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """The word ``rebuild`` rebuilds the marts."""
    hosts: list[str] = []

    def show(settings: DatabaseSettings, output: TextIO) -> None:
        assert output is sys.stdout
        hosts.append(settings.postgres_host)

    monkeypatch.setattr(program, "show_rebuild", show)
    _only_database(monkeypatch, environment)

    assert _main(monkeypatch, "rebuild") == 0
    assert hosts == ["db"]


@pytest.mark.parametrize("code", [0, 1])
def test_read_back_waits_for_run(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], code: int
) -> None:
    """The word ``read-back`` waits for the run that it names."""
    runs: list[UUID] = []

    def wait(settings: DatabaseSettings, run_id: UUID, output: TextIO) -> int:
        assert settings.postgres_host == "db"
        assert output is sys.stdout
        runs.append(run_id)
        return code

    monkeypatch.setattr(program, "read_back", wait)
    _only_database(monkeypatch, environment)

    assert _main(monkeypatch, "read-back", RUN_ID) == code
    assert runs == [UUID(RUN_ID)]


@pytest.mark.parametrize(
    "words",
    [
        ["help"],
        ["verify", "all"],
        ["verify", "--wait"],
        ["verify", "--wait", "soon"],
        ["verify", "--wait", "1", "2"],
        ["verify", "all", "120"],
        ["read-back"],
        ["rebuild", "now"],
        ["--verify"],
    ],
)
def test_unknown_words_show_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """Other words show every way to call the program, and the exit code is 2."""
    assert _main(monkeypatch, *words) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("usage: python -m clickstream_streaming ")
    for word in ("verify", "rebuild", "read-back RUN"):
        assert f"clickstream_streaming {word} " in shown


@pytest.mark.parametrize("words", [[], ["verify"], ["rebuild"], ["read-back", RUN_ID]])
def test_wrong_setting_ends_with_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    words: list[str],
) -> None:
    """A missing variable is named, and the exit code is 2."""
    for name in environment:
        monkeypatch.delenv(name)

    assert _main(monkeypatch, *words) == 2
    assert capsys.readouterr().err.startswith("error: CLICKSTREAM_STREAMING_")


@pytest.mark.parametrize("error", [DatabaseNotMigrated("raw.events"), OSError("no such file")])
def test_error_ends_with_1(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    error: Exception,
) -> None:
    """What the stream refuses, or a file that cannot be read, is one line and the exit code 1."""

    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(program, "show_verification", fail)
    _only_database(monkeypatch, environment)

    assert _main(monkeypatch, "verify") == 1
    assert capsys.readouterr().err == f"error: {error}\n"


class _Server(HealthServer):
    """Notes where it would serve."""

    served: ClassVar[list[tuple[str, int]]] = []

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        self.served.append((self._host, self._port))
        yield self


class _Job:
    """Notes what it is made with, and is asked to stop by each signal while it runs."""

    made: _Job

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self.settings, self.telemetry, self.stops = settings, telemetry, 0
        _Job.made = self

    def stop(self) -> None:
        self.stops += 1

    def run(self) -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def kept_signals() -> Callable[[], None]:
    """Return a function that gives the signals back to those who had them."""
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    return restore


def test_no_word_runs_job(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    kept_signals: Callable[[], None],
) -> None:
    """Without a word the job runs, shows its figures, and both signals stop it."""
    monkeypatch.setattr(program, "HealthServer", _Server)
    monkeypatch.setattr(program, "Job", _Job)
    try:
        code = _main(monkeypatch)
    finally:
        kept_signals()

    assert code == 0
    assert _Job.made.settings == settings_from(environment)
    assert _Server.served == [("here", 77)]
    assert _Job.made.stops == 2
