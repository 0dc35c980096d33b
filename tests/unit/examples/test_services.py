"""What a pipeline gets from the services of a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_local.ports import LOOPBACK
from clickstream_local.postgres import OWNER, Postgres
from clickstream_local.state import StateFolder
from services import Services

if TYPE_CHECKING:
    from pathlib import Path


def test_passwords_are_in_files(tmp_path: Path) -> None:
    """No variable has the password; libpq's file has it, for its owner only."""
    state = StateFolder(tmp_path / "services")
    services = Services(tmp_path, state, f"{LOOPBACK}:1", Postgres(LOOPBACK, 2, None, state))
    environment = services.environment()
    password = state.secret(OWNER).read_text(encoding="utf-8")
    passfile = state.root / "secrets" / "pgpass"

    assert password not in "".join(environment.values())
    assert environment["PGPASSFILE"] == str(passfile)
    assert passfile.read_text(encoding="utf-8") == f"{LOOPBACK}:*:*:*:{password}\n"
    assert passfile.stat().st_mode & 0o077 == 0
    assert (environment["PGHOST"], environment["PGPORT"]) == (LOOPBACK, "2")
    assert environment["KAFKA_SERVERS"] == f"{LOOPBACK}:1"
