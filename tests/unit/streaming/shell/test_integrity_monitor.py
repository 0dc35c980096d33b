"""The monitor reads figures at intervals and shows them as metrics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg2
import pytest
from clickstream_streaming.errors import DatabaseBehindCheckpoint, DatabaseUnreachable
from clickstream_streaming.shell import integrity_monitor
from clickstream_streaming.shell.integrity_monitor import IntegrityMonitor
from clickstream_streaming.shell.telemetry import Telemetry
from clickstream_streaming.shell.verification import DEFECTS
from scripted_database import Answer, ScriptedDatabase
from stream_settings import stream_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ANSWERS: dict[str, Answer] = {
    "FROM ops.reconciliation": [("shop", 1, 2, 3, 4)],
    "FROM ops.verifications": [(99.5, 1, 2, 3, 4, 5, 6, 7)],
    "mart.order_alarms": [("shop", "mobile", 40), ("shop", "all", 55)],
}


class _Clock:
    """A clock that only a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1_000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """The module's clock."""
    return _Clock(monkeypatch)


def _monitor(
    monkeypatch: pytest.MonkeyPatch, folder: Path, answers: Mapping[str, Answer] = ANSWERS
) -> tuple[IntegrityMonitor, Telemetry, list[ScriptedDatabase]]:
    """Return a monitor, its metrics and the databases that it connects to."""
    opened: list[ScriptedDatabase] = []

    def connect(_: object) -> object:
        opened.append(ScriptedDatabase(answers))
        return opened[-1]

    monkeypatch.setattr(integrity_monitor, "connect", connect)
    telemetry = Telemetry()
    return IntegrityMonitor(stream_settings(folder), telemetry), telemetry, opened


def _integrity(telemetry: Telemetry, defect: str) -> float | None:
    return telemetry.registry.get_sample_value(
        "clickstream_streaming_integrity_defects", {"simulation": "shop", "defect": defect}
    )


@pytest.mark.usefixtures("clock")
def test_disagreements_become_metrics(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each kind of disagreement has a figure, by simulation."""
    monitor, telemetry, opened = _monitor(monkeypatch, tmp_path)

    monitor.update()

    kinds = ("missing", "surplus", "aggregates", "sessions")
    assert [_integrity(telemetry, kind) for kind in kinds] == [1, 2, 3, 4]
    assert opened[0].ends == 2 * ["commit"]


@pytest.mark.usefixtures("clock")
def test_last_verification_becomes_metrics(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last verification's time and defects are shown."""
    monitor, telemetry, _ = _monitor(monkeypatch, tmp_path)

    monitor.update()

    sample = telemetry.registry.get_sample_value
    assert sample("clickstream_streaming_last_verification_timestamp_seconds") == 99.5
    assert [
        sample("clickstream_streaming_verified_defects", {"defect": name}) for name in DEFECTS
    ] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.usefixtures("clock")
def test_no_verification_shows_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before the first verification there is no figure of one."""
    monitor, telemetry, _ = _monitor(monkeypatch, tmp_path, {})

    monitor.update()

    name = "clickstream_streaming_verified_defects"
    assert telemetry.registry.get_sample_value(name, {"defect": "lost"}) is None


@pytest.mark.usefixtures("clock")
def test_update_computes_summaries_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Summary tables that no batch computes any more are computed before the figures are read."""
    monitor, _, opened = _monitor(monkeypatch, tmp_path)

    monitor.update()

    texts = [text for text, _ in opened[0].statements]
    (computed,) = (at for at, text in enumerate(texts) if "mart.refresh_summaries()" in text)
    (shown,) = (at for at, text in enumerate(texts) if "FROM ops.reconciliation" in text)
    assert computed < shown
    assert "last.moment < clock_timestamp() - interval '5 seconds'" in texts[computed]


def test_updates_keep_their_interval(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: _Clock
) -> None:
    """The monitor reads the figures every 15 seconds, on one connection."""
    monitor, _, opened = _monitor(monkeypatch, tmp_path)

    counts = []
    for seconds in (0.0, 14.9, 0.1, 14.9, 0.1):
        clock.seconds += seconds
        monitor.update()
        counts.append(len(opened[0].executed("FROM ops.reconciliation")))

    assert counts == [1, 1, 2, 2, 3]
    assert len(opened) == 1


def test_shortfalls_become_metrics(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: _Clock
) -> None:
    """Once a minute, each alarm's missing orders are shown; an alarm that is over is not."""
    answers = dict(ANSWERS)
    monitor, telemetry, opened = _monitor(monkeypatch, tmp_path, answers)

    def shown() -> list[float | None]:
        return [
            telemetry.registry.get_sample_value(
                "clickstream_streaming_order_shortfall", {"simulation": "shop", "device": device}
            )
            for device in ("mobile", "all")
        ]

    monitor.update()
    assert shown() == [40, 55]

    answers["mart.order_alarms"] = [("shop", "all", 7)]
    clock.seconds += 59.0
    monitor.update()
    assert shown() == [40, 55]
    clock.seconds += 15.0
    monitor.update()
    assert shown() == [None, 7]
    assert len(opened[0].executed("mart.order_alarms")) == 2


def test_slow_updates_are_rare(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: _Clock
) -> None:
    """An update that takes a second runs every 50 seconds: at most a fiftieth of the time."""

    def slow(_: object) -> list[tuple[object, ...]]:
        clock.seconds += 1.0
        return []

    monitor, _, opened = _monitor(monkeypatch, tmp_path, {"FROM ops.reconciliation": slow})
    began = clock.seconds

    monitor.update()
    clock.seconds = began + 49.9
    monitor.update()
    before = len(opened[0].executed("FROM ops.reconciliation"))
    clock.seconds = began + 50.0
    monitor.update()

    assert before == 1
    assert len(opened[0].executed("FROM ops.reconciliation")) == 2


@pytest.mark.parametrize(
    "error",
    [
        psycopg2.OperationalError("gone"),
        psycopg2.InterfaceError("closed"),
        DatabaseUnreachable("db", "no"),
    ],
)
def test_absent_database_is_tried_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: _Clock, error: Exception
) -> None:
    """A lost connection is closed, and a new one is made 15 seconds later."""
    monitor, telemetry, opened = _monitor(monkeypatch, tmp_path, {"FROM ops.reconciliation": error})
    away: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        telemetry,
        "show_unreachable",
        lambda what, *, is_unreachable: away.append((what, is_unreachable)),
    )

    monitor.update()
    clock.seconds += 14.9
    monitor.update()
    assert [database.closed for database in opened] == [1]
    clock.seconds += 0.1
    monitor.update()

    assert [database.closed for database in opened] == [1, 1]
    assert away == [("PostgreSQL", True)] * 2


@pytest.mark.usefixtures("clock")
def test_present_database_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A database that answers is shown as reachable."""
    monitor, telemetry, _ = _monitor(monkeypatch, tmp_path)
    away: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        telemetry,
        "show_unreachable",
        lambda what, *, is_unreachable: away.append((what, is_unreachable)),
    )

    monitor.update()

    assert away == [("PostgreSQL", False)]


@pytest.mark.usefixtures("clock")
def test_wiped_database_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A database that lacks what Spark has committed is refused at the next update."""
    monitor, _, _ = _monitor(monkeypatch, tmp_path)
    folder = tmp_path / "checkpoints" / "events"
    for log in ("offsets", "commits"):
        (folder / log).mkdir(parents=True)
        (folder / log / "4").write_text('v1\n{}\n{"t": {"0": 7}}', encoding="utf-8")
    (folder / "metadata").write_text('{"id": "abc"}', encoding="utf-8")

    with pytest.raises(DatabaseBehindCheckpoint) as caught:
        monitor.update()
    assert caught.value.batch_id == 4


@pytest.mark.usefixtures("clock")
def test_close_gives_connection_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The connection is closed once, and without one there is nothing to close."""
    monitor, _, opened = _monitor(monkeypatch, tmp_path)
    monitor.close()
    monitor.update()

    monitor.close()
    monitor.close()

    assert [database.closed for database in opened] == [1]
