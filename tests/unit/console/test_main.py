"""The console's process: how it begins and ends."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn
from clickstream_console.__main__ import _Server, main
from clickstream_console.settings import Settings
from clickstream_console.shell.application import application, health_server
from clickstream_health.server import HealthServer
from clickstream_local.ports import LOOPBACK, free_port
from pipeline import wait_until
from prometheus_client import CollectorRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self


@pytest.fixture(autouse=True)
def _logging_is_restored() -> Iterator[None]:
    """Undo what the process sets for all of Python's logging."""
    loggers = [logging.getLogger(name) for name in ("", "psycopg.pool")]
    before = [(list(row.handlers), row.level) for row in loggers]
    yield
    for logger, (handlers, level) in zip(loggers, before, strict=True):
        logger.handlers[:] = handlers
        logger.setLevel(level)


def test_wrong_settings_end_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A setting that is missing is named, and the exit code is 2."""
    monkeypatch.delenv("CLICKSTREAM_CONSOLE_POSTGRES_HOST", raising=False)

    assert main() == 2
    assert capsys.readouterr().err == (
        "error: CLICKSTREAM_CONSOLE_POSTGRES_HOST is not set; it must be set\n"
    )


def test_stopping_ends_streams(tmp_path: Path) -> None:
    """A signal lets the live streams end, which would hold the server up."""
    settings = Settings(postgres_host="localhost", postgres_password_file=tmp_path / "password")
    app = application(settings)
    config = uvicorn.Config(app, log_config=None)
    server = _Server(app, config, health_server(app, settings))

    server.handle_exit(signal.SIGTERM, None)

    assert app.state.live._is_closing
    assert server.should_exit


def test_healthy_console_listens(tmp_path: Path) -> None:
    """The health is served once the application's port takes connections, and not before."""
    port, metrics_port = free_port(), free_port()
    settings = Settings(postgres_host="localhost", postgres_password_file=tmp_path / "password")
    app = application(settings)
    config = uvicorn.Config(app, host=LOOPBACK, port=port, log_config=None)
    seen: list[str] = []

    class Health(HealthServer):
        async def __aenter__(self) -> Self:
            socket.create_connection((LOOPBACK, port), 5).close()
            seen.append("listens")
            server.should_exit = True
            return await super().__aenter__()

    health = Health(LOOPBACK, metrics_port, CollectorRegistry(), readiness=str)
    server = _Server(app, config, health)
    server.run()

    assert seen == ["listens"]


def _status(port: int, path: str) -> int:
    """Return the status of an answer, 0 if there is none."""
    try:
        return httpx.get(f"http://{LOOPBACK}:{port}{path}", timeout=5, trust_env=False).status_code
    except httpx.TransportError:
        return 0


@pytest.mark.parametrize("taken", ["PORT", "METRICS_PORT"])
def test_taken_port_ends_it(tmp_path: Path, taken: str) -> None:
    """A port that another process has ends this one with 1, and the error names the port."""
    (tmp_path / "password").touch()
    with socket.create_server((LOOPBACK, 0)) as other:
        ports = {"PORT": free_port(), "METRICS_PORT": free_port()}
        ports[taken] = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "clickstream_console"],
            env=_environment(tmp_path, **ports), check=False, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip

    assert done.returncode == 1
    assert str(ports[taken]) in done.stderr
    assert "Traceback" not in done.stderr


def _environment(folder: Path, **more: int) -> dict[str, str]:
    """Return the environment of a console whose database is away."""
    settings = {
        "POSTGRES_HOST": LOOPBACK, "POSTGRES_PORT": free_port(),
        "POSTGRES_PASSWORD_FILE": folder / "password", **more,
    }  # fmt: skip
    named = {f"CLICKSTREAM_CONSOLE_{name}": str(value) for name, value in settings.items()}
    return {**os.environ, **named}


def test_idle_sockets_take_nothing(tmp_path: Path) -> None:
    """520 sockets of one peer that send nothing take neither the page nor the health away."""
    (tmp_path / "password").touch()
    port, metrics_port = free_port(), free_port()
    environment = _environment(tmp_path, PORT=port, METRICS_PORT=metrics_port)
    command = [sys.executable, "-m", "clickstream_console"]
    with ExitStack() as held, subprocess.Popen(command, env=environment) as console:
        try:
            wait_until(lambda: _status(metrics_port, "/healthz") == 200, "the console lives", 60)
            for _ in range(520):
                attacker = socket.create_connection((LOOPBACK, port), 5, ("127.0.0.2", 0))
                held.enter_context(attacker)

            assert _status(port, "/") == 200
            assert _status(metrics_port, "/healthz") == 200
        finally:
            console.terminate()
