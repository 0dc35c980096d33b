"""A connection that is lost in a COPY: an error that the stream retries."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from typing import IO, TYPE_CHECKING, cast

import psutil
import psycopg2
import pytest
from clickstream_streaming.shell.database import connect
from databases import DatabaseServer
from pipeline import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from databases import Database
    from psycopg2.extensions import connection as Connection

pytestmark = pytest.mark.services

_PART = b"7\n" * 2_000


@pytest.fixture
def own_database(tmp_path: Path) -> Iterator[Database]:
    """A database of a server that no other test uses, because it crashes."""
    server = DatabaseServer(tmp_path / "server")
    try:
        with server.database() as copied:
            yield copied
            server.postgres.wait_ready()  # it starts again by itself
    finally:
        server.stop()


class _Rows:
    """The rows of a COPY; before the last of them, the server crashes."""

    def __init__(self, database: Database, reached: Connection) -> None:
        self._database, self._reached = database, reached
        self._left = 3

    def read(self, _size: int = 0, /) -> bytes:
        """Return the next rows; none at the end."""
        self._left -= 1
        if self._left == 1:
            self._crash()
        return _PART if self._left else b""

    def _crash(self) -> None:
        """Kill a process of the server, which then ends all connections, and wait for the end."""
        pid = self._database.ask("SELECT pg_backend_pid()")[0]
        os.kill(pid, signal.SIGKILL)
        backend = self._reached.info.backend_pid
        wait_until(lambda: not psutil.pid_exists(backend), "the connection's process ends")


def test_crash_in_copy_is_operational(own_database: Database) -> None:
    """A crash that a COPY finds at its end is an ``OperationalError``, which is retried."""
    with closing(connect(own_database.settings)) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TEMPORARY TABLE numbers (number integer)")
        rows = cast("IO[bytes]", _Rows(own_database, connection))

        with pytest.raises(psycopg2.OperationalError, match="server closed the connection"):
            cursor.copy_expert("COPY numbers FROM STDIN", rows)


def test_other_errors_stay(database: Database) -> None:
    """An error of a statement keeps its class and its code."""
    with (
        closing(connect(database.settings)) as connection,
        pytest.raises(psycopg2.errors.UndefinedTable) as raised,
    ):
        connection.cursor().execute("SELECT 1 FROM nothing")
    assert raised.value.pgcode == "42P01"
