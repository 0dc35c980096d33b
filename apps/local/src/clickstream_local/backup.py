"""Backup and restore of the database, which includes the Kafka offsets of its rows.

Owns the format of a backup (a folder with ``pg_dump``'s archive and a manifest) and the order of a
restore. The stream writes offsets in the same transactions as rows, so one consistent dump has
both.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clickstream_local.environment import service_environment
from clickstream_local.errors import BackupUnfit, ServiceFailed
from clickstream_local.postgres import DATABASE, LOGINS, OWNER, binary

if TYPE_CHECKING:
    from clickstream_local.postgres import Postgres
    from clickstream_local.state import StateFolder

__all__ = ["back_up", "check_restorable", "restore"]

_FORMAT = 1
_DUMP = "database.dump"
_MANIFEST = "manifest.json"


def back_up(postgres: Postgres, target: Path) -> dict[str, Any]:
    """Write a backup, also while the stream runs, and return its manifest.

    Raises:
        BackupUnfit: The folder is not empty.
        ServiceFailed: ``pg_dump`` failed.
    """
    if target.exists() and any(target.iterdir()):
        raise BackupUnfit(target, "the folder is not empty", "choose another one")
    target.parent.mkdir(parents=True, exist_ok=True)
    # A new private folder: existing files are never removed.
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        dump = ["--format=custom", "--no-owner", f"--file={draft / _DUMP}", DATABASE]
        _run(postgres, "pg_dump", dump)
        manifest = {
            "format": _FORMAT,
            "taken_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "kafka_cluster_id": _cluster_id(postgres.state),
            "bytes": (draft / _DUMP).stat().st_size,
        }
        (draft / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        if target.exists():
            target.rmdir()
        draft.rename(target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return manifest


def check_restorable(source: Path, state: StateFolder) -> dict[str, Any]:
    """Check a backup and its target before any change, and return the manifest.

    Raises:
        BackupUnfit: The folder is not a backup, or a database exists already.
    """
    try:
        manifest: dict[str, Any] = json.loads((source / _MANIFEST).read_text(encoding="utf-8"))
        size = (source / _DUMP).stat().st_size
    except (OSError, ValueError) as error:
        raise BackupUnfit(source, f"the folder is not a backup: {error}", "name a backup") from None
    if manifest.get("format") != _FORMAT or size != manifest.get("bytes"):
        raise BackupUnfit(source, "it is incomplete or has another format", "name another one")
    if (state.root / "postgres").exists():
        there = state.root / "postgres"
        raise BackupUnfit(source, f"a database exists in {there}", "move that folder away first")
    return manifest


def restore(postgres: Postgres, source: Path, manifest: dict[str, Any]) -> bool:
    """Restore into an empty database; return whether its offsets belong to the local Kafka.

    If they do, the stream continues from them, and reads the records since the backup again. With
    another Kafka it starts from the beginning.

    Raises:
        ServiceFailed: ``pg_restore`` failed.
    """
    with postgres.connect(OWNER) as connection, connection.cursor() as cursor:
        for role in sorted({role for roles in LOGINS.values() for role in roles}):
            cursor.execute(f'CREATE ROLE "{role}" NOLOGIN')
    connection.close()
    options = ["--no-owner", "--exit-on-error", f"--dbname={DATABASE}", str(source / _DUMP)]
    _run(postgres, "pg_restore", options)
    shutil.rmtree(postgres.state.root / "checkpoints", ignore_errors=True)
    ours = _cluster_id(postgres.state)
    is_same = ours is not None and ours == manifest.get("kafka_cluster_id")
    if not is_same:
        with postgres.connect(OWNER) as connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM ops.batches")
        connection.close()
    return is_same


def _cluster_id(state: StateFolder) -> str | None:
    """Return the cluster id of the local Kafka, or ``None`` without one."""
    try:
        text = (state.root / "kafka" / "data" / "meta.properties").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return values.get("cluster.id")


def _run(postgres: Postgres, program: str, arguments: list[str]) -> None:
    log_file = postgres.state.log_file("backup")
    password = postgres.state.secret(OWNER).read_text(encoding="utf-8")
    address = [f"--host={postgres.host}", f"--port={postgres.port}", f"--username={OWNER}"]
    with log_file.open("ab") as log:
        done = subprocess.run(
            [str(binary(program)), *address, *arguments],
            env=service_environment(os.environ) | {"PGPASSWORD": password},
            stdout=log,
            stderr=log,
            check=False,
        )
    if done.returncode:
        raise ServiceFailed(program, "failed", log_file)
