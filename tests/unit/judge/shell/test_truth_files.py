"""The files of the truth: what is missing or wrong is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_judge.core.mapping import Truth
from clickstream_judge.errors import TruthUnusable
from clickstream_judge.shell.truth_files import read_truth

if TYPE_CHECKING:
    from pathlib import Path

    from judged import Run


def test_folder_and_files(run: Run, tmp_path: Path) -> None:
    """The truth is found in a run's folder, and in files that are named one by one."""
    record, ledger = read_truth(Truth(run=str(run.folder)), tmp_path)
    (tmp_path / "all.jsonl").write_text(
        "".join(path.read_text("utf-8") for path in sorted(run.folder.glob("ledger/*.jsonl"))),
        "utf-8",
    )
    named = Truth(run=str(run.folder / "run.json"), ledger="all.jsonl")

    assert read_truth(named, tmp_path)[1].minutes(None) == ledger.minutes(None)
    assert sum(row.events for row in ledger.minutes(None).values()) == len(run.clean)
    assert ledger.is_over
    assert record.first.full_name == "tested"


@pytest.mark.parametrize(
    ("content", "part"),
    [(None, "cannot be read"), ("{}", "has KeyError"), ("\ufeff[]", "name a run record")],
)
def test_bad_records(tmp_path: Path, content: str | None, part: str) -> None:
    """A missing or broken run record is named."""
    if content is not None:
        (tmp_path / "run.json").write_text(content, "utf-8")

    with pytest.raises(TruthUnusable, match=part):
        read_truth(Truth(run="."), tmp_path)


def test_missing_ledger(run: Run, tmp_path: Path) -> None:
    """A run record without a ledger beside it is refused."""
    (tmp_path / "run.json").write_bytes((run.folder / "run.json").read_bytes())

    with pytest.raises(TruthUnusable, match="has no ledger; name its file"):
        read_truth(Truth(run="run.json"), tmp_path)
