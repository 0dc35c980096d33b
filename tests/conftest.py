"""Fixtures that all tests share: the real services, started once per run and only if asked."""

from __future__ import annotations

import gc
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from charts import WAYS, rendered
from databases import Database, DatabaseServer
from helm_engine import Helm
from hypothesis import settings
from pipeline import Pipeline
from side_by_side import ByService, begins_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from xdist.remote import Producer

_FOREIGN_SETTINGS = {
    "JAVA_TOOL_OPTIONS": "-XX:+NoSuchOption",
    "LC_ALL": "C",
    "PGCLIENTENCODING": "LATIN1",
    "PGHOSTADDR": "192.0.2.1",
    "PGSSLMODE": "require",
    "PYSPARK_PYTHON": "/nowhere/python",
    "PYTHONPATH": "/nowhere",
    "SPARK_HOME": "/nowhere",
    "http_proxy": "http://192.0.2.1:9",
}

# How long an example takes is the machine's affair.
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the fault tests run for longer than the run of all tests can."""
    parser.addoption("--kills", type=int, default=6, help="kills in each test that kills")
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the operator makes, and the pages of tables and proof",
    )
    parser.addoption("--results", default="", help="file to which fault scenarios add figures")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep temporary folders where only this run sets their mode.

    A user's runs share pytest's folder, and each run closes it to other users again; a
    PostgreSQL of a run beside, which for root is another user's process, would be locked out.
    """
    gc.disable()  # until all tests are collected: nothing is garbage before
    if config.option.basetemp is None:
        folder = Path(tempfile.mkdtemp(prefix="clickstream-tests-"))
        config.option.basetemp = folder / "run"
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest groups begin first; within a group the order stays random."""
    items.sort(key=begins_at)


def pytest_collection_finish() -> None:
    """Keep the collected tests out of each garbage collection; this halves what it costs."""
    gc.freeze()
    gc.enable()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByService:
    """Keep tests that share services in one worker, so that each service starts once."""
    config.option.loadscopereorder = False
    return ByService(config, log)


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Return Helm; it renders and lints our charts."""
    return Helm()


@pytest.fixture(scope="session")
def ways(helm: Callable[..., str]) -> dict[str, list[dict[str, Any]]]:
    """Return what every way to install our chart renders; not to be changed."""
    return {name: rendered(helm, name) for name in WAYS}


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Kafka, PostgreSQL with its tables, and the running stream.

    The folder's name has what lists, properties files and shells read as something else, and the
    shell that starts the services has settings for others.
    """
    folder: Path = tmp_path_factory.mktemp("pipeline") / "O'Brien, \\n ö"
    pipeline = Pipeline(folder, has_disks=True)
    with pytest.MonkeyPatch.context() as shell:
        for name, value in _FOREIGN_SETTINGS.items():
            shell.setenv(name, value)
        pipeline.__enter__()
    try:
        yield pipeline
    finally:
        pipeline.stop()


@pytest.fixture(scope="session")
def stored_run(pipeline: Pipeline) -> UUID:
    """Return a run that has ended, with its last event stored."""
    run_id = pipeline.generate()
    pipeline.drain()
    return run_id


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """PostgreSQL with a migrated database to copy, without Kafka and Spark."""
    server = DatabaseServer(tmp_path_factory.mktemp("databases"))
    yield server
    server.stop()


@pytest.fixture
def database(database_server: DatabaseServer) -> Iterator[Database]:
    """Return a database of the test's own, with its tables."""
    with database_server.database() as copied:
        yield copied
