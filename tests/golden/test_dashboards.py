"""Dashboards and rules as committed, here and beside the chart, are those that are built."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickstream_dashboards.build import built_files

ROOT = Path(__file__).parents[2]
BUILT = built_files()


@pytest.mark.parametrize("path", BUILT)
def test_committed_dashboards_are_current(path: str, request: pytest.FixtureRequest) -> None:
    """``--update-golden``, or ``python -m clickstream_dashboards``, writes it."""
    file = ROOT / path
    if request.config.getoption("--update-golden"):
        file.write_text(BUILT[path], encoding="utf-8")

    assert file.read_text(encoding="utf-8") == BUILT[path]


def test_nothing_else_is_committed() -> None:
    """A dashboard that is built no more does not stay."""
    committed = {
        str(file.relative_to(ROOT))
        for folder in ("dashboards", "helm/clickstream/dashboards", "helm/clickstream/rules")
        for file in (ROOT / folder).glob("*.[jy][sa][om]*")
    }

    assert committed == set(BUILT)
