"""The notebooks that make their events: each shows again what is committed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import pytest
from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["segments", "experiment", "incidents", "recommendation"])
def test_notebook_shows_the_same_again(name: str, tmp_path: Path) -> None:
    """From the same simulation and start, each cell has the committed output."""
    for folder in ("exercises", "k8s"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "notebooks").mkdir()
    target = tmp_path / "notebooks" / f"{name}.ipynb"

    subprocess.run(
        [sys.executable, str(ROOT / "notebooks" / "execute.py"), name, str(target)],
        check=True,
        capture_output=True,
        text=True,
    )

    committed = _shown(ROOT / "notebooks" / f"{name}.ipynb")
    assert _shown(target) == committed
    assert "truth" in "".join(committed[-1]) or "lost_orders" in "".join(committed[-1])


def _shown(path: Path) -> list[list[str]]:
    """Return the texts that each cell of a notebook shows."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if "outputs" in cell]
    return [
        [output.get("text") or output["data"]["text/plain"] for output in cell.outputs]
        for cell in cells
    ]
