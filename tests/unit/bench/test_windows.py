"""The stream's peer: what its checkpoints say, and how it starts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from clickstream_bench.windows import (
    committed_offsets,
    query_offsets,
    slowest_speed,
    windows_command,
)
from clickstream_local.artifacts import ArtifactCache
from rich.console import Console

if TYPE_CHECKING:
    import pytest
    from clickstream_local.artifacts import Artifact

QUERIES = ("events", "sessions", "minutes", "hours", "products")


def _write(checkpoint: Path, batches: list[tuple[float, dict[str, int]]], commits: int) -> None:
    """Write a query's checkpoint: the time and the next offsets of each batch, and its commits."""
    for folder in ("offsets", "commits"):
        (checkpoint / folder).mkdir(parents=True)
    for number, (at, offsets) in enumerate(batches):
        lines = ["v1", "{}", json.dumps({"events": offsets})]
        (checkpoint / "offsets" / str(number)).write_text("\n".join(lines), encoding="utf-8")
        if number < commits:
            (checkpoint / "commits" / str(number)).touch()
            os.utime(checkpoint / "commits" / str(number), (at, at))
    (checkpoint / "commits" / ".2.crc").touch()


def test_incomplete_batches_do_not_count(tmp_path: Path) -> None:
    """A query has passed the offsets of its last batch with a commit, not of a later one."""
    assert query_offsets(tmp_path) == {}
    _write(tmp_path, [(at, {"0": 10 * at, "1": 5}) for at in (1, 2, 3)], commits=2)

    assert query_offsets(tmp_path) == {0: 20, 1: 5}


def test_slowest_query_decides(tmp_path: Path) -> None:
    """The script has passed what all queries have passed; nothing before each has a batch."""
    for number, name in enumerate(QUERIES[:-1]):
        _write(tmp_path / name, [(1, {"0": 5 + number, "1": 9 - number})], commits=1)
    assert committed_offsets(tmp_path) == {}
    _write(tmp_path / QUERIES[-1], [(1, {"0": 9, "1": 9})], commits=1)

    assert committed_offsets(tmp_path) == {0: 5, 1: 6}


def test_first_batch_is_no_speed(tmp_path: Path) -> None:
    """The speed begins with the first commit, and ends before batches without records."""
    for name in QUERIES:
        pace = 2 if name == "hours" else 1
        ends = [(100.0, {"0": 50}), (100.0 + 5 * pace, {"0": 150}), (100.0 + 10 * pace, {"0": 250})]
        _write(tmp_path / name, [*ends, (200.0, {"0": 250})], commits=4)

    assert slowest_speed(tmp_path) == 10.0


def test_command_has_jars(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Spark gets the pinned jars and those beside the script, and listens on loopback."""

    class _Cache:
        def provide(self, artifacts: list[Artifact], _console: Console) -> list[Path]:
            return [Path("/jars") / row.artifact for row in artifacts]

    monkeypatch.setattr(ArtifactCache, "of", lambda _environment: _Cache())
    pin = {
        "use": "jdbc", "group": "g", "artifact": "driver", "version": "1", "bytes": 1,
        "sha256": "0",
    }  # fmt: skip
    (tmp_path / "jars.json").write_text(json.dumps([pin]), encoding="utf-8")
    command = windows_command(tmp_path / "windows.py", Console())

    jars = command[command.index("--jars") + 1].split(",")
    assert jars[-1] == "/jars/driver"
    assert any("kafka" in jar for jar in jars)
    assert command[-1] == str(tmp_path / "windows.py")
    assert {"spark.driver.bindAddress=127.0.0.1", "spark.ui.enabled=false"} <= set(command)
