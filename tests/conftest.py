"""Fixtures that all tests share: the real services, started once per run and only if asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the fault tests go on for longer than every run of all tests can."""
    parser.addoption("--kills", type=int, default=6, help="kills in each test that kills")
    parser.addoption(
        "--update-golden", action="store_true", help="write committed files that are derived anew"
    )
    parser.addoption("--results", default="", help="file to which fault scenarios add figures")


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Kafka, PostgreSQL with its tables, and the running stream."""
    folder: Path = tmp_path_factory.mktemp("pipeline")
    with Pipeline(folder) as running:
        yield running
