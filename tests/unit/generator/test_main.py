"""The process: what it refuses, with which exit code, and that it says why."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, NoReturn

import pytest
from clickstream_contract.document import dump_simulation
from clickstream_generator import __main__ as process
from clickstream_generator.errors import (
    BrokerRefused,
    BrokersLost,
    DrainTimeout,
    RegistryRefused,
    ShardTaken,
    WorldChanged,
)
from clickstream_generator.settings import PREFIX
from clickstream_generator.shell.shard_log import Position, StoredShard
from clickstream_generator.shell.worker import Worker
from clickstream_health.server import HealthServer
from holds import hold
from simulations import carried, simulation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from threading import Event

    from clickstream_generator.core.form_rows import Form
    from clickstream_generator.shell.claiming import Hold


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Restore the signal handlers and the garbage collector after each test."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
    gc.unfreeze()


class _Sink:
    """A sink without a client, which would try to connect until the tests end.

    Attributes:
        drops: How often its queue was dropped.
        checked: The topics that were checked.
    """

    def __init__(self) -> None:
        self.drops = 0
        self.checked: tuple[str, ...] = ()

    def check_topics(self, *names: str) -> None:
        """Remember the topics."""
        self.checked = names

    def publish_unconfirmed(self, *_: object) -> None:
        """Pass a sign of life over."""

    def drop(self) -> None:
        """Count it."""
        self.drops += 1


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return an environment in which the generator could start, without a broker."""
    file = tmp_path / "simulation.yaml"
    file.write_text(dump_simulation(simulation(users=400)), encoding="utf-8")
    monkeypatch.setenv(PREFIX + "SIMULATION_FILE", str(file))
    monkeypatch.setenv(PREFIX + "BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setattr(
        process, "HealthServer", lambda host, _, *rest: HealthServer(host, 0, *rest)
    )
    monkeypatch.setattr(process, "TopicReader", lambda _: nullcontext())
    monkeypatch.setattr(process, "kafka_sink", lambda *_: _Sink())
    _hold(monkeypatch, hold((0, 1, 2, 3)))
    return monkeypatch


def _hold(monkeypatch: pytest.MonkeyPatch, held: Hold) -> None:
    """Replace the broker for claiming shards."""
    monkeypatch.setattr(process, "claim_shards", lambda *_: held)


def test_wrong_setting_ends_with_2(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A setting that cannot be used ends the process with 2 and one line."""
    environment.setenv(PREFIX + "METRICS_PORT", "x")

    assert process.main() == 2

    assert capsys.readouterr().err.startswith(f"error: {PREFIX}METRICS_PORT has the value 'x'")


@pytest.mark.usefixtures("environment")
def test_wrong_simulation_ends_with_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A simulation that cannot be run ends the process with 2 and its path."""
    (tmp_path / "simulation.yaml").write_text("a: 1", encoding="utf-8")

    assert process.main() == 2

    assert capsys.readouterr().err.startswith("error: apiVersion: ")


@pytest.mark.parametrize(("shards", "refused"), [("4", True), ("0-3", False)])
def test_shards_must_exist(
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shards: str,
    refused: bool,  # noqa: FBT001  a case
) -> None:
    """A shard that the simulation does not have is refused, the last one is not."""
    environment.setenv(PREFIX + "SHARDS", shards)
    environment.setattr(Worker, "run", lambda *_: None)

    assert process.main() == (2 if refused else 0)

    said = f"{PREFIX}SHARDS has the value '4'; it must be numbers below the simulation's"
    assert (said in capsys.readouterr().err) == refused


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BrokerRefused("_SSL", "no", "CA_FILE"), 3),
        (DrainTimeout(3, 5.0), 1),
        (ShardTaken(1, "other"), 4),
        (WorldChanged("cities", {}, {}), 5),
        (RegistryRefused("http://h", "does not answer", "check it"), 6),
        (OSError("address in use"), 1),
    ],
)
@pytest.mark.usefixtures("environment")
def test_failure_has_its_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
) -> None:
    """Refusals, taken shards and another world have codes of their own, and all have a text."""

    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(Worker, "run", fail)

    assert process.main() == code

    assert capsys.readouterr().err == f"error: {error}\n"


def _losing(environment: pytest.MonkeyPatch) -> list[tuple[str, list[str], str]]:
    """Let the clients lose all brokers; return the processes that take over."""
    started = []

    def lose(*_: object) -> NoReturn:
        raise BrokersLost

    def take_over(program: str, command: list[str], variables: dict[str, str]) -> None:
        started.append((program, command, variables[PREFIX + "RUN_ID"]))

    environment.setattr(Worker, "run", lose)
    environment.setattr(os, "execve", take_over)
    return started


def test_lost_brokers_start_it_again(environment: pytest.MonkeyPatch) -> None:
    """A client that has lost all brokers does not come back: a fresh process resumes the run."""
    run_id = "0b1f9f7e-0000-4000-8000-000000000000"
    environment.setenv(PREFIX + "RUN_ID", run_id)
    started = _losing(environment)

    assert process.main() == 0
    assert started == [(sys.executable, [sys.executable, *sys.orig_argv[1:]], run_id)]


def test_stopped_worker_stays_stopped(environment: pytest.MonkeyPatch) -> None:
    """A worker that is about to stop does not start again; its exit code says that it failed."""
    started = _losing(environment)
    lose = Worker.run

    def run(worker: Worker, stop: Event) -> None:
        signal.raise_signal(signal.SIGTERM)
        lose(worker, stop)

    environment.setattr(Worker, "run", run)

    assert process.main() == 1
    assert started == []


def test_taken_shard_drops_the_queue(environment: pytest.MonkeyPatch) -> None:
    """A worker whose shards were taken over sends nothing of what it still has."""
    sink = _Sink()
    environment.setattr(process, "kafka_sink", lambda *_: sink)

    def fail(*_: object) -> NoReturn:
        raise ShardTaken(1, "other")

    environment.setattr(Worker, "run", fail)

    assert process.main() == 4
    assert sink.drops == 1


def test_signal_stops_the_run(environment: pytest.MonkeyPatch) -> None:
    """On SIGTERM the worker ends the run, so that the ledger is complete."""
    seen = []

    def run(_: Worker, stop: Event) -> None:
        signal.raise_signal(signal.SIGTERM)
        seen.append(stop.is_set())

    environment.setattr(Worker, "run", run)

    assert process.main() == 0
    assert seen == [True]


def test_metrics_have_the_full_name(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The metric that names the simulation has its namespace."""
    wanted = simulation(users=400).model_copy(update={"namespace": "blue"})
    (tmp_path / "simulation.yaml").write_text(dump_simulation(wanted), encoding="utf-8")
    shown = []

    def run(worker: Worker, _: Event) -> None:
        labels = {"simulation": "blue/tested"}
        registry = worker._telemetry.registry
        shown.append(registry.get_sample_value("clickstream_generator_simulation_info", labels))

    environment.setattr(Worker, "run", run)

    assert process.main() == 0
    assert shown == [1]


def _with_output(environment: pytest.MonkeyPatch, folder: Path) -> tuple[_Sink, list[str]]:
    """Let the simulation name other topics; return the sink, and what it is made for."""
    sink, made_for = _Sink(), list[str]()

    def made(_: object, topic: str, form: Form) -> _Sink:
        made_for.extend((topic, form.name))
        return sink

    output = "  output: {topic: shop, ledgerTopic: shop-ledger, form: segment}"
    wanted = simulation(more=output, users=400)
    (folder / "simulation.yaml").write_text(dump_simulation(wanted), encoding="utf-8")
    environment.setattr(process, "kafka_sink", made)
    return sink, made_for


def test_output_has_its_topics(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sink sends to the simulation's topic in its form; both topics are checked before."""
    sink, made_for = _with_output(environment, tmp_path)
    checked = []
    environment.setattr(Worker, "run", lambda *_: checked.append(sink.checked))

    assert process.main() == 0
    assert made_for == ["shop", "segment"]
    assert checked == [("shop", "shop-ledger")]


def test_registry_comes_before_claims(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A worker without its registry ends with 2 or 6, and takes the shards from no other."""
    claimed: list[object] = []
    environment.setattr(process, "claim_shards", lambda *given: claimed.append(given))
    output = "  output: {topic: shop, ledgerTopic: shop-l, encoding: avro, registry: main}"
    wanted = simulation(more=output, users=400)
    (tmp_path / "simulation.yaml").write_text(dump_simulation(wanted), encoding="utf-8")

    assert process.main() == 2
    assert f"{PREFIX}REGISTRY is not set" in capsys.readouterr().err
    environment.setenv(PREFIX + "REGISTRY", "http://127.0.0.1:9")
    assert process.main() == 6
    assert "the schema registry http://127.0.0.1:9 does not answer" in capsys.readouterr().err
    assert claimed == []


def test_output_is_the_runs(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A resumed run whose file names other topics than before ends with 2, and sends nothing."""
    source, shards = carried(users=400)
    source.take_due(1_764_000_001.0, 10**9)
    snapshot = shards[1].snapshot()
    _with_output(environment, tmp_path)
    environment.setenv(PREFIX + "SHARDS", "1")
    _hold(environment, hold((1,), stored={1: StoredShard(Position(500), snapshot)}))

    assert process.main() == 2
    assert "spec.output: 'shop' is not allowed; it cannot change" in capsys.readouterr().err


def test_finished_run_is_not_repeated(environment: pytest.MonkeyPatch) -> None:
    """A run whose shards are all over is not carried again."""
    over = {number: StoredShard(Position(9, is_over=True, records=7)) for number in range(4)}
    _hold(environment, hold((), stored=over))
    runs: list[object] = []
    environment.setattr(Worker, "run", lambda *given: runs.append(given))

    assert process.main() == 0
    assert runs == []


def test_paused_run_is_continued(environment: pytest.MonkeyPatch) -> None:
    """Of a run that was paused only the shards that are not over are carried, from their state."""
    source, shards = carried(users=400)
    source.take_due(1_764_000_001.0, 10**9)
    snapshot = shards[1].snapshot()
    stored = {0: StoredShard(Position(9, is_over=True)), 1: StoredShard(Position(500), snapshot)}
    environment.setenv(PREFIX + "SHARDS", "0,1")
    _hold(environment, hold((1,), stored=stored))
    environment.setattr(Worker, "resume", lambda *_: None)
    runs = []
    environment.setattr(Worker, "run", lambda worker, _: runs.append(worker._simulator.shards))

    assert process.main() == 0
    (resumed,) = runs
    assert {number: shard.made for number, shard in resumed.items()} == {1: 500}
