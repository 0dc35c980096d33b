"""The notebook runs from top to bottom on a pipeline's tables."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
import psycopg2
import pytest
from clickstream_local.processes import process_identity
from clickstream_local.tables import reader
from pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline import Pipeline

pytestmark = pytest.mark.services

SHOP = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {name: read}
spec:
  seed: 11
  rate: {eventsPerSecond: 2000}
  userMix: [{persona: Hurried, weight: 900}, {persona: Shopper, weight: 100}]
  personas: [{name: Hurried, basedOn: Buyer, thinkMedianMilliseconds: 200}]
  users: 3000
  catalog: {products: 60, categories: 6}
  shards: 1
  stopAfter: {events: 20000}
"""


@pytest.fixture
def state(pipeline: Pipeline, tmp_path: Path) -> Iterator[Path]:
    """Say what runs, as `clickstream up` does, in a folder that notebooks look for."""
    pid = os.getpid()
    running = {
        "pid": pid,
        "identity": process_identity(pid),
        "ports": {"postgres": pipeline.postgres.port},
    }
    pipeline.state.remember(running)
    folder = tmp_path / ".clickstream"
    folder.symlink_to(pipeline.state.root)
    yield folder
    pipeline.state.forget()


@pytest.mark.slow
def test_notebook_runs_as_a_whole(pipeline: Pipeline, state: Path, tmp_path: Path) -> None:
    """Every figure is drawn, nothing warns, and the table of pairs is what orders say."""
    pipeline.generate(SHOP)
    pipeline.drain()
    assert state.is_dir()
    target = tmp_path / "read.ipynb"
    # The first time on a machine it reads all fonts, and says so where nothing may be said.
    subprocess.run([sys.executable, "-c", "import matplotlib.font_manager"], check=True)

    subprocess.run(
        [
            sys.executable,
            str(ROOT / "notebooks" / "execute.py"),
            "clickstream_analysis",
            str(target),
        ],
        check=True,
        capture_output=True,
        text=True,
    )

    cells = [cell for cell in nbformat.read(target, as_version=4).cells if "outputs" in cell]
    for cell in cells:
        shown = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        assert bool(shown) == ("plt.show()" in cell.source)
        assert [one.text for one in cell.outputs if one.get("name") == "stderr"] == []
    texts = [one.get("data", {}).get("text/plain", "") for cell in cells for one in cell.outputs]
    assert "read" in texts[0]  # the shop that was stored last
    assert any("bought together" in text for text in texts)


def test_a_reader_cannot_write(pipeline: Pipeline, state: Path) -> None:
    """What the notebook connects with refuses a change."""
    assert pipeline.state.secret("clickstream_read").is_file()
    with reader(state) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("clickstream_read",)
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            cursor.execute("UPDATE ops.runs SET simulation = 'x'")
