"""The rebuild compares every mart with its events, and writes what differs."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.shell.rebuild import rebuild
from scripted_database import ScriptedDatabase

if TYPE_CHECKING:
    from scripted_database import Rows

RETENTION = "WHERE query = 'retention'"
TOTALS = "ops.ledger_by_shard"


def _one(_: object) -> Rows:
    return [(1,)]


def test_rebuild_counts_changes() -> None:
    """Each table has the number of its deleted and written rows, or of its keys that differed."""
    database = ScriptedDatabase(
        {
            "DELETE FROM mart.sessions AS": [(1,)] * 2,
            "CREATE TEMPORARY TABLE wrong": _one,
            "INSERT INTO mart.": _one,
            "DELETE FROM ops.ledger_by_shard": [(4,)],
        }
    )

    changed = rebuild(database.connection())

    assert list(changed) == [*(mart.table for mart in MARTS), TOTALS]
    assert changed.pop("mart.sessions") == 3
    assert changed.pop(TOTALS) == 4
    assert set(changed.values()) == {1}
    assert database.ends == ["commit"]


def test_locks_come_first() -> None:
    """Batches and retention wait before anything is read or written."""
    database = ScriptedDatabase()

    rebuild(database.connection())

    texts = [text for text, _ in database.statements]
    first = next(at for at, text in enumerate(texts) if "CREATE TEMPORARY TABLE" in text)
    locks = [at for at, text in enumerate(texts) if "LOCK TABLE ops.batches" in text]
    days = [at for at, text in enumerate(texts) if "hashtext('raw.events.days')" in text]
    asked = [at for at, text in enumerate(texts) if RETENTION in text]
    assert locks < days < asked < [first]


def test_summaries_come_last() -> None:
    """What is computed as a whole follows from marts that are right by then."""
    database = ScriptedDatabase()

    rebuild(database.connection())

    assert database.statements[-1] == ("SELECT mart.refresh_summaries()", None)


def test_every_mart_is_compared() -> None:
    """For each mart, wrong rows are deleted and the wanted ones are put in, in this order."""
    database = ScriptedDatabase()

    rebuild(database.connection())

    steps = [
        text.split()[2]
        for text, _ in database.statements
        if text.startswith(("DELETE FROM", "INSERT INTO"))
    ]
    assert steps == [mart.written_table for mart in MARTS for _ in range(2)]
    assert len(database.executed("DROP TABLE wanted")) == len(MARTS)


@pytest.mark.parametrize(
    ("since", "until", "dropped", "values"),
    [
        (None, None, [], {"since": "-infinity", "until": "infinity"}),
        (date(2026, 1, 2), date(2026, 1, 3), [],
         {"since": date(2026, 1, 2), "until": date(2026, 1, 3)}),
        (date(2026, 1, 2), None, [(date(2026, 1, 4),)],
         {"since": date(2026, 1, 4), "until": "infinity"}),
        (date(2026, 1, 6), None, [(date(2026, 1, 4),)],
         {"since": date(2026, 1, 6), "until": "infinity"}),
        (None, None, [(date(2026, 1, 4),)], {"since": date(2026, 1, 4), "until": "infinity"}),
    ],
)  # fmt: skip
def test_range_excludes_dropped_days(
    since: date | None, until: date | None, dropped: Rows, values: dict[str, object]
) -> None:
    """A rebuild begins at the first kept day at the earliest."""
    database = ScriptedDatabase({RETENTION: dropped})

    rebuild(database.connection(), since, until)

    given = database.executed("CREATE TEMPORARY TABLE wanted")
    assert given
    assert all(row == values for row in given)


def test_dropped_days_spare_marts() -> None:
    """Where days were dropped, a mart of all times that needs their events is left alone."""
    database = ScriptedDatabase({RETENTION: [(date(2026, 1, 4),)]})

    changed = rebuild(database.connection())

    spared = {mart.table for mart in MARTS if not mart.time and mart.kept_by}
    assert spared == {"mart.dim_product_versions"}
    assert set(changed) == {TOTALS, *(mart.table for mart in MARTS)} - spared


def test_failure_changes_nothing() -> None:
    """All is one transaction, which is rolled back as a whole."""
    database = ScriptedDatabase({"INSERT INTO mart.dim_user": ValueError("no")})

    with pytest.raises(ValueError, match="no"):
        rebuild(database.connection())

    assert database.ends == ["rollback"]
