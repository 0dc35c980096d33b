"""The chart's default ``spark.mode=operator``: the Spark operator starts the driver, and again.

Where the cluster has no Spark operator, a stand-in does what version 2.5.2 does;
``spark-submit``, the driver, its service and its executors are real.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from release import DRIVER, EXECUTOR, FAULTS, RELEASE

if TYPE_CHECKING:
    from collections.abc import Callable

    from release import Figures, Release


@pytest.mark.timeout(2_400)  # the first test also builds the images
def test_operated_stream_survives_deaths(
    operated_release: Release, figures: Figures, try_connections: Callable[[Release], None]
) -> None:
    """Driver and executor are killed under load, and every event is stored once."""
    release = operated_release
    took = figures.timed(release.install)
    figures.note("spark.mode=operator: installed, driver running, s", f"{took:.0f}")
    took = release.timed(lambda: bool(release.cluster.pods(EXECUTOR)), "an executor", 180)
    figures.note("spark.mode=operator: executor there, s", f"{took:.0f}")
    took = figures.timed(lambda: release.cluster.helm("test", RELEASE, "--timeout", "3m"))
    figures.note("spark.mode=operator: helm test, s", f"{took:.0f}")
    _load(release, "operated", seconds=60)
    _kill(release, figures, "executor", EXECUTOR)
    release.wait_closed("operated")
    _load(release, "restarted", seconds=120)
    try_connections(release)
    _kill(release, figures, "driver", DRIVER)
    late = release.wait_closed("restarted")
    figures.note("spark.mode=operator: all stored after the run's end, s", f"{late:.0f}")
    report = release.zeros(figures, "by spark.mode=operator", "verify-operated")
    assert report["events_stored"] > 250_000
    claims = release.remove()
    figures.note("spark.mode=operator: left after helm uninstall", f"{len(claims)} claim")
    assert len(claims) == 1


def _load(release: Release, name: str, *, seconds: int) -> None:
    """Start a simulation with faults, and wait for its first events."""
    before = release.stored()
    load = {"rate": {"eventsPerSecond": 2_000}, "stopAfter": {"duration": f"{seconds}s"}}
    release.apply(name, **load, faults=FAULTS)
    release.wait_ready(name, 60)
    release.wait_for_more(before, f"the first events of {name}")


def _kill(release: Release, figures: Figures, what: str, label: str) -> None:
    """Kill a pod; wait until another runs in its place, and for events after that."""
    (pod,) = release.cluster.pods(label)
    release.kill(pod["metadata"]["name"])

    def is_replaced() -> bool:
        rows = release.cluster.pods(label)
        return any(
            row["metadata"]["uid"] != pod["metadata"]["uid"] and row["status"]["phase"] == "Running"
            for row in rows
        )

    took = release.timed(is_replaced, f"another {what}", 120)
    took += release.wait_for_more(release.stored(), f"events after the death of {what}")
    figures.note(f"spark.mode=operator: {what} killed, new rows after, s", f"{took:.0f}")
