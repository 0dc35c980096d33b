"""The stability of the pipeline: memory and latency over minutes at a steady rate.

Owns the sampling and the slope. Memory is the proportional set size, so that memory shared by
PostgreSQL's processes counts once.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from clickstream_local.postgres import OWNER
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder
from rich.console import Console

from clickstream_bench.shop import shop

__all__ = ["measure_soak"]

_SAMPLE_SECONDS = 5.0
_USERS = 1_000_000
_SETTLE_SHARE = 0.25
"""Share of the time that is ignored, because caches and the JVM's heap grow at first."""


class _Soak(Stack):
    """All services, and the processes of each."""

    def pids(self) -> dict[str, int]:
        """Return the first process of each service."""
        return {row.service: row.process.pid for row in self._running}


def measure_soak(minutes: float, rate: int) -> dict[str, float]:
    """Return the latency, and the peak and slope of each service's memory.

    Args:
        minutes: Duration of the measurement.
        rate: Events per second, of a million users.
    """
    with tempfile.TemporaryDirectory(prefix="clickstream-bench-") as folder:
        soak = _Soak(StateFolder(Path(folder)), Console(stderr=True), lambda _text: None)
        try:
            soak.start(shop(rate={"eventsPerSecond": rate}, users=_USERS))
            samples = _sample(soak, 60 * minutes)
            figures = _latency(soak, 60 * minutes * (1 - _SETTLE_SHARE))
        finally:
            soak.stop()
    for service, rows in samples.items():
        figures[f"{service}_peak_mebibytes"] = max(taken for _, taken in rows)
        figures[f"{service}_slope_mebibytes_per_minute"] = _slope(rows)
    return figures


def _sample(soak: _Soak, seconds: float) -> dict[str, list[tuple[float, float]]]:
    """Return minutes since the start and mebibytes, by service."""
    samples: dict[str, list[tuple[float, float]]] = defaultdict(list)
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        soak.check()
        for service, pid in soak.pids().items():
            samples[service].append((passed / 60, _mebibytes(pid)))
        time.sleep(_SAMPLE_SECONDS)
    return samples


def _mebibytes(pid: int) -> float:
    """Return the memory of a process and its children, in mebibytes."""
    first = psutil.Process(pid)
    total = 0
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / 2**20


def _slope(rows: list[tuple[float, float]]) -> float:
    """Return mebibytes per minute: the slope of the least-squares line after the warm-up."""
    settled = np.array(rows[int(len(rows) * _SETTLE_SHARE) :])
    return float(np.polyfit(settled[:, 0], settled[:, 1], 1)[0])


def _latency(soak: _Soak, seconds: float) -> dict[str, float]:
    """Return the latency of the events of the last seconds."""
    connection = soak.postgres.connect(OWNER)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract("
            "epoch FROM ingested_at - event_time)::float8) FROM raw.events"
            " WHERE event_time > now() - %s * interval '1 second'",
            (seconds,),
        )
        events, (p50, p95) = cursor.fetchone() or (0, (0.0, 0.0))
    connection.close()
    return {
        "events_per_second": events / seconds,
        "latency_p50_seconds": p50,
        "latency_p95_seconds": p95,
    }
