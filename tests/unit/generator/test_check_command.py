"""The command that checks answers to exercises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer
from clickstream_contract.document import dump_simulation
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.check_command import check_answer
from simulations import simulation
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

START = "2026-01-13T00:00:00Z"
EVENTS = "  stopAfter: {events: 500}\n"
COUNT = "{kind: Ledger, figures: [events]}"
MINUTES = "{kind: Ledger, figures: [events], window: 1m}"
INCIDENT = "  incidents: [{name: cart, kind: CartFails, at: 1h, for: 30m}]\n"
DETECTION = "{kind: Detection, precision: 1.0, recall: 1.0, most: 1h}"


def _check(folder: Path, truth: str, answer: str, *options: str, more: str = EVENTS) -> Result:
    """Check an answer to an exercise whose files are in a folder."""
    shop = dump_simulation(simulation("{eventsPerSecond: 10}", more, users=4_000))
    (folder / "shop.yaml").write_text(shop, "utf-8")
    (folder / "exercise.yaml").write_text(
        f"title: A\nsimulation: shop.yaml\nstart: {START}\nquestion: How many?\ntruth: {truth}\n",
        "utf-8",
    )
    (folder / "answer.csv").write_text(answer, "utf-8")
    app = typer.Typer()
    app.command()(check_answer)
    files = [str(folder / name) for name in ("exercise.yaml", "answer.csv")]
    return CliRunner().invoke(app, [*files, *options])


def test_right_answer_exits_0(tmp_path: Path) -> None:
    """The words are right; the truth is shown on request."""
    done = _check(tmp_path, COUNT, "events\n500\n", "--show-truth")

    assert (done.exit_code, done.stdout.splitlines()) == (
        0, ["right (rows checked: 1)", "column,truth,least,most", "events,500,500,500"],
    )  # fmt: skip


def test_wrong_answer_exits_1(tmp_path: Path) -> None:
    """The words say how wrong it is, and do not show the truth."""
    done = _check(tmp_path, COUNT, "events\n520\n")

    assert done.exit_code == 1
    assert "wrong by 1 to 10 %" in done.stdout
    assert "500" not in done.stdout


def test_many_problems_are_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some problems are named, the rest is counted."""
    monkeypatch.setattr("clickstream_generator.check_command._MOST_PROBLEMS", 1)

    done = _check(tmp_path, MINUTES, "window,events\n", more="  stopAfter: {events: 1500}\n")

    assert done.stdout.splitlines() == [
        "wrong (rows checked: 3, problems: 3)",
        "  window=2026-01-13T00:00:00Z: missing",
        "  and 2 more",
    ]


def test_intervals_are_checked(tmp_path: Path) -> None:
    """An answer with the interval is right; without it, the truth shows it."""
    more = f"  stopAfter: {{duration: 2h}}\n{INCIDENT}"
    interval = "2026-01-13T01:00:00Z,2026-01-13T01:30:00Z"

    right = _check(tmp_path, DETECTION, f"from,until\n{interval}\n", more=more)
    wrong = _check(tmp_path, DETECTION, "from,until\n", "--show-truth", more=more)

    assert (right.exit_code, right.stdout) == (0, "right (intervals checked: 1)\n")
    assert wrong.exit_code == 1
    assert wrong.stdout.splitlines()[-2:] == ["from,until", interval]


@pytest.mark.parametrize(
    ("truth", "answer", "path"),
    [
        ("{kind: Guess}", "events\n1\n", "exercise.yaml, truth"),
        (COUNT, "sessions\n1\n", "answer.csv, line 1"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, truth: str, answer: str, path: str) -> None:
    """The error names the exercise or the answer."""
    error = _check(tmp_path, truth, answer).exception

    assert isinstance(error, SimulationInvalid)
    assert error.path.endswith(path)
