"""The command that scores a detector of incidents."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import typer
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.score_command import score_incidents
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from typer.testing import Result


def _run(folder: Path, truth: str, detected: str) -> Result:
    app = typer.Typer()
    app.command()(score_incidents)
    (folder / "truth.csv").write_text(truth, encoding="utf-8")
    (folder / "detected.csv").write_text(detected, encoding="utf-8")
    return CliRunner().invoke(app, [str(folder / "truth.csv"), str(folder / "detected.csv")])


def test_row_is_the_score(tmp_path: Path) -> None:
    """The output is one row with the numbers and the shares."""
    done = _run(tmp_path, "from,until\n1h,2h\n5h,6h\n", "from,until\n3750s,2h\n3h,4h\n8h,9h\n")

    (row,) = csv.DictReader(done.stdout.splitlines())
    assert row == {
        "incidents": "2", "detections": "3", "found": "1",
        "precision": "0.3333", "recall": "0.5000", "median_delay_seconds": "150.0",
    }  # fmt: skip


def test_missing_figure_is_empty(tmp_path: Path) -> None:
    """Without detections, precision and delay are empty."""
    done = _run(tmp_path, "from,until\n1h,2h\n", "from,until\n")

    (row,) = csv.DictReader(done.stdout.splitlines())
    assert (row["precision"], row["recall"], row["median_delay_seconds"]) == ("", "0.0000", "")


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """A file that is no text is refused with its name."""
    app = typer.Typer()
    app.command()(score_incidents)
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe")

    for name in ("bad.csv", "none.csv"):
        error = CliRunner().invoke(app, [str(tmp_path / name)] * 2).exception
        assert isinstance(error, SimulationInvalid)
        assert error.path.endswith(name)


def test_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is far too large is not read."""
    monkeypatch.setattr("clickstream_generator.score_command._MOST_BYTES", 10)

    error = _run(tmp_path, "from,until\n1h,2h\n", "from,until\n").exception

    assert isinstance(error, SimulationInvalid)
    assert "at most 10 bytes" in str(error)
