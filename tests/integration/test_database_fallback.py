"""If the database loses its last commits, the stream writes them again or ends with an error."""

from __future__ import annotations

import shutil
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from batches import writer_settings
from clickstream_contract.topics import EVENTS
from clickstream_streaming.errors import DatabaseBehindCheckpoint
from clickstream_streaming.shell.batch import BatchTask, store_offsets
from clickstream_streaming.shell.verification import DEFECTS
from fallbacks import fall_back, keep_database
from pipeline import SIMULATION, Pipeline, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.services, pytest.mark.slow]

_FEW = SIMULATION.replace("events: 3000", "events: 600")
_SOME_SETTING = {"TRIGGER_MILLISECONDS": "501"}
"""A job with other settings is not waited for."""
_STORED = "SELECT count(*) FROM raw.events"
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
_HOLD_TASKS = "LOCK TABLE mart.dim_user IN EXCLUSIVE MODE"
_HOLD_CLOSE = "SELECT pg_advisory_xact_lock(hashtext('close'))"
_LET_CLOSE_WAIT = """
CREATE FUNCTION ops.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('close'));
    RETURN NULL;
END $$;
CREATE TRIGGER wait BEFORE UPDATE ON ops.runs EXECUTE FUNCTION ops.wait()
"""
"""Only finalizing a batch updates runs; tasks do not wait."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A pipeline only for these tests: their losses and repeats would show in other tests."""
    with Pipeline(tmp_path_factory.mktemp("fallback")) as running:
        yield running


@pytest.fixture
def works(own: Pipeline) -> Iterator[Pipeline]:
    """The pipeline, repaired after a failed test."""
    yield own
    if own.streaming.process.poll() is not None:
        _start_over(own)


def _defects(works: Pipeline) -> dict[str, int]:
    report = works.verify()
    return {name: getattr(report, name) for name in DEFECTS}


@contextmanager
def _held(works: Pipeline, lock: str) -> Iterator[None]:
    """Generate a run, and hold its first batch by a lock until the block ends or the server dies.

    Args:
        works: The pipeline.
        lock: Takes the lock.
    """
    with closing(works.connect()) as holding, holding.cursor() as cursor:
        cursor.execute(lock)
        works.generate()
        wait_until(lambda: works.count(_WAITING) > 0, "the batch waits")
        yield


def _start_over(works: Pipeline) -> None:
    """Follow the advice for a database behind its checkpoint: start without the checkpoint."""
    shutil.rmtree(works.state.folder("checkpoints") / "events")
    works.resume()


def _last_words(works: Pipeline) -> str:
    """Wait until the stream has ended with an error; return its last line."""
    assert works.wait_until_stream_ends("the stream refuses") == 1
    return works.streaming.log_file.read_text(encoding="utf-8").splitlines()[-1]


def test_lost_tasks_are_run_again(works: Pipeline, tmp_path: Path) -> None:
    """Rows that are lost before the batch is finalized are written again."""
    works.drain(works.generate(_FEW))
    copy = keep_database(works, tmp_path)
    works.change(_LET_CLOSE_WAIT)  # the copy has no trigger
    known = works.count(_STORED)
    with _held(works, _HOLD_CLOSE):
        assert works.count(_STORED) > known, "the tasks are done"
        fall_back(works, copy)

    works.drain()

    assert "the batch is run again" in works.streaming.log_file.read_text(encoding="utf-8")
    assert works.streaming.process.poll() is None
    assert _defects(works) == dict.fromkeys(DEFECTS, 0)


def test_lost_batch_is_noticed_when_idle(works: Pipeline, tmp_path: Path) -> None:
    """Lost batches that were final end the stream, also without new records."""
    works.drain(works.generate(_FEW))
    copy = keep_database(works, tmp_path)
    works.drain(works.generate())
    fall_back(works, copy)

    said = _last_words(works)
    _start_over(works)
    works.drain()

    assert said.startswith("error: the database lacks batch")
    assert "a standby without the last commits has taken over" in said
    assert _defects(works) == dict.fromkeys(DEFECTS, 0)


def test_lost_batch_is_noticed_by_tasks(works: Pipeline, tmp_path: Path) -> None:
    """A running batch writes nothing to a database that has lost the batches before."""
    works.drain(works.generate(_FEW))
    copy = keep_database(works, tmp_path)
    works.drain(works.generate(_FEW))
    with _held(works, _HOLD_TASKS):
        fall_back(works, copy)

    said = _last_words(works)
    _start_over(works)
    works.drain()

    assert said.startswith("error: the database lacks batch")
    assert _defects(works) == dict.fromkeys(DEFECTS, 0)


def test_lost_batch_is_refused_at_start(works: Pipeline, tmp_path: Path) -> None:
    """A stopped stream does not start with a database behind its checkpoint."""
    works.drain(works.generate(_FEW))
    copy = keep_database(works, tmp_path)
    works.drain(works.generate(_FEW))
    works.halt()
    fall_back(works, copy)

    works.launch(_SOME_SETTING)
    said = _last_words(works)
    _start_over(works)
    works.drain()

    assert said.startswith("error: the database lacks batch")
    assert _defects(works) == dict.fromkeys(DEFECTS, 0)


def test_gap_is_not_stored(works: Pipeline) -> None:
    """Offsets are stored only if they continue the stored ones."""
    task = BatchTask(
        settings=writer_settings(works),
        query="events",
        checkpoint_id=str(UUID(int=1)),
        batch_id=7,
        offsets_from={EVENTS.name: {0: 1_000_000_000}},
        offsets_until={EVENTS.name: {0: 1_000_000_001}},
        driver_pid=0,
    )

    with (
        closing(works.connect()) as connection,
        connection.cursor() as cursor,
        pytest.raises(DatabaseBehindCheckpoint, match="lacks batch 6"),
    ):
        store_offsets(cursor, task, EVENTS.name, 0)
