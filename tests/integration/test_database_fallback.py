"""A database that loses its last commits makes the stream write them again, or refuse by name."""

from __future__ import annotations

import shutil
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from batches import writer_settings
from clickstream_contract.topics import EVENTS
from clickstream_streaming.errors import DatabaseBehindCheckpoint
from clickstream_streaming.shell.partition import BatchTask, store_offsets
from clickstream_streaming.shell.verification import DEFECTS
from fallbacks import fall_back, keep_database
from pipeline import SIMULATION, Pipeline, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psycopg2.extensions import connection as Connection

pytestmark = pytest.mark.services

_FEW = SIMULATION.replace("events: 3000", "events: 600")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A pipeline of this module's own: its database loses commits."""
    with Pipeline(tmp_path_factory.mktemp("fallen")) as running:
        yield running


def _defects(pipeline: Pipeline) -> dict[str, int]:
    report = pipeline.verify()
    return {name: getattr(report, name) for name in DEFECTS}


def _holds(connection: Connection, query: str) -> bool:
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        (answer,) = cursor.fetchone() or (False,)
    return bool(answer)


@contextmanager
def _held(pipeline: Pipeline, lock: str) -> Iterator[None]:
    """Generate a run, and hold its first batch by a lock until the block ends or the server dies.

    Args:
        pipeline: The pipeline.
        lock: Takes the lock.
    """
    waits = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"
    with closing(pipeline.connect()) as holding, holding.cursor() as cursor:
        cursor.execute(lock)
        pipeline.generate()
        with closing(pipeline.connect()) as looking:
            wait_until(lambda: _holds(looking, waits), "the batch waits")
        yield


_HOLD_TASKS = "LOCK TABLE mart.dim_user IN EXCLUSIVE MODE"
_HOLD_CLOSE = "SELECT FROM ops.progress WHERE query = 'events' FOR UPDATE"


def _stored(pipeline: Pipeline) -> int:
    with closing(pipeline.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM raw.events")
        (count,) = cursor.fetchone() or (0,)
    return int(count)


def _start_over(pipeline: Pipeline) -> str:
    """Wait until the stream has ended, do what its last line advises, and return that."""
    ended = pipeline.streaming
    wait_until(lambda: ended.process.poll() is not None, "the stream ends")
    pipeline._running.remove(ended)
    said = ended.log_file.read_text(encoding="utf-8").splitlines()[-1]
    shutil.rmtree(pipeline.state.folder("checkpoints") / "events")
    pipeline.resume()
    return said


def test_lost_tasks_are_run_again(own: Pipeline, tmp_path: Path) -> None:
    """Rows that are lost between the tasks' commit and the batch's close are written again."""
    own.drain(own.generate(_FEW))
    copy = keep_database(own, tmp_path)
    known = _stored(own)
    with _held(own, _HOLD_CLOSE):
        assert _stored(own) > known, "the tasks are done"
        fall_back(own, copy)

    own.drain()

    assert "is run again" in own.streaming.log_file.read_text(encoding="utf-8")
    assert own.streaming.process.poll() is None
    assert _defects(own) == dict.fromkeys(DEFECTS, 0)


def test_lost_batch_is_noticed_when_idle(own: Pipeline, tmp_path: Path) -> None:
    """Batches that are lost after they were closed end the stream, also if no record comes."""
    own.drain(own.generate(_FEW))
    copy = keep_database(own, tmp_path)
    own.drain(own.generate())
    fall_back(own, copy)

    said = _start_over(own)
    own.drain()

    assert "error: the database lacks batch" in said
    assert "a standby without the last commits has taken over" in said
    assert _defects(own) == dict.fromkeys(DEFECTS, 0)


def test_lost_batch_is_noticed_by_tasks(own: Pipeline, tmp_path: Path) -> None:
    """A batch under way does not write on in a database that has lost the batches before."""
    own.drain(own.generate(_FEW))
    copy = keep_database(own, tmp_path)
    own.drain(own.generate(_FEW))
    with _held(own, _HOLD_TASKS):
        fall_back(own, copy)

    said = _start_over(own)
    own.drain()

    assert "error: the database lacks batch" in said
    assert _defects(own) == dict.fromkeys(DEFECTS, 0)


def test_lost_batch_is_refused_at_start(own: Pipeline, tmp_path: Path) -> None:
    """A stream that was stopped meanwhile does not start behind its checkpoint."""
    own.drain(own.generate(_FEW))
    copy = keep_database(own, tmp_path)
    own.drain(own.generate(_FEW))
    own.halt()
    fall_back(own, copy)
    own.launch({"TRIGGER_MILLISECONDS": "501"})

    said = _start_over(own)
    own.drain()

    assert "error: the database lacks batch" in said
    assert _defects(own) == dict.fromkeys(DEFECTS, 0)


def test_gap_is_not_stored(own: Pipeline) -> None:
    """Offsets are noted only where what is stored ends."""
    task = BatchTask(
        settings=writer_settings(own),
        query="events",
        checkpoint_id=str(UUID(int=1)),
        batch_id=7,
        offsets_from={EVENTS.name: {0: 1_000_000_000}},
        offsets_until={EVENTS.name: {0: 1_000_000_001}},
        late_before=None,
        driver_pid=0,
    )

    with (
        closing(own.connect()) as connection,
        connection.cursor() as cursor,
        pytest.raises(DatabaseBehindCheckpoint, match="lacks batch 6"),
    ):
        store_offsets(cursor, task, EVENTS.name, 0)
