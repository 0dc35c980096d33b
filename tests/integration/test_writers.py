"""Writers of several partitions at the same time, each in a separate transaction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.shell import partition as partition_module
from clickstream_streaming.shell.rebuild import rebuild
from visits import visit, write_share

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickstream_streaming.shell.batch import BatchTask
    from databases import Database

pytestmark = pytest.mark.services

_WRITERS = 4
_PATIENCE_SECONDS = 60.0
_BATCH = 1
"""The batch that all writers write at the same time; the batch before makes the run known."""
_FIGURES = """
SELECT (SELECT count(*) FROM raw.events), (SELECT sum(events) FROM mart.traffic_minute),
    (SELECT sum(events) FROM mart.sessions_hour), (SELECT sum(stored_events) FROM ops.shards),
    (SELECT sum(events) FROM ops.latency_buckets), (SELECT sum(visitors) FROM mart.visitors_hour),
    (SELECT sum(orders) FROM mart.product_pairs), (SELECT sum(records) FROM ops.quality_minute)
"""


def _write_all(database: Database, shares: list[list[bytes]]) -> None:
    """Write the shares of a batch at the same time, each as a partition."""
    with ThreadPoolExecutor(len(shares)) as pool:
        write = partial(write_share, database.settings, _BATCH)
        list(pool.map(write, range(len(shares)), shares))


def _meeting(writers: int) -> Callable[[BatchTask, str], None]:
    """Return a failpoint at which writers meet before they commit; it fails if one is missing."""
    barrier = Barrier(writers)

    def meet(task: BatchTask, place: str) -> None:
        if (task.batch_id, place) == (_BATCH, "before_sink_commit"):
            barrier.wait(_PATIENCE_SECONDS)

    return meet


def test_writers_do_not_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers of different users have all written every row before the first of them commits."""
    write_share(database.settings, 0, 0, visit(9, 1))
    monkeypatch.setattr(partition_module, "_failpoint", _meeting(_WRITERS))

    _write_all(database, [visit(user, 10 * user) for user in range(1, _WRITERS + 1)])

    events = 2 * (_WRITERS + 1)
    assert database.ask(_FIGURES) == (
        events, events, events, events, events, _WRITERS + 1, _WRITERS + 1, 2 * (_WRITERS + 1),
    )  # fmt: skip
    assert set(rebuild(database.owner).values()) == {0}


def test_writers_with_one_number_wait(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without different numbers, writers would wait for each other: the meeting shows it."""
    write_share(database.settings, 0, 0, visit(9, 1))
    monkeypatch.setattr(partition_module, "_failpoint", _meeting(2))
    monkeypatch.setattr(f"{__name__}._PATIENCE_SECONDS", 3.0)
    same = "SELECT set_config('clickstream.writer', '0', true)"
    monkeypatch.setattr(partition_module, "CLAIM_WRITER", same)

    with pytest.raises(BrokenBarrierError):
        _write_all(database, [visit(user, 10 * user) for user in (1, 2)])


def test_user_in_many_partitions(database: Database) -> None:
    """Events of one session that come in several partitions at once are all counted once."""
    write_share(database.settings, 0, 0, visit(9, 1))

    _write_all(database, [visit(1, 10 * part) for part in range(1, _WRITERS + 1)])

    events = 2 * (_WRITERS + 1)
    assert database.ask(_FIGURES)[:6] == (events, events, events, events, events, 2)
    assert database.ask("SELECT count(*), max(events) FROM mart.sessions") == (2, 2 * _WRITERS)
    assert set(rebuild(database.owner).values()) == {0}
