"""Backup and rejects on the real services: what is destroyed comes back, what is mended counts."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from clickstream_local.backup import back_up, check_restorable
from clickstream_local.errors import BackupUnfit, RejectUnknown
from clickstream_local.postgres import READER
from clickstream_local.rejects import list_rejects, mended_from, replay
from clickstream_local.state import StateFolder
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.shell.verification import DEFECTS
from pipeline import Pipeline, wait_until

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


def test_what_is_destroyed_comes_back(tmp_path: Path) -> None:
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


def test_a_folder_that_is_no_backup_is_refused(tmp_path: Path) -> None:
    """Nothing is touched."""
    state = StateFolder(tmp_path / "shop")
    with pytest.raises(BackupUnfit, match="no backup"):
        check_restorable(tmp_path, state)
    assert not (tmp_path / "shop").exists()


def test_a_mended_reject_becomes_an_event(pipeline: Pipeline) -> None:
    """A reject that is mended and sent again is stored; it is listed no more, and only once."""
    good = sample_event("view_item") | {"event_id": str(uuid4()), "run_id": str(uuid4())}
    pipeline.produce(json.dumps(good | {"price_minor": -5}).encode(), key=b"mended")
    connection, reader = pipeline.connect(), pipeline.postgres.connect(READER)
    servers = pipeline.kafka.bootstrap_servers
    found = []

    def is_listed() -> bool:
        found[:] = [
            row
            for row in list_rejects(reader, "out_of_range", 1_000)
            if good["event_id"].encode() in (row.payload or b"")
        ]
        return bool(found)

    wait_until(is_listed, "the reject is listed")
    assert found[0].rule == "price_minor.out_of_range"
    mended = found[0].to_json() | {"payload": json.dumps(good)}
    lines = [json.dumps(mended)]
    assert replay(connection, servers, mended_from(lines)) == 1
    with pytest.raises(RejectUnknown):
        replay(connection, servers, mended_from(lines))
    with pytest.raises(RejectUnknown, match="line 1"):
        mended_from(["{}"])

    # A reader that sits in a transaction: a day that is new must not have to wait for it.
    with connection, connection.cursor() as cursor:
        query = "SELECT price_minor FROM raw.events WHERE event_id = %s"

        def is_stored() -> bool:
            cursor.execute(query, (good["event_id"],))
            return cursor.rowcount > 0

        wait_until(is_stored, "the mended event is stored")
    assert not is_listed()
    pipeline.forget(good["run_id"])
    connection.close()
    reader.close()
    _stored_and_clean(pipeline)
