"""The four pipelines: how each one starts, what it has stored, and how far it has read.

Owns the list. A trial sees only the outside of a pipeline: its process, its result and its offsets.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from clickstream_bench.windows import CHECKPOINTS, committed_offsets, windows_command
from clickstream_local.artifacts import Artifact, ArtifactCache, cache_folder
from clickstream_local.java import FAST_START, find_java_home
from rich.console import Console
from services import GROUP, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from services import Services

__all__ = ["PIPELINES", "Pipeline"]

_HERE = Path(__file__).parent
_TABLE = "public.events"


@dataclass(frozen=True)
class Pipeline:
    """A pipeline.

    Attributes:
        name: The name of its folder.
        command: Returns the command that starts it, run in the working folder.
        stored: Returns how many events its result has.
        committed: Returns the next offset of each partition that it has committed.
    """

    name: str
    command: Callable[[Services], list[str]]
    stored: Callable[[Services], int]
    committed: Callable[[Services], dict[int, int]]

    @property
    def mapping(self) -> Path:
        """The judge's mapping."""
        return _HERE / self.name / "mapping.yaml"


def _parquet_writer(_: Services) -> list[str]:
    return [sys.executable, str(_HERE / "parquet-writer" / "write_parquet.py")]


def _rows_in_files(services: Services) -> int:
    files = services.folder.glob("result/*.parquet")
    return sum(pq.ParquetFile(path).metadata.num_rows for path in files)


def _quix_streams(_: Services) -> list[str]:
    """Return the command of the script, after its locked packages are installed."""
    script = str(_HERE / "quix-streams" / "store_events.py")
    path = os.pathsep.join((str(ROOT / ".tools" / "bin"), os.environ.get("PATH", "")))
    uv = shutil.which("uv", path=path)
    if uv is None:
        raise FileNotFoundError("there is no uv: run make .venv/ready first")
    subprocess.run([uv, "sync", "--quiet", "--frozen", "--script", script], check=True)
    found = subprocess.run(
        [uv, "python", "find", "--script", script], check=True, capture_output=True, text=True
    )
    return [found.stdout.strip(), script]


def _spark_windows(_: Services) -> list[str]:
    """Return the command of the script, which ``clickstream bench streaming`` measures too."""
    return windows_command(_HERE / "spark-windows" / "windows.py", Console(stderr=True))


def _kafka_connect(_: Services) -> list[str]:
    """Return the command of the worker, after its pinned jars are downloaded."""
    folder = _HERE / "kafka-connect"
    rows = json.loads((folder / "jars.json").read_text(encoding="utf-8"))
    cache = ArtifactCache.of(os.environ)
    jars = cache.provide([Artifact(**row) for row in rows], Console(stderr=True))
    java_home = find_java_home(os.environ, cache_folder(os.environ))
    return [
        str(java_home / "bin" / "java"), "-cp", os.pathsep.join(map(str, jars)),
        "-Xmx512m",
        *FAST_START, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "org.apache.kafka.connect.cli.ConnectStandalone",
        str(folder / "worker.properties"), str(folder / "sink.properties"),
    ]  # fmt: skip


def _rows_in_table(services: Services) -> int:
    return services.rows(_TABLE)


def _rows_in_windows(services: Services) -> int:
    """Return how many events the slowest table has, so that each query passes some batches."""
    sums = [services.sum_of(table, "events") for table in ("minutes", "hours")]
    return min(services.rows(_TABLE), *sums)


def _group_offsets(services: Services) -> dict[int, int]:
    return services.committed(GROUP)


def _connect_offsets(services: Services) -> dict[int, int]:
    """Return the offsets of Connect's group, which has the connector's name."""
    return services.committed("connect-events")


def _checkpoint_offsets(services: Services) -> dict[int, int]:
    """Return the offsets that every query of Spark has committed."""
    return committed_offsets(services.folder / CHECKPOINTS)


PIPELINES = {
    row.name: row
    for row in (
        Pipeline("spark-windows", _spark_windows, _rows_in_windows, _checkpoint_offsets),
        Pipeline("parquet-writer", _parquet_writer, _rows_in_files, _group_offsets),
        Pipeline("quix-streams", _quix_streams, _rows_in_table, _group_offsets),
        Pipeline("kafka-connect", _kafka_connect, _rows_in_table, _connect_offsets),
    )
}
"""The pipelines by name."""
