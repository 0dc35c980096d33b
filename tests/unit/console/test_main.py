"""The console's process: how it begins and ends."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING

import pytest
import uvicorn
from clickstream_console.__main__ import _Server, main
from clickstream_console.settings import Settings
from clickstream_console.shell.application import application

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
    app = application(Settings("localhost", tmp_path / "password"))
    server = _Server(app, uvicorn.Config(app, log_config=None))

    server.handle_exit(signal.SIGTERM, None)

    assert app.state.live._is_closing
    assert server.should_exit
