"""What the operator costs: the simulations that the bench makes, and the figures it reads."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import psutil
from clickstream_bench.scale import _Scale
from clickstream_contract.document import simulation_from_resource


class _Custom:
    """Keeps what is created."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []

    def create_namespaced_custom_object(self, *args: Any) -> None:  # noqa: ANN401
        """Take it."""
        self.made.append(args[-1])


def _scale(**parts: object) -> _Scale:
    measured = object.__new__(_Scale)
    measured.__dict__ |= {"_simulations": 2, "_workers": 3, **parts}
    return measured


def test_simulations_are_valid() -> None:
    """Each has sixteen shards, and the rate of its workers."""
    custom = _Custom()

    _scale(_custom=custom)._create(7)

    made = simulation_from_resource({**custom.made[0], "metadata": {"name": "shop-7"}})
    assert (made.spec.shards, made.spec.workers.count) == (16, 3)
    assert made.spec.rate.per_second == 30


def test_controllers_events_are_left_out() -> None:
    """The API server counts the events of every writer, the operator only those it posts."""
    plane = SimpleNamespace(writes=lambda: {"events": 100.0, "pods": 2.0, "deployments": 1.0})
    operator = SimpleNamespace(metric=lambda _name, **_labels: 5.0)

    assert _scale(_plane=plane, _operator=operator)._writes() == 8.0


def test_peak_is_of_the_process() -> None:
    """The peak is no less than what the process has now, in mebibytes."""
    process = psutil.Process(os.getpid())

    peak = _scale(_process=process)._peak_mebibytes()

    assert 0.9 * process.memory_info().rss / 2**20 < peak < 100_000
