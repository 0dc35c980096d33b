"""Fixtures that all tests share: the real services, started once per run and only if asked."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from charts import WAYS, rendered
from go_programs import go_program
from hypothesis import settings
from pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How long an example takes is the machine's affair.
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")

CHART = Path(__file__).parents[1] / "helm" / "clickstream"
KINDS = (
    "kafka.strimzi.io/v1",
    "monitoring.coreos.com/v1",
    "postgresql.cnpg.io/v1",
    "sparkoperator.k8s.io/v1beta2",
)
"""What a cluster with the operators knows."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the fault tests go on for longer than every run of all tests can."""
    parser.addoption("--kills", type=int, default=6, help="kills in each test that kills")
    parser.addoption(
        "--update-golden", action="store_true", help="write committed files that are derived anew"
    )
    parser.addoption("--results", default="", help="file to which fault scenarios add figures")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep temporary folders where only this run sets their mode.

    pytest's own place is shared by the runs of a user and closed to others anew by each; a
    PostgreSQL of a run beside, which for root is another user's process, would be locked out.
    """
    if config.option.basetemp is None:
        folder = Path(tempfile.mkdtemp(prefix="clickstream-tests-"))
        config.option.basetemp = folder / "run"
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(scope="session")
def helm() -> Callable[..., str]:
    """Run Helm on one of our charts; return what it prints, or raise with what it says."""
    program = str(go_program("helm"))

    def run(verb: str, *arguments: str, chart: Path = CHART, kinds: tuple[str, ...] = KINDS) -> str:
        release = arguments[:1] if verb == "template" else ()
        version = ("--kube-version", "1.34.0") if verb == "template" else ()
        known = [word for kind in kinds if release for word in ("--api-versions", kind)]
        return subprocess.run(
            [program, verb, *release, str(chart), *arguments[len(release) :], *version, *known],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    return run


@pytest.fixture(scope="session")
def ways(helm: Callable[..., str]) -> dict[str, list[dict[str, Any]]]:
    """Return what every way to install our chart renders; not to be changed."""
    return {name: rendered(helm, name) for name in WAYS}


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Kafka, PostgreSQL with its tables, and the running stream."""
    folder: Path = tmp_path_factory.mktemp("pipeline")
    with Pipeline(folder, has_disks=True) as running:
        yield running
