"""Fixtures of the tests that run generators against a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from generators import Broker, GeneratorRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clickstream_contract.simulation import Simulation


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Return a broker of the module's own, which may be stopped and started."""
    started = Broker(tmp_path_factory.mktemp("broker"))
    yield started
    started.stop()


@pytest.fixture
def begin(broker: Broker, tmp_path: Path) -> Iterator[Callable[..., GeneratorRun]]:
    """Prepare runs that leave no process behind."""
    runs = []

    def prepare(simulation: Simulation, **settings: object) -> GeneratorRun:
        runs.append(GeneratorRun(broker, tmp_path, simulation, uuid4(), **settings))
        return runs[-1]

    yield prepare
    for run in runs:
        run.stop()
