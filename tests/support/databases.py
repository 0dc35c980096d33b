"""Databases with the project's tables, each copied from one that is migrated once.

Owns the server, which a run of tests starts once, and how a batch is written without Kafka and
Spark.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from batches import refusal, write_batch, writer_settings
from clickstream_contract.topics import EVENTS
from clickstream_local.postgres import DATABASE, OWNER
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder
from clickstream_streaming.core.sql.batch_steps import CLOSE_RUNS
from clickstream_streaming.shell.database import store_rules
from psycopg2 import sql
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clickstream_local.postgres import Postgres
    from clickstream_streaming.settings import Settings
    from psycopg2.extensions import connection as Connection

__all__ = ["Database", "DatabaseServer", "batch_process"]


_SERVER = get_context("forkserver")
_SERVER.set_forkserver_preload(["clickstream_streaming.shell.partition", "pyarrow"])
"""Forks processes that need not import anything, as Spark's daemon does for its workers."""


def batch_process() -> ProcessPoolExecutor:
    """Return a process that writes batches, as a worker of Spark's does."""
    return ProcessPoolExecutor(1, mp_context=_SERVER)


@dataclass(frozen=True)
class Database:
    """A database of one test.

    Attributes:
        owner: A connection as the owner of the tables.
        settings: The stream's settings for this database.
    """

    owner: Connection
    settings: Settings
    connect: Callable[[], Connection]
    """Return another connection as the owner of the tables."""

    def ask(self, query: str) -> tuple[Any, ...]:
        """Run a query, commit, and return its first row; empty without one."""
        with self.owner, self.owner.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone() or ()

    def close_runs(self) -> int:
        """Close the runs that are complete, as the stream does; return how many there were."""
        with self.owner, self.owner.cursor() as cursor:
            cursor.execute("SELECT run_id::text FROM ops.shard_states")
            run_ids = [run_id for (run_id,) in cursor.fetchall()]
            cursor.execute("SET LOCAL clickstream.seals = 'on'")
            cursor.execute(CLOSE_RUNS, {"run_ids": run_ids})
            return cursor.rowcount

    def write(self, records: list[bytes], topic: str = EVENTS.name) -> dict[str, Any]:
        """Write records as the only batch there is, in a separate process."""
        outcome: dict[str, Any] = self._run(write_batch, records, 0, topic)
        return outcome

    def refusal(self, records: list[bytes]) -> str:
        """Return the error with which the records are refused."""
        return str(self._run(refusal, records))

    def _run(self, task: Callable[..., object], *arguments: object) -> Any:  # noqa: ANN401  the task's result
        with batch_process() as pool:
            return pool.submit(task, self.settings, *arguments).result()


class DatabaseServer:
    """A PostgreSQL with one migrated database, from which all others are copied."""

    def __init__(self, folder: Path) -> None:
        """Start it in ``folder``."""
        self._stack = Stack(StateFolder(folder), Console(quiet=True), lambda _text: None)
        self._numbers = itertools.count(1)
        try:
            self._stack.start_postgres()
            with closing(self.postgres.connect(OWNER)) as owner:
                store_rules(owner)  # as the stream does when it starts
        except BaseException:
            self._stack.stop()
            raise

    @property
    def postgres(self) -> Postgres:
        """The server."""
        return self._stack.postgres

    def stop(self) -> None:
        """Stop it."""
        self._stack.stop()

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Copy the migrated database; drop the copy afterwards."""
        name = f"copy_{next(self._numbers)}"
        copy, template = sql.Identifier(name), sql.Identifier(DATABASE)
        self._administer(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(copy, template))

        def connect() -> Connection:
            return self.postgres.connect(OWNER, name)

        settings = replace(writer_settings(self._stack), postgres_database=name)
        try:
            with closing(connect()) as owner:
                yield Database(owner, settings, connect)
        finally:
            self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(copy))

    def _administer(self, statement: sql.Composed) -> None:
        with closing(self.postgres.connect(OWNER, "postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
