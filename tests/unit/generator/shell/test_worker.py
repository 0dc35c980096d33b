"""The worker: it sends due events, publishes the ledger, and applies changes."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from clickstream_contract.document import dump_simulation
from clickstream_contract.schemas import avro_schema
from clickstream_contract.topics import SHARDS
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.lease import Claim
from clickstream_generator.core.run_record import RunRecord
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.errors import DrainTimeout, ShardTaken, SnapshotUnusable
from clickstream_generator.shell.clock import Clock
from clickstream_generator.shell.shard_log import Position, StoredShard, claim_row
from clickstream_generator.shell.telemetry import Telemetry
from simulations import RUN_ID, START_SECONDS, simulation
from worker_runs import LOOK_SECONDS, NUMBERS, MemoryBroker, WorkerRun

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_contract.simulation import Simulation
    from clickstream_generator.core.faults import Record
    from clickstream_generator.core.snapshot import Snapshot
    from clickstream_generator.shell.sink import Batch


@pytest.fixture
def telemetry() -> Telemetry:
    """Return the figures that the worker shows."""
    return Telemetry()


def _figure(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(f"clickstream_generator_{name}", labels)


def test_ledger_has_its_topic(tmp_path: Path, telemetry: Telemetry) -> None:
    """The ledger goes to the simulation's topic, and to no other."""
    more = "  output: {topic: shop, ledgerTopic: shop-ledger}\n  stopAfter: {events: 50}\n"
    run = WorkerRun(tmp_path, telemetry, simulation(more=more, users=400))

    run.run()

    assert run.broker.topics == {"shop-ledger", SHARDS.name}


class _Bytes(MemoryBroker):
    """A broker that keeps events as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[bytes] = []

    def send(self, records: list[Record], batch: Batch) -> None:
        """Store values."""
        self.values += [value or b"" for value, _ in records]
        self._flying.append(batch)


def test_records_have_the_encoding(tmp_path: Path, telemetry: Telemetry) -> None:
    """Every event leaves in the simulation's encoding, late ones too, and the ledger counts it."""
    more = (
        "  output: {topic: shop, ledgerTopic: shop-ledger, encoding: avro}\n"
        "  stopAfter: {events: 200}\n  faults: {latePermille: 200, maxLatenessSeconds: 1}\n"
    )
    broker = _Bytes()
    run = WorkerRun(tmp_path, telemetry, simulation(more=more, users=400), broker)

    run.run()

    schema = fastavro.parse_schema(avro_schema())
    found: list[Any] = [
        fastavro.schemaless_reader(BytesIO(value), schema, None) for value in broker.values
    ]
    assert len({event["event_id"] for event in found}) == len(found) == 200
    ledgers = [row.ledger for row in run.carried.values()]
    assert sum(row.records_acknowledged for row in ledgers) == 200


@pytest.mark.parametrize("room", [10**9, 2])
def test_history_keeps_every_event(tmp_path: Path, telemetry: Telemetry, room: int) -> None:
    """However far history is ahead of the broker, the final ledger has every event.

    Late ones too, where the broker has no room for all of them at the end.
    """
    wanted = simulation(
        "{eventsPerMinute: 30}",
        "  backfill: {days: 3}\n  stopAfter: {events: 3000}\n"
        "  faults: {latePermille: 20, maxLatenessSeconds: 60}\n",
        users=400,
    )
    run = WorkerRun(tmp_path, telemetry, wanted, MemoryBroker(room))

    run.run()

    assert sum(row["events"] for row in run.broker.minutes.values()) == 3_000


def test_finished_run_closes_its_ledger(tmp_path: Path, telemetry: Telemetry) -> None:
    """At the end every event is sent once, each shard has its last record, and all is shown."""
    wanted = simulation("{eventsPerSecond: 50}", "  stopAfter: {events: 201}\n", users=400)
    run = WorkerRun(tmp_path, telemetry, wanted)

    run.run()

    assert sorted((row["shard"], row["shard_seq"]) for row in run.broker.events) == [
        (shard, seq) for shard in NUMBERS for seq in range(1, 51 + (shard == 0))
    ]
    assert run.broker.kinds.count("shard_end") == 4
    assert all(position.is_over for position in run.broker.positions.values())
    assert run.broker.positions[0] == Position(51, is_over=True, records=51)
    assert _figure(telemetry, "shards_over") == 4
    assert _figure(telemetry, "delivered_records") == 201
    assert _figure(telemetry, "records_acknowledged_total") == 201
    assert _figure(telemetry, "active_sessions") is not None
    assert telemetry.is_ready


def test_ledger_has_the_full_name(tmp_path: Path, telemetry: Telemetry) -> None:
    """Events and ledger name the simulation with its namespace."""
    wanted = simulation("{eventsPerSecond: 50}", "  stopAfter: {events: 20}\n", users=400)
    run = WorkerRun(tmp_path, telemetry, wanted.model_copy(update={"namespace": "blue"}))

    run.run()

    rows = [*run.broker.events, *run.broker.minutes.values()]
    assert {row["simulation"] for row in rows} == {"blue/tested"}


def test_stopped_run_ends(tmp_path: Path, telemetry: Telemetry) -> None:
    """A stopped run sends the events it has made, and is over."""
    run = WorkerRun(tmp_path, telemetry, simulation("{eventsPerSecond: 50}", users=400), None, 10)

    run.run()

    assert 300 < len(run.broker.events) <= 50 * (10 + LOOK_SECONDS)
    assert run.broker.kinds.count("shard_end") == 4
    assert _figure(telemetry, "target_events_per_second") == 50
    assert _figure(telemetry, "busy_seconds_total") != 0


def test_paused_run_releases_its_shards(tmp_path: Path, telemetry: Telemetry) -> None:
    """A run that is paused says up to where all is acknowledged, and ends no shard."""
    wanted = simulation("{eventsPerSecond: 50}", users=400)
    run = WorkerRun(tmp_path, telemetry, wanted, None, 10, on_stop="pause")

    run.run()

    assert "shard_end" not in run.broker.kinds
    assert all(position.is_released for position in run.broker.positions.values())
    for number, position in run.broker.positions.items():
        made = [row["shard_seq"] for row in run.broker.events if row["shard"] == number]
        assert position.shard_seq == max(made)
    assert not telemetry.is_ready


@pytest.mark.parametrize("on_stop", ["end", "pause"])
def test_end_waits_for_inherited_events(tmp_path: Path, telemetry: Telemetry, on_stop: str) -> None:
    """A run ends after all events that an earlier holder may have sent; a pause may come before."""
    wanted = simulation("{eventsPerSecond: 50}", users=400)
    run = WorkerRun(tmp_path, telemetry, wanted, None, 5, on_stop=on_stop)
    run.hold.lease.inherited_until = START_SECONDS + 40

    run.run()

    made = len(run.broker.events)
    assert made > 50 * 39 if on_stop == "end" else made < 50 * 20


def test_end_does_not_wait_forever(tmp_path: Path, telemetry: Telemetry) -> None:
    """A stopped worker that cannot send an earlier holder's events in time does not end the run."""
    wanted = simulation("{eventsPerSecond: 50}", users=400)
    run = WorkerRun(tmp_path, telemetry, wanted, MemoryBroker(is_silent=True))
    run.worker._settings = replace(run.worker._settings, drain_seconds=5.0)
    run.hold.lease.inherited_until = START_SECONDS + 40
    run.stop.set()

    with pytest.raises(DrainTimeout):
        run.run()

    assert "shard_end" not in run.broker.kinds


def test_finished_run_is_not_paused(tmp_path: Path, telemetry: Telemetry) -> None:
    """A run that is over is closed, also where a stop would mean a pause."""
    wanted = simulation("{eventsPerSecond: 50}", "  stopAfter: {events: 10}\n", users=400)
    run = WorkerRun(tmp_path, telemetry, wanted, on_stop="pause")

    run.run()

    assert run.broker.kinds.count("shard_end") == 4


def test_silent_broker_times_out(tmp_path: Path, telemetry: Telemetry) -> None:
    """Records without acknowledgement when time is up are an error with their number."""
    wanted = simulation("{eventsPerSecond: 50}", users=400)
    run = WorkerRun(tmp_path, telemetry, wanted, MemoryBroker(is_silent=True))
    run.worker._settings = replace(run.worker._settings, drain_seconds=5.0)
    run.stop.set()

    with pytest.raises(DrainTimeout) as caught:
        run.run()

    assert caught.value.seconds == 5.0
    assert caught.value.waiting == run.broker.in_flight() > 0


def test_changed_rate_takes_effect(tmp_path: Path, telemetry: Telemetry) -> None:
    """A change of the file is announced, applied and counted."""
    run = WorkerRun(tmp_path, telemetry, simulation("{eventsPerSecond: 50}", users=400), None, 30)
    run.write(simulation("{eventsPerSecond: 200}", users=400))

    run.run()

    assert _figure(telemetry, "spec_changes_total", outcome="accepted") == 1
    assert len(run.broker.events) > 3_000
    assert _figure(telemetry, "target_events_per_second") == 200


def test_ledger_has_the_record(tmp_path: Path, telemetry: Telemetry) -> None:
    """The worker of shard 0 publishes the simulation and each edit, with its simulated time."""
    first = simulation("{eventsPerSecond: 50}", users=400)
    edited = simulation("{eventsPerSecond: 200}", users=400)
    run = WorkerRun(tmp_path, telemetry, first, None, 30)
    run.write(edited)

    run.run()

    records = [RunRecord.from_json(row["run_record"], "ledger") for row in run.broker.revisions]
    assert [record.first for record in records] == [first, first]
    ((), (revision,)) = (record.revisions for record in records)
    assert (revision.simulation, records[0].start_seconds) == (edited, START_SECONDS)
    assert {0} == {row["shard"] for row in run.broker.revisions}
    assert run.carried[0].shard.applied == [revision.to_json()]


def test_ledger_has_the_truth(tmp_path: Path, telemetry: Telemetry) -> None:
    """The worker of shard 0 publishes each incident that begins, and each arm of an experiment."""
    more = (
        "  stopAfter: {events: 600}\n"
        "  incidents: [{name: early, kind: SlowPages, at: 2s, for: 1m}]\n"
        "  experiments: [{name: button, arms: [{name: control}, {name: other}]}]\n"
    )
    run = WorkerRun(tmp_path, telemetry, simulation("{eventsPerSecond: 50}", more, users=400))

    run.run()

    records = [json.loads(row["run_record"]) for row in run.broker.revisions]
    arms = [row for record in records for row in record.get("experiments", [])]
    incidents = [row for record in records for row in record.get("incidents", [])]
    assert len(records) == 1 + len(arms) + len(incidents)
    assert [row["incident"] for row in incidents] == ["early"]
    # The incident begins and ends a range of the run; only the first two are reached.
    assert [(row["arm"], row["from_seconds"] - START_SECONDS) for row in arms] == [
        ("control", 0), ("other", 0), ("control", 2), ("other", 2),
    ]  # fmt: skip
    assert [row["lift"] for row in arms] == [None, 0, None, 0]


def test_other_workers_publish_no_record(tmp_path: Path, telemetry: Telemetry) -> None:
    """A worker without shard 0 leaves the record to the one that carries it."""
    over = {0: StoredShard(Position(51, is_over=True, records=51))}
    wanted = simulation("{eventsPerSecond: 50}", "  stopAfter: {events: 201}\n", users=400)
    run = WorkerRun(tmp_path, telemetry, wanted, stored=over)

    run.run()

    assert run.broker.kinds.count("shard_end") == 3
    assert run.broker.revisions == []


def test_later_change_waits(tmp_path: Path, telemetry: Telemetry) -> None:
    """A change with ``effectiveFrom`` takes effect then."""
    run = WorkerRun(tmp_path, telemetry, simulation("{eventsPerSecond: 50}", users=400), None, 20)
    text = dump_simulation(simulation("{eventsPerSecond: 200}", users=400))
    later = "  annotations: {clickstream.dev/effective-from: 2025-11-24T16:01:00Z}\n"
    run.path.write_text(text.replace("spec:\n", later + "spec:\n", 1), encoding="utf-8")

    run.run()

    assert _figure(telemetry, "spec_changes_total", outcome="accepted") == 1
    assert len(run.broker.events) <= 21 * 50


@pytest.mark.parametrize("text", ["users", "a: 1"])
def test_impossible_change_is_refused(tmp_path: Path, telemetry: Telemetry, text: str) -> None:
    """An invalid change is counted once, and the previous specification stays in effect."""
    first = simulation("{eventsPerSecond: 50}", users=400)
    run = WorkerRun(tmp_path, telemetry, first, None, 10)
    other = dump_simulation(simulation("{eventsPerSecond: 200}", users=500))
    run.path.write_text(other if text == "users" else text, encoding="utf-8")

    run.run()

    assert _figure(telemetry, "spec_changes_total", outcome="refused") == 1
    assert _figure(telemetry, "spec_changes_total", outcome="accepted") is None
    assert run.file.simulation == first
    assert len(run.broker.events) <= 50 * (10 + LOOK_SECONDS)


def test_overload_is_shed(tmp_path: Path, telemetry: Telemetry) -> None:
    """With Shed, events over a second late are left out and counted."""
    wanted = simulation("{eventsPerSecond: 50, onOverload: Shed}", users=400)
    run = WorkerRun(tmp_path, telemetry, wanted, None, 30)
    run.worker._clock.seconds += 20  # type: ignore[attr-defined]

    run.run()

    shed = _figure(telemetry, "shed_events_total")
    assert shed is not None
    assert shed > 900
    assert len(run.broker.events) < 600
    for number in NUMBERS:
        made = [row["shard_seq"] for row in run.broker.events if row["shard"] == number]
        assert made == list(range(1, len(made) + 1))


def test_overload_is_caught_up(tmp_path: Path, telemetry: Telemetry) -> None:
    """With CatchUp, overdue events are sent late."""
    run = WorkerRun(tmp_path, telemetry, simulation("{eventsPerSecond: 50}", users=400), None, 30)
    run.worker._clock.seconds += 20  # type: ignore[attr-defined]

    run.run()

    assert _figure(telemetry, "shed_events_total") == 0
    assert len(run.broker.events) > 1_300


def test_suspended_time_is_left_out(tmp_path: Path, telemetry: Telemetry) -> None:
    """Events due while a simulation was suspended are not sent."""
    run = WorkerRun(tmp_path, telemetry, simulation("{eventsPerSecond: 50}", users=400), None, 30)
    run.file.simulation = run.file.simulation.model_copy(
        update={"resumed_at_seconds": START_SECONDS + 20}
    )
    run.worker._clock.seconds += 20  # type: ignore[attr-defined]

    run.run()

    assert _figure(telemetry, "shed_events_total") == pytest.approx(1_000, abs=4)
    assert len(run.broker.events) < 600


def _snapshots(first: Simulation) -> list[Snapshot]:
    """Return the shards' snapshots at the start of a run."""
    shards = Simulator(first, NUMBERS, RUN_ID).begin(START_SECONDS)
    return [shards[number].snapshot() for number in NUMBERS]


def test_newest_specification_is_announced(tmp_path: Path, telemetry: Telemetry) -> None:
    """Restored shards may carry different specifications; the newest is announced to all."""
    first, changed = simulation(), simulation("{eventsPerSecond: 50}")
    revision = Revision(START_SECONDS + 5, START_SECONDS + 5, changed)
    snapshots = _snapshots(first)
    stored = {
        0: StoredShard(Position(0), snapshots[0]),
        1: StoredShard(Position(0, revisions=(revision,)), snapshots[1]),
    }
    run = WorkerRun(tmp_path, telemetry, first, stored=stored)
    run.write(changed)
    run.file.refresh(START_SECONDS)

    run.worker.resume()
    run.worker._look_for_change(START_SECONDS + 1)

    assert run.worker._keeper.announced is not None
    assert run.worker._keeper.announced.simulation.spec == changed.spec


def test_acknowledged_events_are_not_repeated(tmp_path: Path, telemetry: Telemetry) -> None:
    """A resumed shard sends the event after the last acknowledged one, and counts all."""
    wanted = simulation("{eventsPerSecond: 50}", "  stopAfter: {events: 200}\n", users=400)
    stored = {
        0: StoredShard(Position(30), _snapshots(wanted)[0], generation=4),
        1: StoredShard(Position(50, is_over=True, records=50)),
    }
    run = WorkerRun(tmp_path, telemetry, wanted, stored=stored)

    run.worker.resume()
    run.run()

    sent = [row["shard_seq"] for row in run.broker.events if row["shard"] == 0]
    assert sent == list(range(31, 51))
    assert _figure(telemetry, "resumed_shards") == 1
    assert _figure(telemetry, "delivered_records") == 50 + 150
    figures = [row["events"] for key, row in run.broker.minutes.items() if key.startswith("0 ")]
    assert sum(figures) == 50


def test_lost_snapshot_is_named(tmp_path: Path, telemetry: Telemetry) -> None:
    """A shard that has sent events does not begin again without its snapshot."""
    run = WorkerRun(tmp_path, telemetry, simulation("{eventsPerSecond: 50}", users=400))
    run.hold.stored[0] = StoredShard(Position(0))
    run.worker.resume()

    run.hold.stored[1] = StoredShard(Position(70))
    with pytest.raises(SnapshotUnusable, match="shard 1 has sent 70 events, but has no"):
        run.worker.resume()


def test_decided_end_is_kept(tmp_path: Path, telemetry: Telemetry) -> None:
    """A shard whose holder had decided its end gets no event beyond, and its last record."""
    wanted = simulation("{eventsPerSecond: 50}", users=400)
    stored = {
        number: StoredShard(Position(30, ends_at=40), snapshot)
        for number, snapshot in enumerate(_snapshots(wanted))
    }
    run = WorkerRun(tmp_path, telemetry, wanted, stored=stored)

    run.worker.resume()
    run.run()

    assert sorted((row["shard"], row["shard_seq"]) for row in run.broker.events) == [
        (shard, seq) for shard in NUMBERS for seq in range(31, 41)
    ]
    assert run.broker.kinds.count("shard_end") == 4


def test_taken_shard_ends_the_worker(tmp_path: Path, telemetry: Telemetry) -> None:
    """A worker that reads another's claim makes no event more, and closes no ledger."""
    run = WorkerRun(tmp_path, telemetry, simulation("{eventsPerSecond: 50}", users=400))
    sent: list[int] = []

    def claim() -> None:
        if not sent and len(run.broker.events) > 100:
            sent.append(len(run.broker.events))
            run.broker.log.add(claim_row(RUN_ID, Claim(2, 2, "other")))

    run.broker.log.on_poll = claim

    with pytest.raises(ShardTaken, match="shard 2"):
        run.run()

    assert [len(run.broker.events)] == sent
    assert "shard_end" not in run.broker.kinds


def test_nothing_is_made_beyond_the_grant(tmp_path: Path, telemetry: Telemetry) -> None:
    """While heartbeats are not read back, only what was granted is made."""
    run = WorkerRun(tmp_path, telemetry, simulation("{eventsPerSecond: 50}", users=400), None, 60)
    run.worker._settings = replace(run.worker._settings, drain_seconds=5.0)

    def lose_heartbeats() -> None:
        if len(run.broker.events) > 100:
            run.broker.log.records.clear()

    run.broker.log.on_poll = lose_heartbeats

    with pytest.raises(DrainTimeout):
        run.run()

    granted_seconds = run.hold.lease.granted_until - START_SECONDS
    assert granted_seconds < 20
    assert len(run.broker.events) <= 50 * granted_seconds + len(NUMBERS)


def test_clock_follows_the_wall() -> None:
    """The clock shows Unix time and never goes back."""
    clock = Clock()

    first, second = clock.now(), clock.now()

    assert first == pytest.approx(time.time(), abs=60)
    assert second >= first
