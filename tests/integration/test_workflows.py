"""The workflows as GitHub reads them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from clickstream_bench.go_programs import go_program

pytestmark = pytest.mark.slow
_FOLDER = Path(__file__).parents[2] / ".github" / "workflows"
_WORKFLOWS = sorted(_FOLDER.glob("*.yaml"))


def _actionlint(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [str(go_program("actionlint")), "-shellcheck=", "-pyflakes=", *map(str, files)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_actionlint_finds_nothing() -> None:
    """Syntax, expressions, contexts and inputs are as GitHub knows them."""
    done = _actionlint(*_WORKFLOWS)

    assert done.returncode == 0, done.stdout


def test_actionlint_finds_a_wrong_expression(tmp_path: Path) -> None:
    """A context that there is not is named."""
    file = tmp_path / "wrong.yaml"
    right = (_FOLDER / "ci.yaml").read_text("utf-8")
    file.write_text(right.replace("github.ref ", "github.rev "), "utf-8")

    done = _actionlint(file)

    assert done.returncode == 1
    assert '"rev" is not defined' in done.stdout
