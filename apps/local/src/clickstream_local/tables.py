"""Access to the tables of a state folder.

Owns the choice of the database: the running one, or one that is started temporarily.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from clickstream_local.errors import NotRunning
from clickstream_local.ports import LOOPBACK
from clickstream_local.postgres import READER, Postgres
from clickstream_local.processes import is_running
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psycopg2.extensions import connection as Connection

__all__ = ["database", "reader", "running_pipeline", "running_postgres"]


@contextmanager
def database(state: StateFolder) -> Iterator[Postgres]:
    """Return the running database, or start it temporarily.

    Raises:
        NotRunning: No pipeline has run in the folder yet.
    """
    running = state.recall()
    if running is not None and is_running(running):
        yield running_postgres(state, running["ports"]["postgres"])
        return
    if not _has_tables(state):
        raise NotRunning(state.root, has_tables=False)
    with state.lock():
        stack = Stack(state, Console(stderr=True), lambda _text: None)
        try:
            stack.start_postgres()
            yield stack.postgres
        finally:
            stack.stop()


@contextmanager
def reader(folder: Path) -> Iterator[Connection]:
    """Return a read-only connection, as ``clickstream psql`` uses it.

    Args:
        folder: The state folder, such as ``.clickstream``, with the password.

    Raises:
        NotRunning: No pipeline has run in the folder yet.
    """
    with database(StateFolder(folder.absolute())) as postgres:
        connection = postgres.connect(READER)
        connection.set_session(readonly=True, autocommit=True)
        try:
            yield connection
        finally:
            connection.close()


def running_pipeline(state: StateFolder) -> dict[str, Any]:
    """Return what the state file says of the running pipeline.

    Raises:
        NotRunning: No pipeline runs in the folder.
    """
    running = state.recall()
    if running is None or not is_running(running):
        raise NotRunning(state.root, has_tables=_has_tables(state))
    return running


def running_postgres(state: StateFolder, port: int) -> Postgres:
    """Return the database that another command has started."""
    return Postgres(LOOPBACK, port, None, state)


def _has_tables(state: StateFolder) -> bool:
    return (state.root / "postgres").is_dir()
