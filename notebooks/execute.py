"""Executes a notebook from top to bottom and writes it with its figures.

``python notebooks/execute.py NOTEBOOK [TARGET]``: NOTEBOOK is its name, without the folder and
``.ipynb``; TARGET is the notebook itself if none is named. The analysis reads the tables of the
nearest ``.clickstream`` above TARGET; the others make their events. What differs between two runs
(times of execution, Python's version) is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

_FOLDER = Path(__file__).absolute().parent
_CELL_SECONDS = 600


def execute(source: Path, target: Path) -> None:
    """Run a notebook in the folder of ``target``, and write it there."""
    notebook = nbformat.read(source, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=_CELL_SECONDS,
        record_timing=False,
        resources={"metadata": {"path": str(target.parent)}},
    )
    client.execute()
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, target)


if __name__ == "__main__":
    path = _FOLDER / f"{sys.argv[1]}.ipynb"
    execute(path, Path(sys.argv[2]).absolute() if sys.argv[2:] else path)
