"""Making records: a run resumed from snapshots or made from a record is the same run."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.making import Maker, begin_run
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.core.snapshot import dump_snapshot, load_snapshot
from clickstream_generator.errors import WorldChanged
from run_records import begun, run_record, shared_worlds
from simulations import RUN_ID, START_SECONDS, simulation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickstream_generator.core.run_record import RunRecord

FAULTY = simulation(
    more="  stopAfter: {events: 4000}\n"
    "  faults: {latePermille: 50, duplicatePermille: 50, maxLatenessSeconds: 1}\n",
    users=400,
)
HOUR = 3_600.0


_SPAN = "at: 20s, for: 30s"
_LIMITED = "  stopAfter: {events: 16000}\n  faults: {duplicatePermille: 50}\n"
_RATE = "{eventsPerSecond: 200}"
LOSING = simulation(
    _RATE,
    more=f"{_LIMITED}  incidents:\n"
    f"    - {{name: one, kind: TrackingLost, who: {{devices: [mobile]}}, {_SPAN}}}\n",
    users=4_000,
)


@pytest.fixture(autouse=True, scope="module")
def _worlds() -> Iterator[None]:
    with shared_worlds():
        yield


def _made(maker: Maker, number: int, shard_seq: int) -> list[bytes]:
    """Return a shard's records up to an event, all acknowledged."""
    found: list[bytes] = []
    while len(events := maker.simulator.replay(number, shard_seq)):
        planted = maker.make(events, 0)
        maker.count_sent(planted.sent_by_shard)
        maker.acknowledge(planted.tally, planted.sent_by_shard, {number: shard_seq})
        found += [value or b"" for value, _ in planted.records]
    return found


def _late(maker: Maker, number: int, reached: float) -> list[bytes]:
    found = []
    for late in maker.take_late([maker.carried[number]], reached, 0):
        maker.acknowledge(late.tally, {number: 1}, {})
        maker.close(late)
        found.append(late.record[0] or b"")
    return found


def _restored(record: RunRecord, maker: Maker, number: int) -> Maker:
    kept = {number: load_snapshot(dump_snapshot(maker.carried[number].snapshot()))}
    return begin_run(Simulator(record.first, (0, 1, 2, 3), RUN_ID), record, kept)


def test_restored_maker_makes_the_same() -> None:
    """Records, late records and ledger entries equal those of the uninterrupted maker."""
    record, maker = begun(FAULTY)
    _made(maker, 2, 500)
    other = _restored(record, maker, 2)

    assert _made(other, 2, 1000) == _made(maker, 2, 1000)
    late = _late(maker, 2, float("inf"))
    assert _late(other, 2, float("inf")) == late
    assert late
    entries = [
        each.ledger_records([each.carried[2]], START_SECONDS, is_end=True)
        for each in (maker, other)
    ]
    assert entries[0] == entries[1]
    assert sum(row["events"] for row in entries[0]) == 1000


def test_lost_tracking_only_omits_records() -> None:
    """The records are those without the incident, in order, but for whole sessions of its users."""
    plain = simulation(_RATE, more=_LIMITED, users=4_000)
    without, within = (_made(begun(first)[1], 1, 4_000) for first in (plain, LOSING))

    sent = set(within)
    assert within == [value for value in without if value in sent]
    gone = [json.loads(value) for value in without if value not in sent]
    lost = {row["session_id"] for row in gone}
    assert {row["device"] for row in gone} == {"mobile"}
    assert not lost & {json.loads(value)["session_id"] for value in within}
    began = {
        row["session_id"]: datetime.fromisoformat(row["event_time"]).timestamp() - START_SECONDS
        for row in gone
        if row["event_name"] == "session_start"
    }
    assert began.keys() == lost
    # A session begins up to a round of the shard beside the time of its first event.
    assert min(began.values()) > 20 - 3
    assert max(began.values()) < 50 + 3
    last = max(datetime.fromisoformat(row["event_time"]).timestamp() for row in gone)
    assert last - START_SECONDS > 60


def test_lost_tracking_survives_a_restart() -> None:
    """A run resumed within the incident loses the same events, each counted once."""
    record, maker = begun(LOSING)
    _made(maker, 1, 3_000)
    other = _restored(record, maker, 1)

    assert _made(other, 1, 4_000) == _made(maker, 1, 4_000)
    entries = [
        each.ledger_records([each.carried[1]], START_SECONDS, is_end=True)
        for each in (maker, other)
    ]
    assert entries[0] == entries[1]
    lost = sum(row["lost_faults"] for row in entries[0])
    assert lost > 100
    assert sum(row["events"] for row in entries[0]) == 4_000 - lost


def test_late_record_waits_for_its_time() -> None:
    """Late records come once each, when the run has reached their time."""
    _, maker = begun(FAULTY)
    _made(maker, 0, 1000)

    assert _late(maker, 0, START_SECONDS) == []
    soon = _late(maker, 0, START_SECONDS + 1)
    rest = _late(maker, 0, START_SECONDS + HOUR)
    assert soon
    assert rest
    assert len({*soon, *rest}) == len(soon) + len(rest)


def test_late_record_has_own_sent_at() -> None:
    """A late record has the moment at which it leaves, not that of its making."""
    _, maker = begun(FAULTY)
    _made(maker, 0, 1000)

    late = next(maker.take_late([maker.carried[0]], float("inf"), 86_400_000))
    value = late.record[0] or b""
    assert value.endswith(b'"sent_at":"1970-01-02T00:00:00.000Z"}')


def test_old_minutes_are_forgotten() -> None:
    """A published minute goes after hours, unless figures of it are on their way."""
    _, maker = begun()
    _made(maker, 0, 1000)
    carried = maker.carried[0]
    minutes = carried.ledger.minutes
    minute_ms = min(minutes)

    maker.ledger_records([carried], START_SECONDS + HOUR)
    assert minute_ms in minutes
    in_flight = [{(0, minute_ms): minutes[minute_ms]}]
    maker.ledger_records([carried], START_SECONDS + 9 * HOUR, in_flight)
    assert minute_ms in minutes
    maker.ledger_records([carried], START_SECONDS + 9 * HOUR)
    assert minute_ms not in minutes


@pytest.mark.parametrize(
    ("lateness_seconds", "minutes"), [(60, 120), (7_081, 120), (14_400, 242), (14_459, 242)]
)
def test_minutes_stay_open_for_late_events(lateness_seconds: int, minutes: int) -> None:
    """A minute stays for two hours, or for the longest delay and two minutes."""
    more = f"  faults: {{maxLatenessSeconds: {lateness_seconds}}}\n"
    _, maker = begun(simulation(more=more, users=400))
    _made(maker, 0, 10)
    carried = maker.carried[0]
    (minute_ms,) = carried.ledger.minutes

    for reached_ms, is_open in ((minutes * 60_000, True), (minutes * 60_000 + 1_000, False)):
        maker.ledger_records([carried], (minute_ms + reached_ms) / 1_000)
        assert (minute_ms in carried.ledger.minutes) == is_open


def test_entry_has_its_shards_target() -> None:
    """The target rate is an equal part of the run's; the end of a shard has an entry if wanted."""
    _, maker = begun(simulation("{eventsPerSecond: 30}", users=400))
    _made(maker, 0, 10)

    rows = maker.ledger_records([maker.carried[0]], START_SECONDS)
    assert {row["kind"] for row in rows} == {"minute"}
    assert {row["target_milli_per_second"] for row in rows} == {30_000 // 4}


def test_revisions_of_a_record_hold() -> None:
    """A run that begins with its revisions makes the same events as one that gets them later."""
    first = simulation("{eventsPerSecond: 400}", users=400)
    moments = (START_SECONDS + 2.2, START_SECONDS + 4.4)
    revisions = tuple(
        Revision(moment, moment, simulation(f"{{eventsPerSecond: {rate}}}", users=400))
        for moment, rate in zip(moments, (800, 200), strict=True)
    )
    record, edited = begun(first)
    parts: list[list[bytes]] = [[]]
    for revision in revisions:
        events = edited.simulator.take_due(revision.until_seconds, 10**6)
        parts.append(edited.simulator.encoder.encode(events, 0).values)
        edited.simulator.revise(revision)
    events = edited.simulator.take_due(START_SECONDS + 9, 10**6)
    parts.append(edited.simulator.encoder.encode(events, 0).values)

    again = begin_run(run_record(first)[1], replace(record, revisions=revisions))
    whole = []
    while len(events := again.simulator.take_due(START_SECONDS + 9, 10**6)):
        whole += again.simulator.encoder.encode(events, 0).values
    assert sorted(whole) == sorted(value for part in parts for value in part)


def test_taken_revision_is_not_taken_twice() -> None:
    """A shard restored behind a revision does not take it again, and takes the next one."""
    first = simulation("{eventsPerSecond: 400}", users=400)
    moments = (START_SECONDS + 1.1, START_SECONDS + 5.5)
    revisions = tuple(
        Revision(moment, moment, simulation("{eventsPerSecond: 800}", users=400))
        for moment in moments
    )
    record = replace(run_record(first)[0], revisions=revisions)
    maker = begin_run(run_record(first)[1], record)
    _made(maker, 0, 200)
    other = _restored(record, maker, 0)

    assert maker.simulator.shards[0].schedule.start_seconds == moments[0]
    assert [row.from_seconds for row, _ in other.simulator.shards[0].pending] == [moments[1]]
    assert [row.from_seconds for row, _ in other.simulator.shards[1].pending] == [*moments]
    assert _made(other, 0, 2000) == _made(maker, 0, 2000)


def test_decided_end_holds() -> None:
    """A run whose end is decided makes no event behind it."""
    record, simulator = run_record()
    ended = replace(record, ends_at={0: 3, 1: 0, 2: 2, 3: 2})
    maker = begin_run(simulator, ended)

    assert len(maker.simulator.take_due(START_SECONDS + HOUR, 10**6)) == 7
    assert maker.simulator.is_over()


def test_changed_world_is_refused() -> None:
    """A record of another world is not made again."""
    record, simulator = run_record()
    other = replace(record.fingerprint, world="other")

    with pytest.raises(WorldChanged):
        begin_run(simulator, replace(record, fingerprint=other))
