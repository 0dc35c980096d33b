"""Backup and restore on the real services."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import clickstream_local.backup
import pytest
from clickstream_local.backup import back_up, check_restorable
from clickstream_local.errors import BackupUnfit
from clickstream_local.ports import free_port
from clickstream_local.postgres import Postgres
from clickstream_local.state import StateFolder
from clickstream_streaming.shell.verification import DEFECTS
from pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

pytestmark = pytest.mark.services


def _stored_and_clean(restored: Pipeline) -> int:
    report = restored.verify()
    assert {name: getattr(report, name) for name in DEFECTS} == dict.fromkeys(DEFECTS, 0)
    return report.events_stored


def _restore(folder: Path, source: Path) -> bool:
    """Do what ``clickstream restore`` does."""
    stack = Pipeline(folder)
    manifest = check_restorable(source, stack.state)
    try:
        return stack.restore_postgres(source, manifest)
    finally:
        stack.stop()


@dataclass(frozen=True)
class BackedUp:
    """A pipeline that was stopped after a backup.

    Attributes:
        folder: The pipeline's folder.
        backup: The backup's folder.
        run_id: The run that continued while the backup was made.
        stored: Events in the tables when the pipeline was stopped.
    """

    folder: Path
    backup: Path
    run_id: UUID
    stored: int


@pytest.fixture
def backed_up(tmp_path: Path) -> BackedUp:
    """Return a pipeline that was stopped after a backup."""
    folder, backup = tmp_path / "shop", tmp_path / "backup"
    with Pipeline(folder) as pipeline:
        pipeline.drain(pipeline.generate())
        pipeline.begin()  # a backup is taken while the stream runs
        back_up(pipeline.postgres, backup)
        pipeline.wait_for_generator()
        pipeline.drain()
        return BackedUp(folder, backup, pipeline.run_id, pipeline.verify().events_stored)


def _digest(pipeline: Pipeline, table: str, run_id: UUID) -> tuple[int, str]:
    """Return how many rows of a table are a run's, and a hash of them."""
    text = f"SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} AS t"  # noqa: S608  our own names
    ((count, digest),) = pipeline.rows(f"{text} WHERE run_id = %s", str(run_id))
    return count, digest


def test_backup_keeps_every_row(pipeline: Pipeline, stored_run: UUID, tmp_path: Path) -> None:
    """A database that is restored elsewhere holds each row of a run as it was."""
    tables = ("raw.events", "mart.sessions", "ops.ledger", "ops.shards")
    before = {table: _digest(pipeline, table, stored_run) for table in tables}
    back_up(pipeline.postgres, tmp_path / "backup")

    restored = Pipeline(tmp_path / "shop", has_stream=False)
    try:
        manifest = check_restorable(tmp_path / "backup", restored.state)
        is_same_kafka = restored.restore_postgres(tmp_path / "backup", manifest)
        after = {table: _digest(restored, table, stored_run) for table in tables}
    finally:
        restored.stop()

    assert not is_same_kafka
    assert before["raw.events"][0] == 3_000
    assert after == before


@pytest.mark.slow
def test_lost_database_comes_back(backed_up: BackedUp) -> None:
    """After a restore of the database the stream reads what came after the backup from Kafka."""
    shutil.rmtree(backed_up.folder / "postgres")

    assert _restore(backed_up.folder, backed_up.backup)

    with Pipeline(backed_up.folder) as restored:
        restored.drain(backed_up.run_id)
        assert _stored_and_clean(restored) == backed_up.stored


@pytest.mark.slow
def test_lost_pipeline_comes_back(backed_up: BackedUp) -> None:
    """After a restore without the old Kafka new runs are stored beside the restored ones."""
    shutil.rmtree(backed_up.folder)

    assert not _restore(backed_up.folder, backed_up.backup)

    with Pipeline(backed_up.folder) as restored:
        run_id = restored.generate()
        restored.drain()
        report = restored.verify()
        before = restored.count("SELECT count(*) FROM raw.events WHERE run_id <> %s", str(run_id))
    # Of the run that the loss of Kafka has cut off, the ledger may say more or less than the
    # tables; nothing else is wrong.
    assert 3_000 <= before <= 6_000
    assert report.duplicated == report.aggregate_mismatches == report.illegal_transitions == 0
    assert report.session_mismatches == 0


def test_backup_is_not_overwritten(tmp_path: Path) -> None:
    """A folder that has files in it is refused before the database is asked."""
    (tmp_path / "earlier").touch()
    nobody = Postgres("127.0.0.1", free_port(), None, StateFolder(tmp_path / "shop"))

    with pytest.raises(BackupUnfit, match="not empty"):
        back_up(nobody, tmp_path)


def test_database_is_not_overwritten(tmp_path: Path) -> None:
    """A restore beside a database that is there is refused."""
    state = StateFolder(tmp_path / "shop")
    state.folder("postgres")
    backup = tmp_path / "backup"
    backup.mkdir()
    (backup / "database.dump").touch()
    manifest = {"format": clickstream_local.backup._FORMAT, "bytes": 0}
    (backup / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    with pytest.raises(BackupUnfit, match="a database exists"):
        check_restorable(backup, state)


def test_folder_without_backup_is_refused(tmp_path: Path) -> None:
    """Nothing is touched."""
    state = StateFolder(tmp_path / "shop")
    with pytest.raises(BackupUnfit, match="not a backup"):
        check_restorable(tmp_path, state)
    assert not (tmp_path / "shop").exists()
