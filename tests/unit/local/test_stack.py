"""The stack: watching services, the order of stopping, and URLs."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
from collections import namedtuple
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_local.errors import NoSpace, ServiceFailed
from clickstream_local.ports import free_port
from clickstream_local.processes import ServiceProcess
from clickstream_local.stack import NEEDED_BYTES, Stack, _answers, _jars_of_spark, _quoted
from clickstream_local.state import StateFolder
from clusters import simulation
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Usage = namedtuple("_Usage", "total used free")  # noqa: PYI024  replaces shutil's


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Return a stack that has started nothing; it is stopped afterwards."""
    made = Stack(StateFolder(tmp_path), Console(quiet=True), lambda _text: None)
    yield made
    made.stop()


def _run(stack: Stack, service: str, script: str) -> ServiceProcess:
    """Run a shell script as one of the services."""
    log_file = stack.state.log_file(service)
    process = ServiceProcess.start(service, ["sh", "-c", script], log_file, os.environ)
    stack._running.append(process)
    return process


def _is_ready(process: ServiceProcess) -> bool:
    return "ready" in process.log_file.read_text(encoding="utf-8")


def test_full_disk_starts_nothing(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """With less room than is needed no service is started."""
    usage = _Usage(0, 0, NEEDED_BYTES - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)

    with pytest.raises(NoSpace) as caught:
        stack.start(simulation())
    assert (caught.value.free_bytes, caught.value.needed_bytes) == (NEEDED_BYTES - 1, NEEDED_BYTES)
    assert stack._running == []


def test_dead_service_is_noticed(stack: Stack) -> None:
    """A service that has ended is an error, whatever its exit code."""
    _run(stack, "kafka", "exec sleep 60")
    stack.check()
    _run(stack, "console", "exit 0").process.wait()

    with pytest.raises(ServiceFailed, match="console ended with code 0"):
        stack.check()


def test_killed_stack_waits_for_nothing(stack: Stack) -> None:
    """After a kill no service is waited for, even one that does not listen."""
    deaf = _run(stack, "kafka", "trap '' TERM; echo ready; while :; do sleep 0.01; done")
    deaf.wait_until(lambda: _is_ready(deaf), 60)

    stack.kill()
    stack.stop()

    assert deaf.process.returncode == -signal.SIGKILL
    assert stack._running == []


@pytest.mark.parametrize(("script", "is_fine"), [("exit 0", True), ("exit 3", False)])
def test_generator_may_end(stack: Stack, script: str, *, is_fine: bool) -> None:
    """A generator whose simulation is over has not died; one that failed has."""
    stack.generator = _run(stack, "generator", script)
    stack.generator.process.wait()

    assert stack.generator_has_ended()
    if is_fine:
        stack.check()
    else:
        with pytest.raises(ServiceFailed, match="generator ended with code 3"):
            stack.check()


def test_running_generator_has_not_ended(stack: Stack) -> None:
    """A generator that runs has not ended."""
    stack.generator = _run(stack, "generator", "exec sleep 60")

    assert not stack.generator_has_ended()


def test_last_service_stops_first(stack: Stack, tmp_path: Path) -> None:
    """Services are stopped in the reverse order of their start, each before the next."""
    order = tmp_path / "order"
    for service in ("first", "second", "third"):
        trap = f"trap 'echo {service} >> {order}; exit' TERM"
        process = _run(stack, service, f"{trap}; echo ready; while :; do sleep 0.01; done")
        process.wait_until(partial(_is_ready, process), 60)

    stack.stop()

    assert order.read_text().split() == ["third", "second", "first"]
    assert stack._running == []


def test_addresses_are_on_loopback(stack: Stack) -> None:
    """Console and metrics are found by the ports that were chosen."""
    stack._ports.update(console=29_404, generator=29_405)

    assert stack.console_url == "http://127.0.0.1:29404/"
    assert stack.metrics_url("generator") == "http://127.0.0.1:29405/metrics"


def test_settings_become_variables(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's settings are variables with its prefix, as texts, beside other variables."""
    started: list[tuple[Any, ...]] = []

    def start(*arguments: Any, **named: Any) -> None:  # noqa: ANN401  those of ServiceProcess.start
        started.append((*arguments, named))

    monkeypatch.setattr(ServiceProcess, "start", start)
    stack._start_process("console", {"PORT": 1, "FILE": "a"}, {"JAVA_HOME": "/java"})
    stack._running.clear()

    ((service, command, log, environment, named),) = started
    assert (service, command[1:]) == ("console", ["-m", "clickstream_console"])
    assert (log, named) == (
        stack.state.log_file("console"), {"folder": stack.state.folder("run")},
    )  # fmt: skip
    assert environment["CLICKSTREAM_CONSOLE_PORT"] == "1"
    assert environment["CLICKSTREAM_CONSOLE_FILE"] == "a"
    assert environment["JAVA_HOME"] == "/java"


def test_port_is_kept(stack: Stack) -> None:
    """A service gets the port of the last run if it is free."""
    port = stack._new_port("console")

    assert stack._new_port("console") == port == stack._ports["console"]


def test_silence_is_no_answer() -> None:
    """An address at which nothing listens does not answer."""
    assert _answers(f"http://127.0.0.1:{free_port()}/healthz") is False


@pytest.mark.parametrize("option", ["-XX:A=/a b/c", '-XX:A=/a "b" \\c', "-XX:A=/it's"])
def test_options_of_java_are_quoted(option: str) -> None:
    """Spark's launcher, which reads double quotes like a shell, gets each option unchanged."""
    assert shlex.split(f"-x {_quoted(option)}") == ["-x", option]


def test_jars_of_spark_are_found() -> None:
    """The jars of the package pyspark are found."""
    assert [jar.name for jar in _jars_of_spark() if jar.name.startswith("spark-core_")]
