"""The bytes of old rejects are deleted; their rows and counts stay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from clickstream_local.postgres import WRITER
from clickstream_local.rejects import list_rejects
from clickstream_streaming.shell.verification import run_checks
from psycopg2 import errors

if TYPE_CHECKING:
    from clickstream_streaming.shell.verification import VerificationReport
    from databases import Database

pytestmark = pytest.mark.services

_AGE = """
UPDATE ops.rejected_events SET kafka_timestamp = '2020-01-01', key = repeat('k', 50)::bytea
WHERE kafka_offset < 2
"""
_LEFT = """
SELECT count(*), count(payload), max(length(key)) FILTER (WHERE payload IS NULL)
FROM ops.rejected_events
"""


def _fill(database: Database) -> None:
    """Store three rejects, two of them of a day that is over."""
    database.write([b"one", b"two", b"three"])
    database.ask(_AGE + "RETURNING 1")


def _forget(database: Database, before_day: str, at_most: int = 100) -> tuple[object, ...]:
    """Call the function as the writer."""
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute(f'SET LOCAL SESSION AUTHORIZATION "{WRITER}"')
        cursor.execute("SELECT ops.forget_payloads(%s, %s)", (before_day, at_most))
        return cursor.fetchone() or ()


def test_old_payloads_are_forgotten(database: Database) -> None:
    """The bytes of rejects before the day are deleted, except the start of their keys."""
    _fill(database)

    assert _forget(database, "2020-01-02") == (2,)
    assert _forget(database, "2020-01-02") == (0,)

    assert database.ask(_LEFT) == (3, 1, 36)


def _found(database: Database) -> VerificationReport:
    """Verify, and sort the examples: their order is not fixed."""
    with database.owner, database.owner.cursor() as cursor:
        report = run_checks(cursor)
    return replace(report, examples=tuple(sorted(report.examples)))


def test_verification_finds_no_difference(database: Database) -> None:
    """A verification finds the same with the bytes and without them."""
    _fill(database)
    before = _found(database)

    _forget(database, "2020-01-02")

    assert _found(database) == before


def test_forgotten_rejects_are_not_listed(database: Database) -> None:
    """A reject without its bytes cannot be sent again."""
    _fill(database)

    _forget(database, "2020-01-02")

    assert [row.payload for row in list_rejects(database.owner, None, 10)] == [b"three"]


def test_each_call_is_bounded(database: Database) -> None:
    """A call deletes the bytes of the oldest rejects, up to a limit."""
    _fill(database)

    assert _forget(database, "2020-01-02", 1) == (1,)


def test_days_to_come_are_refused(database: Database) -> None:
    """Bytes of the present day cannot be deleted."""
    with pytest.raises(errors.RaiseException, match="are not over yet"):
        _forget(database, "2999-01-01")
