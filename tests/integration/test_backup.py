"""Backup and rejects on the real services: what is destroyed comes back, what is mended counts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from clickstream_local.backup import back_up, check_restorable
from clickstream_local.errors import BackupUnfit
from clickstream_local.state import StateFolder
from clickstream_streaming.shell.verification import DEFECTS
from pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.services


def _stored_and_clean(pipeline: Pipeline) -> int:
    report = pipeline.verify()
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


def test_restore_brings_everything_back(tmp_path: Path) -> None:
    """The database is lost, then everything: restored tables are right and the stream goes on."""
    folder, backup = tmp_path / "shop", tmp_path / "backup"
    with Pipeline(folder) as before:
        before.drain(before.generate())
        before.begin()  # a backup is taken while the stream runs
        back_up(before.postgres, backup)
        with pytest.raises(BackupUnfit, match="not empty"):
            back_up(before.postgres, backup)
        before.wait_for_generator(60)
        before.drain()
        stored = before.verify().events_stored
    with pytest.raises(BackupUnfit, match="there is a database"):
        check_restorable(backup, before.state)

    shutil.rmtree(folder / "postgres")
    assert _restore(folder, backup)
    with Pipeline(folder) as after:
        after.drain(before.run_id)  # what came after the backup is still in Kafka
        assert _stored_and_clean(after) == stored

    shutil.rmtree(folder)
    assert not _restore(folder, backup)
    with Pipeline(folder) as alone:
        alone.drain(alone.generate())
        report = alone.verify()
        # Of the run that was cut off by the loss of Kafka, the ledger may know more than the
        # tables or less, by what was on its way; nothing else is wrong.
        connection = alone.connect()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM raw.events WHERE run_id <> %s", (str(before.run_id),)
            )
            assert cursor.fetchone() == (6_000,)
        connection.close()
        assert report.duplicated == report.aggregate_mismatches == report.illegal_transitions == 0
        assert report.session_mismatches == 0


def test_folder_without_backup_is_refused(tmp_path: Path) -> None:
    """Nothing is touched."""
    state = StateFolder(tmp_path / "shop")
    with pytest.raises(BackupUnfit, match="no backup"):
        check_restorable(tmp_path, state)
    assert not (tmp_path / "shop").exists()
