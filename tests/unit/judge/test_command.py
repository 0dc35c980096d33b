"""The command: outputs and exit codes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
import yaml
from clickstream_contract.verification_result import read_result
from clickstream_judge import command
from judged import shared_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from judged import Run

    Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Call:
    """Run the command in a folder; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clickstream-judge", *arguments])
        with shared_runs(), pytest.raises(SystemExit) as ended:
            command.main()
        output, errors = capsysbinary.readouterr()
        return int(ended.value.code or 0), output.decode(), errors.decode()

    return run_command


@pytest.fixture
def mapping(run: Run, tmp_path: Path) -> str:
    """Return a mapping of the clean events."""
    pq.write_table(run.clean, tmp_path / "clean.parquet")
    pq.write_table(run.clean.slice(3), tmp_path / "short.parquet")
    columns = {name: name for name in ("event_id", "event_time", "city")}
    document = {
        "truth": {"run": str(run.folder)},
        "result": {"files": "clean.parquet", "columns": columns},
    }
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return "m.yaml"


def test_agreement_ends_well(call: Call, mapping: str, run: Run) -> None:
    """A clean result ends with exit code 0."""
    code, output, _ = call(mapping)

    assert code == 0
    assert output.endswith("the result agrees with the truth\n")
    assert f"{len(run.clean):,} events sent" in output


def test_difference_in_every_form(call: Call, mapping: str, tmp_path: Path) -> None:
    """A difference ends with exit code 1, and is in every output."""
    path = tmp_path / mapping
    path.write_text(path.read_text("utf-8").replace("clean.", "short."), "utf-8")

    code, output, _ = call(
        mapping, "--json", "a.json", "--junit", "a.xml", "--html", "a.html", "--summary", "a.txt"
    )
    assert code == 1
    assert "the result differs" in output
    report = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert sum(row["count"] for row in report["verdicts"]) == 3
    summary = read_result((tmp_path / "a.txt").read_text("utf-8"))
    assert summary is not None
    assert (summary.differences, summary.rows) == (3, summary.events - 3)
    assert b"<failure" in (tmp_path / "a.xml").read_bytes()
    assert "The result differs." in (tmp_path / "a.html").read_text("utf-8")

    code, output, _ = call(mapping, "--json", "-")
    assert (code, json.loads(output)) == (1, report)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("nothing.yaml",), "nothing.yaml: the mapping cannot be read"),
        (("m.yaml", "--junit", "nowhere/a.xml"), "nowhere/a.xml: the report cannot be written"),
        (("m.yaml", "--summary", "nowhere/a"), "nowhere/a: the report cannot be written"),
        (("m.yaml", "--connection", "host=db"), "result.engine: write postgres"),
        (("m.yaml", "--truth", "nowhere"), "nowhere cannot be read"),
        ((), "truth: the field is missing"),
        (("--truth", "nowhere"), "result.connection: PostgreSQL needs one"),
    ],
)
def test_mistakes_are_named(
    call: Call, mapping: str, arguments: tuple[str, ...], part: str
) -> None:
    """What prevents a judgement is one line, and exit code 2."""
    assert mapping
    code, _, errors = call(*arguments)

    assert code == 2
    assert part in errors
    assert errors.count("\n") == 1


def test_defect_of_the_judge(call: Call, mapping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error ends with exit code 2: it is no difference."""

    def fail(*_: object, **__: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("clickstream_judge.shell.judging.judge", fail)

    code, _, errors = call(mapping)

    assert code == 2
    assert "the judge failed (KeyError)" in errors
