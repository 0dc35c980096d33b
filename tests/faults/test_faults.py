"""Faults on the running pipeline: whatever is killed, cut or filled, the verification is clean.

``--kills N`` decides how often, ``--results FILE`` where figures go; the tables in
``docs/faults.md`` are made from them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from breakages import (
    CutInCopy,
    FillDisk,
    ForgetConnections,
    KillKafka,
    KillPostgres,
    KillStreaming,
    Part,
    SetClock,
)
from clickstream_contract.events import MAX_EVENT_BYTES
from clickstream_contract.quality import KEPT_BYTES
from clickstream_streaming.core.sample import sample_event
from deliveries import Alter, Check, DieOver, ExpireRecords, LoseCheckpoint, Refuse, Replay
from pipeline import SIMULATION
from poison import poison
from scenario import Drain, Load, Produce, Wait, is_right, play, shuffled

if TYPE_CHECKING:
    from pipeline import Pipeline
    from scenario import Action, Stage

pytestmark = [pytest.mark.services, pytest.mark.timeout(5_400)]

_STEADY = SIMULATION.replace("eventsPerSecond: 1000", "eventsPerSecond: 400").replace(
    "  stopAfter: {events: 3000}\n", ""
)
_FAULTY = _STEADY + (
    "  faults: {duplicatePermille: 20, latePermille: 10, maxLatenessSeconds: 3,"
    " corruptPermille: 10, lossPermille: 5}\n"
)
_AGAIN = r"cannot (write|finalize) batch .*, retrying: "


def _kills(request: pytest.FixtureRequest) -> int:
    """Return how many kills a scenario has: a third of what a generator's test has."""
    return max(3, int(request.config.getoption("--kills")) // 3)


@pytest.fixture
def results(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where figures are written."""
    return Path(request.config.getoption("--results") or tmp_path / "results.jsonl")


@pytest.mark.parametrize("often", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_job_is_killed(
    pipeline: Pipeline, request: pytest.FixtureRequest, results: Path, *, often: bool
) -> None:
    """F3: at any moment; often also right after the sink's commit, and right before it."""
    points = ("after_sink_commit", "before_sink_commit", "")
    kills = _kills(request) if often else 0
    armed = [KillStreaming(points[at % len(points)]) for at in range(kills)]
    steps: list[Action] = [Load(_FAULTY)]
    for kill in (*armed, KillStreaming()):
        steps += [Wait(1), kill]

    assert is_right(play(pipeline, "F3 kill -9 of the job", [*steps, Drain()], results), 120)


@pytest.mark.slow
def test_broker_is_killed(
    pipeline: Pipeline, request: pytest.FixtureRequest, results: Path
) -> None:
    """F4: under load."""
    kills = _kills(request)
    steps: list[Action] = [Load(_FAULTY), *shuffled([KillKafka()] * kills, seed=4), Drain()]

    assert is_right(play(pipeline, "F4 kill -9 of the broker", steps, results), 90)


@pytest.mark.slow
def test_database_is_killed(
    pipeline: Pipeline, request: pytest.FixtureRequest, results: Path
) -> None:
    """F5: under load."""
    kills = _kills(request)
    steps: list[Action] = [Load(_FAULTY), *shuffled([KillPostgres()] * kills, seed=5), Drain()]

    assert is_right(play(pipeline, "F5 kill -9 of PostgreSQL", steps, results), 60)


def test_copy_is_reset_halfway(pipeline: Pipeline, results: Path) -> None:
    """F6: a reset in the middle of COPY; the batch is written as a whole."""
    steps: list[Action] = [Load(_FAULTY), Wait(1), CutInCopy(), Wait(1), CutInCopy(), Drain()]

    assert is_right(play(pipeline, "F6 connection reset in mid-COPY", steps, results), 60)


@pytest.mark.slow
def test_database_connections_are_half_open(pipeline: Pipeline, results: Path) -> None:
    """F6: connections are half-open; both ends detect it in time, and the stream continues."""
    steps: list[Action] = [Load(_FAULTY), Wait(1), ForgetConnections("postgres", _AGAIN), Drain()]

    figures = play(pipeline, "F6 half-open to PostgreSQL", steps, results)

    assert is_right(figures, 60)
    assert max(figures.detect_seconds) < 30


@pytest.mark.slow
def test_broker_connections_are_half_open(pipeline: Pipeline, results: Path) -> None:
    """F6: the same towards Kafka; the client of each partition detects it at a different time."""
    steps: list[Action] = [Load(_FAULTY), Wait(1), ForgetConnections("kafka"), Drain()]

    assert is_right(play(pipeline, "F6 half-open to Kafka", steps, results), 150)


@pytest.mark.slow
def test_both_services_are_unreachable(pipeline: Pipeline, results: Path) -> None:
    """F7: PostgreSQL goes first and comes back first, Kafka follows."""
    steps: list[Action] = [Load(_FAULTY), Wait(1), Part(("postgres", "kafka"), _AGAIN), Drain()]

    assert is_right(play(pipeline, "F7 parted from both, swizzled", steps, results), 90)


@pytest.mark.parametrize(
    ("name", "component"),
    [
        ("postgres", "postgres"),
        pytest.param("kafka", "kafka", marks=pytest.mark.slow),
        pytest.param("checkpoints", "streaming", marks=pytest.mark.slow),
    ],
)
def test_disk_is_full(pipeline: Pipeline, results: Path, name: str, component: str) -> None:
    """F8: the error is logged, no batch is final without its rows, and free space heals it."""
    if not pipeline.disks[name].is_mounted:
        pytest.skip(f"NOT RUN: F8 disk full: {name}: only root may mount a disk to be filled")
    steps: list[Action] = [Load(_FAULTY), Wait(1), FillDisk(name, component), Drain()]

    assert is_right(play(pipeline, f"F8 disk full: {name}", steps, results), 120)


_LATE = "SELECT sum(late_events) FROM ops.shards"
_REJECTED = "SELECT count(*) FROM ops.rejected_events"
_STORED = "SELECT count(*) FROM raw.events"


@pytest.mark.slow
def test_stream_clock_is_set(pipeline: Pipeline, results: Path) -> None:
    """F9: ahead, back and right again; the broker's clock decides what is late or in the future."""
    before = pipeline.count(_LATE)

    def none_is_late(stage: Stage) -> str:
        assert stage.pipeline.count(_LATE) == before
        return "0 events late or dropped"

    steps: list[Action] = [
        Load(_FAULTY),
        Wait(1),
        SetClock(("+1d", "-1h", "+0")),
        Drain(),
        Check(none_is_late),
    ]

    assert is_right(play(pipeline, "F9 the stream's clock is set", steps, results), 90)


def test_generator_clock_is_behind(pipeline: Pipeline, results: Path) -> None:
    """F9: an hour-old run is stored, and its events are on time by the watermarks of their run."""
    before = {}

    def note(stage: Stage) -> str:
        before["late"] = stage.pipeline.count(_LATE)
        return ""

    def none_is_late(stage: Stage) -> str:
        assert stage.pipeline.count(_LATE) == before["late"]
        stored = stage.pipeline.count(f"{_STORED} WHERE run_id = '{stage.pipeline.run_id}'")
        return f"{stored} stored, 0 late by the run's own watermark"

    steps: list[Action] = [
        Load(SIMULATION), Drain(), Check(note),  # beside the watermark of another run
        Load(SIMULATION, clock_off_seconds=-3_600), Drain(), Check(none_is_late),
    ]  # fmt: skip

    assert is_right(play(pipeline, "F9 a generator's clock is an hour behind", steps, results))


@pytest.mark.slow
def test_future_event_drops_no_other(pipeline: Pipeline, results: Path) -> None:
    """F10: an event of the far future is rejected before it can move the watermark."""
    far = json.dumps(sample_event("page_view") | {"event_time": "2199-01-01T00:00:00.000Z"})
    steps: list[Action] = [Load(_STEADY), Wait(1), Produce((far.encode(),)), Wait(1), Drain()]

    assert is_right(play(pipeline, "F10 an event of the far future", steps, results))


def _kept(value: bytes | None) -> tuple[bytes | None, int | None]:
    """Return the stored bytes of a reject's value, and the length of the value."""
    if value is None:
        return None, None
    is_whole = len(value) <= MAX_EVENT_BYTES
    return value if is_whole else value[:KEPT_BYTES], len(value)


def test_poison_is_rejected(pipeline: Pipeline, results: Path) -> None:
    """F10: each kind of invalid record is one reject with its reason; oversized ones are cut."""
    kinds = poison()
    before = pipeline.count(_REJECTED)

    def one_reject_each(stage: Stage) -> str:
        rows = stage.pipeline.rows(
            "SELECT payload, payload_bytes, reason FROM ops.rejected_events WHERE key = 'poison'"
        )
        found = {
            (None if kept is None else bytes(kept), length): reason for kept, length, reason in rows
        }
        assert {name: found.get(_kept(value)) for name, (value, _) in kinds.items()} == {
            name: reason for name, (_, reason) in kinds.items()
        }
        rejects = stage.pipeline.count(_REJECTED) - before
        assert rejects == len(kinds) + 1
        return f"{rejects} kinds, one reject each"

    records = Produce(tuple(value for value, _ in kinds.values()), b"poison")
    keyless = Produce((b"no key",), None)
    steps: list[Action] = [
        Load(_STEADY),
        Wait(1),
        records,
        keyless,
        Wait(2),
        Drain(),
        Check(one_reject_each),
    ]

    assert is_right(play(pipeline, "F10 poison of every kind", steps, results))


def test_events_and_tables_change(pipeline: Pipeline, results: Path) -> None:
    """F11: newer and older events are read, and tables expand and contract, under load."""
    run_id = str(uuid4())
    newer = sample_event("session_start") | {"run_id": run_id, "loyalty_tier": "gold"}
    older = {name: value for name, value in newer.items() if name not in {"referrer", "campaign"}}
    events = tuple(
        json.dumps(event | {"event_id": str(uuid4())}).encode() for event in (newer, older)
    )
    alter = Alter(
        expand=(
            "ALTER TABLE mart.sessions ADD COLUMN margin_minor bigint",
            # In the order of the writers, so that no two wait for each other.
            (
                "WITH one AS (SELECT session_id FROM mart.sessions ORDER BY session_id FOR UPDATE)"
                " UPDATE mart.sessions AS known SET margin_minor = known.revenue_minor / 2"
                " FROM one WHERE known.session_id = one.session_id"
            ),
            "ALTER TABLE raw.events ADD COLUMN margin_minor bigint",
        ),
        contract=(
            "ALTER TABLE raw.events DROP COLUMN IF EXISTS margin_minor",
            "ALTER TABLE mart.sessions DROP COLUMN IF EXISTS margin_minor",
        ),
    )
    rejected = pipeline.count(_REJECTED)

    def both_are_read(stage: Stage) -> str:
        stage.figures.strangers.append(run_id)
        assert stage.pipeline.count(f"{_STORED} WHERE run_id = '{run_id}'") == 2
        assert stage.pipeline.count(_REJECTED) == rejected
        return "0 rejects, 0 s away"

    steps: list[Action] = [
        Load(_STEADY),
        Wait(1),
        Produce(events),
        alter,
        Drain(),
        Check(both_are_read),
    ]

    assert is_right(play(pipeline, "F11 events and tables change", steps, results), 60)


@pytest.mark.slow
def test_replayed_records_are_stored_once(pipeline: Pipeline, results: Path) -> None:
    """F13: duplicates are stored once."""
    steps: list[Action] = [Load(_STEADY), Wait(3), Replay(), Wait(1), Drain()]

    assert is_right(play(pipeline, "F13 a tenth of the records again", steps, results))


def _events_of(run_id: str, count: int, ago: timedelta) -> tuple[bytes, ...]:
    """Return events of a run without a ledger, each in another session."""
    time = (datetime.now(tz=UTC) - ago).isoformat(timespec="milliseconds")
    event = sample_event("page_view") | {
        "run_id": run_id,
        "event_time": time.replace("+00:00", "Z"),
    }
    ids = [{"event_id": str(uuid4()), "session_id": str(uuid4())} for _ in range(count)]
    return tuple(json.dumps(event | one).encode() for one in ids)


@pytest.mark.slow
def test_late_events_are_counted(pipeline: Pipeline, results: Path) -> None:
    """F14: each late event counts once, even if the job dies before the batch is final."""
    run_id = str(uuid4())
    before = {}

    def note(stage: Stage) -> str:
        stage.figures.strangers.append(run_id)
        before["late"] = stage.pipeline.count(_LATE)
        return ""

    def all_are_late(stage: Stage) -> str:
        late = stage.pipeline.count(_LATE) - before["late"]
        stored = stage.pipeline.count(f"{_STORED} WHERE run_id = '{run_id}'")
        assert (late, stored) == (900, 901)
        return f"{late} planted beyond the watermark, {late} counted"

    steps: list[Action] = [
        Load(SIMULATION), Drain(), Check(note),
        Produce(_events_of(run_id, 1, timedelta())), Drain(),  # now the run has a watermark
        DieOver(Produce(_events_of(run_id, 900, timedelta(hours=2)))), Drain(),
        Check(all_are_late),
    ]  # fmt: skip

    assert is_right(play(pipeline, "F14 late events", steps, results))


@pytest.mark.slow
def test_checkpoints_are_refused_or_replaced(pipeline: Pipeline, results: Path) -> None:
    """F15: a broken or foreign checkpoint is an error, and a lost one causes no loss."""
    steps: list[Action] = [
        Load(_STEADY),
        Wait(1),
        Refuse(
            "clickstream-fingerprint.json",
            lambda text: json.dumps(json.loads(text) | {"schema": "older"}),
            "schema: older there",
        ),
        Refuse("offsets", lambda text: text[:20], "is not as Spark writes it"),
        LoseCheckpoint(),
        Drain(),
    ]

    assert is_right(play(pipeline, "F15 checkpoint foreign, broken, lost", steps, results), 120)


@pytest.mark.slow
def test_unread_records_expire(pipeline: Pipeline, results: Path) -> None:
    """F16: the stream ends with an error, and starts from the beginning only after a decision."""
    steps: list[Action] = [Load(SIMULATION), Drain(), ExpireRecords(), Load(SIMULATION), Drain()]

    assert is_right(play(pipeline, "F16 records expired before they were read", steps, results))
