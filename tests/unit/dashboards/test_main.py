"""Where ``python -m clickstream_dashboards`` writes."""

from __future__ import annotations

from pathlib import Path

from clickstream_dashboards.__main__ import ROOT
from clickstream_dashboards.build import built_files


def test_root_is_the_repository() -> None:
    """Every built file has its committed place below the root."""
    assert Path(__file__).parents[3] == ROOT
    assert [path for path in built_files() if not (ROOT / path).is_file()] == []
