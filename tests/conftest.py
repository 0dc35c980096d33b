"""Fixtures that all tests share: the real services, started once per run and only if asked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from control_plane import unpacked
from pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHART = Path(__file__).parents[1] / "helm" / "clickstream"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the fault tests go on for longer than every run of all tests can."""
    parser.addoption("--kills", type=int, default=6, help="kills in each test that kills")
    parser.addoption(
        "--update-golden", action="store_true", help="write committed files that are derived anew"
    )
    parser.addoption("--results", default="", help="file to which fault scenarios add figures")


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run Helm on our chart; return what it prints, or raise with what it says."""
    found = shutil.which("helm")
    program = found or str(unpacked("helm", tmp_path_factory.mktemp("helm"), "it is not on PATH"))

    def run(verb: str, *arguments: str) -> str:
        release = arguments[:1] if verb == "template" else ()
        version = ("--kube-version", "1.34.0") if verb == "template" else ()
        return subprocess.run(
            [program, verb, *release, str(CHART), *arguments[len(release) :], *version],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    return run


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Kafka, PostgreSQL with its tables, and the running stream."""
    folder: Path = tmp_path_factory.mktemp("pipeline")
    with Pipeline(folder) as running:
        yield running
