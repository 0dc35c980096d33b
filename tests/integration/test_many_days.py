"""A verification of many days: PostgreSQL locks all of them at one moment."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from clickstream_local import postgres
from clickstream_local.postgres import OWNER
from clickstream_local.stack import Stack
from clickstream_local.state import StateFolder
from clickstream_streaming.errors import TooFewLocks
from clickstream_streaming.shell import verification
from clickstream_streaming.shell.database import store_rules
from clickstream_streaming.shell.verification import verify
from psycopg2 import errors
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psycopg2.extensions import connection as Connection

pytestmark = [pytest.mark.services, pytest.mark.slow]

_DAYS = 900
_FEW_LOCKS = "10"
"""Of each session: as few for so many days as PostgreSQL's default for some thousand."""
_PORTION = 50
_MAKE = "SELECT ops.ensure_event_partitions(date '2018-01-01' + %s, date '2018-01-01' + %s)"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Return services only for this test."""
    stack = Stack(StateFolder(tmp_path / "state"), Console(quiet=True), lambda _text: None)
    yield stack
    stack.stop()


@contextmanager
def _owner(stack: Stack, monkeypatch: pytest.MonkeyPatch, locks: str) -> Iterator[Connection]:
    """Start PostgreSQL with so many locks for each session, and stop it afterwards."""
    monkeypatch.setitem(postgres._SETTINGS, "max_locks_per_transaction", locks)
    stack.start_postgres()
    with closing(stack.postgres.connect(OWNER)) as connection:
        yield connection
    stack.stop()


def test_many_days_are_verified_or_refused(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too few locks are an error before the first check; the advised setting helps."""
    ours = postgres._SETTINGS["max_locks_per_transaction"]
    with _owner(stack, monkeypatch, _FEW_LOCKS) as owner:
        store_rules(owner)
        for first in range(0, _DAYS, _PORTION):
            with owner, owner.cursor() as cursor:
                cursor.execute(_MAKE, (first, first + _PORTION - 1))

        with monkeypatch.context() as patch:
            patch.setattr(verification, "_has_many_locks", lambda _: False)
            with pytest.raises(errors.OutOfMemory):
                verify(owner)
        with pytest.raises(TooFewLocks, match="a verification of 900 days takes 4350 locks"):
            verify(owner)

    with _owner(stack, monkeypatch, ours) as owner:
        assert verify(owner).is_clean()
