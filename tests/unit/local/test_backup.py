"""The format of a backup, and folders that are not backups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_local import backup
from clickstream_local.backup import back_up, check_restorable
from clickstream_local.errors import BackupUnfit, ServiceFailed
from clickstream_local.postgres import Postgres
from clickstream_local.state import StateFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MANIFEST = {"format": 1, "taken_at": "now", "kafka_cluster_id": None, "bytes": 4}


def _backup(folder: Path, content: bytes = b"dump", **manifest: object) -> Path:
    folder.mkdir()
    (folder / "database.dump").write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps({**_MANIFEST, **manifest}))
    return folder


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """Return a state folder in which nothing has run."""
    return StateFolder(tmp_path / "state")


def test_whole_backup_is_restorable(tmp_path: Path, state: StateFolder) -> None:
    """A backup of this form and size is taken, and its manifest returned."""
    assert check_restorable(_backup(tmp_path / "b"), state) == _MANIFEST


@pytest.mark.parametrize(
    ("content", "manifest"),
    [(b"dum", {}), (b"dumps", {}), (b"dump", {"format": 2}), (b"dump", {"bytes": None})],
)
def test_incomplete_backup_is_refused(
    tmp_path: Path, state: StateFolder, content: bytes, manifest: dict[str, Any]
) -> None:
    """A dump of another size, or a backup of another form, is not put back."""
    with pytest.raises(BackupUnfit, match="incomplete or has another format"):
        check_restorable(_backup(tmp_path / "b", content, **manifest), state)


def test_other_folders_are_no_backup(tmp_path: Path, state: StateFolder) -> None:
    """A folder that is missing or holds something else is no backup."""
    with pytest.raises(BackupUnfit, match="the folder is not a backup"):
        check_restorable(tmp_path / "none", state)
    (_backup(tmp_path / "b") / "manifest.json").write_text("no JSON")
    with pytest.raises(BackupUnfit, match="the folder is not a backup"):
        check_restorable(tmp_path / "b", state)


def test_present_database_is_kept(tmp_path: Path, state: StateFolder) -> None:
    """A backup is not restored over an existing database."""
    state.folder("postgres")

    with pytest.raises(BackupUnfit, match=r"a database exists in .*; move that folder away"):
        check_restorable(_backup(tmp_path / "b"), state)


def _programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    """Replace PostgreSQL's programs by a shell script."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    found: Callable[[str], Path] = lambda _name: program  # noqa: E731
    monkeypatch.setattr(backup, "binary", found)


_DUMP = """for word; do
    case "$word" in --file=*) printf "%s" "$PGPASSWORD" > "${word#--file=}";; esac
done"""


def test_backup_is_dump_and_manifest(
    tmp_path: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dump gets the owner's password, and the manifest its size and Kafka's id."""
    _programs(monkeypatch, tmp_path, _DUMP)
    (state.folder("kafka") / "data").mkdir()
    (state.root / "kafka/data/meta.properties").write_text("#x\nversion=1\ncluster.id=abc=\n")
    target = tmp_path / "b"
    target.mkdir()

    manifest = back_up(Postgres("127.0.0.1", 1, None, state), target)

    password = state.secret("clickstream").read_text()
    assert (target / "database.dump").read_text() == password
    assert json.loads((target / "manifest.json").read_text()) == manifest
    assert manifest.pop("taken_at").endswith("Z")
    assert manifest == {"format": 1, "kafka_cluster_id": "abc=", "bytes": len(password)}
    assert target.stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "b.draft").exists()


def test_foreign_draft_is_kept(
    tmp_path: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder beside the backup that we did not make is not ours to remove."""
    _programs(monkeypatch, tmp_path, _DUMP)
    notes = tmp_path / "b.draft" / "notes"
    notes.parent.mkdir()
    notes.write_text("mine")

    back_up(Postgres("127.0.0.1", 1, None, state), tmp_path / "b")

    assert notes.read_text() == "mine"


def test_used_folder_is_kept(tmp_path: Path, state: StateFolder) -> None:
    """A backup never writes into a folder that holds something."""
    target = _backup(tmp_path / "b")

    with pytest.raises(BackupUnfit, match="not empty"):
        back_up(Postgres("127.0.0.1", 1, None, state), target)


def test_failed_dump_is_no_backup(
    tmp_path: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump that fails is an error with its last words, and no folder gets the name."""
    _programs(monkeypatch, tmp_path, "echo no such database >&2; exit 1")

    with pytest.raises(
        ServiceFailed, match=r"pg_dump failed \(last line of its log: no such database\)"
    ):
        back_up(Postgres("127.0.0.1", 1, None, state), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_missing_kafka_has_no_id(state: StateFolder) -> None:
    """Without a Kafka there is no cluster id."""
    assert backup._cluster_id(state) is None
