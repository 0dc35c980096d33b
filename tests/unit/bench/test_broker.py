"""A temporary broker for each measurement."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from clickstream_bench import broker
from clickstream_bench.broker import fresh_broker

if TYPE_CHECKING:
    from clickstream_local.state import StateFolder


class _Started:
    """A broker that only notes what happens to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[str] = []
        self.folder = Path()
        process = SimpleNamespace(stop=lambda: self.did.append("stopped"))
        kafka = SimpleNamespace(bootstrap_servers="servers", process=process)

        def start(state: StateFolder, *_: object) -> SimpleNamespace:
            self.folder = state.root
            return kafka

        monkeypatch.setattr(broker, "start_kafka_alone", start)
        monkeypatch.setattr(broker, "create_topics", self.did.append)


def test_broker_is_ready_and_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its topics before it is used, and neither process nor folder stays."""
    started = _Started(monkeypatch)

    with fresh_broker() as servers:
        assert (servers, started.did) == ("servers", ["servers"])
        assert started.folder.is_dir()

    assert started.did == ["servers", "stopped"]
    assert not started.folder.exists()


def test_failure_stops_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A measurement that fails leaves no broker behind."""
    started = _Started(monkeypatch)

    with pytest.raises(ZeroDivisionError), fresh_broker():
        raise ZeroDivisionError
    assert started.did[-1] == "stopped"
    assert not started.folder.exists()
