"""The page that compares a simulated month with public figures of real shops."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from pages import DOCS, ROOT

_PAGE = (DOCS / "fidelity.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    """Return the page's only block of a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", _PAGE, re.DOTALL)
    return str(found)


@pytest.mark.slow
def test_simulated_figures_are_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's commands give the figures of its column "Simulated", in order."""
    program, *arguments = _block("bash").split()
    arguments[1] = str(ROOT / arguments[1])
    subprocess.run([Path(sys.executable).with_name(program), *arguments], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)

    found: list[str] = []
    with duckdb.connect() as connection:
        for statement in _block("sql").split(";\n"):
            connection.execute(statement)
            if statement.startswith("SELECT"):
                found += [f"{figure:g}" for figure in connection.fetchone() or ()]

    rows = [row.split("|") for row in _PAGE.splitlines() if row.startswith("| ")]
    assert found == [row[2].strip() for row in rows[1:]]
