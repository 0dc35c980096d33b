"""One small run, which every test of the judge may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from judged import Run, make_run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of 4,000 events, with late and repeated ones."""
    folder: Path = tmp_path_factory.mktemp("judged")
    return make_run(folder)
