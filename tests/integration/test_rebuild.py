"""A rebuild beside batches that change the same rows: neither loses what the other writes."""

from __future__ import annotations

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event
from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.shell import partition as partition_module
from clickstream_streaming.shell import rebuild as rebuild_module
from clickstream_streaming.shell.rebuild import rebuild
from pipeline import wait_until
from visits import visit, write_share

if TYPE_CHECKING:
    from clickstream_streaming.core.pieces import Piece
    from clickstream_streaming.core.sql.mart import Mart
    from clickstream_streaming.shell.batch import BatchTask
    from clickstream_streaming.shell.rebuild import _Found
    from databases import Database
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

pytestmark = pytest.mark.services

_PATIENCE_SECONDS = 60.0
_WRITTEN = ", ".join(mart.written_table for mart in MARTS)


def _falsify(database: Database) -> None:
    """Change a value of every mart that batches only change if it is less or greater."""
    database.ask(
        "UPDATE mart.user_day SET hours = 16777215;"
        " UPDATE mart.dim_user SET first_seen_at = '2019-01-01';"
        " UPDATE mart.dim_product_versions_by_writer"
        " SET first_seen_at = '2019-01-01', last_seen_at = '2021-01-01';"
        " UPDATE mart.fact_orders SET ordered_at = '2019-01-01';"
        " UPDATE mart.sessions SET events = events + 1;"
        " UPDATE mart.traffic_hour_by_writer SET events = events + 1; SELECT 1"
    )


def _is_right(database: Database) -> bool:
    return not any(rebuild(database.owner).values())


@pytest.mark.parametrize("change", [f"TRUNCATE {_WRITTEN}; SELECT 1", None])
def test_batches_come_between(
    database: Database, monkeypatch: pytest.MonkeyPatch, change: str | None
) -> None:
    """Batches after each snapshot, about rows that are being compared, are in every mart."""
    write_share(database.settings, 0, 0, visit(1, 1))
    batches = itertools.count(1)
    times: Counter[str] = Counter()
    compare, add = rebuild_module._compare, rebuild_module._add

    def write_visits(mart: Mart) -> None:
        times[mart.table] += 1
        if times[mart.table] <= 2:
            batch_id = next(batches)
            for user in (1, batch_id + 1):  # a known user, and a new one
                write_share(database.settings, batch_id, user, visit(user, 2 * batch_id + 1))

    def compare_then_write(cursor: Cursor, mart: Mart, pieces: list[Piece]) -> _Found:
        found = compare(cursor, mart, pieces)
        write_visits(mart)
        return found

    def write_then_add(cursor: Cursor, mart: Mart) -> int:
        write_visits(mart)
        return add(cursor, mart)

    database.ask(change) if change else _falsify(database)
    with monkeypatch.context() as patch:
        patch.setattr(rebuild_module, "_compare", compare_then_write)
        patch.setattr(rebuild_module, "_add", write_then_add)
        assert any(rebuild(database.owner).values())

    assert set(times) == {mart.table for mart in MARTS}
    assert _is_right(database)


def test_changed_rows_are_left(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that a batch changes after its comparison never has its older state again."""
    write_share(database.settings, 0, 0, visit(1, 1))
    _falsify(database)
    batches = itertools.count(1)
    compare, wait_for_batches = rebuild_module._compare, rebuild_module._wait_for_batches
    events: list[int] = []

    def compare_then_write(cursor: Cursor, mart: Mart, pieces: list[Piece]) -> _Found:
        found = compare(cursor, mart, pieces)
        if mart.table == "mart.sessions" and not events:
            batch_id = next(batches)
            write_share(database.settings, batch_id, 0, visit(1, 2 * batch_id + 1))
        return found

    def look_then_wait(connection: Connection) -> None:
        events.extend(database.ask("SELECT events FROM mart.sessions"))
        wait_for_batches(connection)

    monkeypatch.setattr(rebuild_module, "_compare", compare_then_write)
    monkeypatch.setattr(rebuild_module, "_wait_for_batches", look_then_wait)
    rebuild(database.owner)

    assert events[:2] == [5, 4]  # as the batch left it, one too many, and then corrected


def test_running_batch_is_awaited(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that has left rows alone, because they were wrong, is compared after its end."""
    write_share(database.settings, 0, 0, visit(1, 1))
    _falsify(database)
    has_written, may_commit = Event(), Event()
    wait_for_batches = rebuild_module._wait_for_batches

    def hold(task: BatchTask, place: str) -> None:
        if (task.batch_id, place) == (1, "before_sink_commit"):
            has_written.set()
            assert may_commit.wait(_PATIENCE_SECONDS)

    def release_then_wait(connection: Connection) -> None:
        may_commit.set()
        wait_for_batches(connection)

    monkeypatch.setattr(partition_module, "_failpoint", hold)
    monkeypatch.setattr(rebuild_module, "_wait_for_batches", release_then_wait)
    later = [one.replace(b"T12:", b"T09:") for one in visit(1, 3)]
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write_share, database.settings, 1, 0, later)
        assert has_written.wait(_PATIENCE_SECONDS)
        rebuild(database.owner)
        writing.result()

    assert may_commit.is_set()
    assert _is_right(database)
    assert database.ask("SELECT hours FROM mart.user_day") == (1 << 9 | 1 << 12,)


def test_rows_of_running_batch_are_left(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebuild waits for no row that a batch has locked, or inserts at the same time."""
    write_share(database.settings, 0, 0, visit(1, 1))
    database.ask(f"TRUNCATE {_WRITTEN}; SELECT 1")
    has_written, may_commit = Event(), Event()

    def hold(task: BatchTask, place: str) -> None:
        if (task.batch_id, place) == (1, "before_sink_commit"):
            has_written.set()
            assert may_commit.wait(_PATIENCE_SECONDS)

    monkeypatch.setattr(partition_module, "_failpoint", hold)
    monkeypatch.setattr(rebuild_module, "_wait_for_batches", lambda _: None)
    monkeypatch.setattr(rebuild_module, "_ROUNDS", 2)
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(write_share, database.settings, 1, 0, visit(1, 3))
        assert has_written.wait(_PATIENCE_SECONDS)
        with closing(database.connect()) as connection:
            rebuilding = pool.submit(rebuild, connection)
            # Only the last comparison, under the lock, waits for the batch.
            wait_until(
                lambda: rebuilding.done() or _waits_for_batches(database), "batches are locked out"
            )
            may_commit.set()
            rebuilding.result()
        writing.result()

    assert _is_right(database)


def _waits_for_batches(database: Database) -> bool:
    return bool(
        database.ask(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ExclusiveLock'"
            " AND relation = 'ops.batches'::regclass"
        )[0]
    )


def test_last_comparison_is_exact(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """While batches wait, wrong, missing and surplus rows are all corrected at once."""
    write_share(database.settings, 0, 0, visit(1, 1))
    write_share(database.settings, 1, 0, visit(2, 3))
    _falsify(database)
    database.ask("DELETE FROM mart.sessions WHERE user_id = 'u2'; SELECT 1")
    database.ask("INSERT INTO mart.user_day VALUES ('2020-01-01', 'shop', 'ghost', 1); SELECT 1")
    monkeypatch.setattr(rebuild_module, "_ROUNDS", 0)

    assert any(rebuild(database.owner).values())

    assert _is_right(database)
