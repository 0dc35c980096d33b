"""Executes the notebook from top to bottom and writes it with its figures.

``python notebooks/execute.py [TARGET]``: reads the tables of the nearest ``.clickstream`` above
TARGET, which is the notebook itself if none is named. What differs between two runs over the same
tables (times of execution, Python's version) is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).with_name("clickstream_analysis.ipynb")
_CELL_SECONDS = 600


def execute(target: Path) -> None:
    """Run the notebook beside ``target`` and write it there."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
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
    execute(Path(sys.argv[1]).absolute() if sys.argv[1:] else NOTEBOOK)
