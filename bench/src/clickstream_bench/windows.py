"""The stream's peer: Spark's windows and state, as most people write it.

Owns how the example script runs on this machine, and what its checkpoints say. The script is
``examples/pipelines/spark-windows/windows.py``; the list of its jars is beside it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from clickstream_local.artifacts import Artifact, ArtifactCache, pinned_artifacts
from clickstream_local.java import FAST_START
from clickstream_local.ports import LOOPBACK

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "CHECKPOINTS",
    "committed_offsets",
    "query_offsets",
    "slowest_speed",
    "windows_command",
    "windows_jars",
]

CHECKPOINTS = "checkpoints"
"""The folder of the checkpoints, in the script's working folder."""
_QUERIES = ("events", "sessions", "minutes", "hours", "products")


def windows_jars(script: Path, console: Console) -> list[str]:
    """Return Spark's jars for Kafka and JDBC, after those that are pinned are downloaded."""
    pins = json.loads((script.parent / "jars.json").read_text(encoding="utf-8"))
    artifacts = [*pinned_artifacts("spark"), *(Artifact(**row) for row in pins)]
    return [str(path) for path in ArtifactCache.of(os.environ).provide(artifacts, console)]


def windows_command(script: Path, console: Console) -> list[str]:
    """Return the command of spark-submit."""
    jars = windows_jars(script, console)
    settings = (
        f"spark.driver.bindAddress={LOOPBACK}", f"spark.driver.host={LOOPBACK}",
        "spark.ui.enabled=false",
        f"spark.driver.extraJavaOptions={' '.join(FAST_START)} -Duser.timezone=UTC",
    )  # fmt: skip
    return [
        str(Path(sys.executable).parent / "spark-submit"), "--master", "local[2]",
        "--driver-memory", "2g", "--jars", ",".join(jars),
        *(part for row in settings for part in ("--conf", row)), str(script),
    ]  # fmt: skip


def committed_offsets(checkpoints: Path) -> dict[int, int]:
    """Return the next offset by partition that all queries have passed; none before that."""
    queries = [query_offsets(checkpoints / name) for name in _QUERIES]
    shared = set.intersection(*(set(query) for query in queries))
    return {partition: min(query[partition] for query in queries) for partition in shared}


def query_offsets(checkpoint: Path) -> dict[int, int]:
    """Return the next offset by partition of a query's last complete batch; none without one."""
    batches = [int(path.name) for path in _commits(checkpoint)]
    return _offsets(checkpoint, max(batches)) if batches else {}


def slowest_speed(checkpoints: Path) -> float:
    """Return the records per second of the slowest query, from the end of its first batch.

    All records must be read, in at least two batches.
    """
    return min(_speed(checkpoints / name) for name in _QUERIES)


def _speed(checkpoint: Path) -> float:
    """Return the records per second between a query's first batch and the last one with records."""
    batches = [
        (path.stat().st_mtime, sum(_offsets(checkpoint, int(path.name)).values()))
        for path in _commits(checkpoint)
    ]
    began, first = min(batches)
    records = max(passed for _, passed in batches)
    ended = min(at for at, passed in batches if passed == records)
    return (records - first) / (ended - began)


def _commits(checkpoint: Path) -> list[Path]:
    return [path for path in checkpoint.glob("commits/*") if path.name.isdecimal()]


def _offsets(checkpoint: Path, batch: int) -> dict[int, int]:
    lines = (checkpoint / "offsets" / str(batch)).read_text(encoding="utf-8").splitlines()
    (offsets,) = json.loads(lines[-1]).values()
    return {int(partition): offset for partition, offset in offsets.items()}
