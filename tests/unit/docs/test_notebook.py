"""The committed notebooks: run from top to bottom, with their outputs, and small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_FIGURES = {"clickstream_analysis": 5}
"""The least number of figures, by notebook."""
_MOST_BYTES = 600_000


@pytest.mark.parametrize("path", _PATHS, ids=lambda path: path.stem)
def test_the_committed_notebook_was_run(path: Path) -> None:
    """Its cells count 1, 2, 3 ...; each figure is there, and no error, warning or time of a run."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]

    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    drawing = sum("plt.show()" in cell.source for cell in cells)
    drawn = sum(
        any("image/png" in output.get("data", {}) for output in cell.outputs) for cell in cells
    )
    assert drawing == drawn >= _FIGURES.get(path.stem, 0)
    assert [output for output in outputs if output.output_type == "error"] == []
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    assert [cell.metadata for cell in cells if cell.metadata] == []
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata["language_info"] == {"name": "python"}
    assert path.stat().st_size < _MOST_BYTES
