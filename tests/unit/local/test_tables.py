"""Finding a state folder's database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from clickstream_local.errors import NotRunning
from clickstream_local.processes import process_identity
from clickstream_local.state import StateFolder
from clickstream_local.tables import database, reader, running_pipeline, running_postgres

if TYPE_CHECKING:
    from pathlib import Path


def test_unused_folder_is_named(tmp_path: Path) -> None:
    """Without a pipeline there is no database, and none is created."""
    folder = tmp_path / "state"

    with pytest.raises(NotRunning, match=str(folder)), database(StateFolder(folder)):
        pass
    with pytest.raises(NotRunning, match=str(folder)), reader(folder):
        pass
    assert not folder.exists()


@pytest.mark.parametrize("has_tables", [False, True])
def test_stopped_pipeline_is_named(tmp_path: Path, *, has_tables: bool) -> None:
    """A folder with tables of a pipeline that has ended is none that was never used."""
    if has_tables:
        (tmp_path / "postgres").mkdir()

    with pytest.raises(NotRunning, match=str(tmp_path)) as refused:
        running_pipeline(StateFolder(tmp_path))

    assert refused.value.has_tables is has_tables


def test_running_database_is_used(tmp_path: Path) -> None:
    """While a pipeline runs, its database is used and not stopped afterwards."""
    state = StateFolder(tmp_path)
    identity = process_identity(os.getpid())
    state.remember({"pid": os.getpid(), "identity": identity, "ports": {"postgres": 5_433}})

    with database(state) as found:
        assert (found.host, found.port, found.process) == ("127.0.0.1", 5_433, None)
        assert found.state is state
    assert state.recall() is not None


def test_running_postgres_is_on_loopback(tmp_path: Path) -> None:
    """A database that another process has started is addressed by its port."""
    state = StateFolder(tmp_path)

    found = running_postgres(state, 5_434)

    assert (found.host, found.port, found.process) == ("127.0.0.1", 5_434, None)
