"""The generator as a process: kills, moves, changes and outages lose or duplicate no event."""

from __future__ import annotations

import json
import operator
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import fastavro
import losing_generator
import psutil
import pytest
from clickstream_contract.document import EFFECTIVE_FROM, RESUMED_AT
from clickstream_contract.rate import OnOverload
from clickstream_contract.schemas import avro_schema
from clickstream_contract.topics import EVENTS, LEDGER, SHARDS
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.partitions import partitions_of
from clickstream_generator.core.run_record import RunRecord
from confluent_kafka import Producer
from foreign_readers import object_of
from generators import Broker, GeneratorRun, four_shards, reference, soon, timeless
from pipeline import wait_until
from run_folders import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from databases import Database
    from generators import Worker


pytestmark = pytest.mark.services

_ENDLESS = 10**9
_NOTICE_SECONDS = 10
"""Time between an edit and its effect; every worker reads the file each second."""


def _soon() -> tuple[float, str]:
    """Return the start of a run, in seconds and as the setting has it."""
    moment = soon()
    return moment.timestamp(), moment.isoformat()


def _is_whole(run: GeneratorRun, start_seconds: float) -> None:
    """Check that topic and ledger hold exactly the events of an undisturbed run."""
    expected = reference(run.simulation, run.run_id, start_seconds)
    found = set(map(timeless, run.events()))
    assert len(found - expected) == 0
    assert len(expected - found) == 0
    ledger = run.ledger()
    ends = [row for (_, kind, _), row in ledger.items() if kind == "shard_end"]
    minutes = [row for (_, kind, _), row in ledger.items() if kind == "minute"]
    assert len(ends) == run.simulation.spec.shards
    assert sum(row["shard_seq"] for row in ends) == len(expected)
    assert sum(row["events"] for row in minutes) == len(expected)
    bought = sum(b'"event_name":"purchase"' in value for value in expected)
    assert sum(row["purchase_events"] for row in minutes) == bought


@pytest.mark.parametrize("often", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_killed_run_equals_undisturbed_run(
    begin: Callable[..., GeneratorRun], pytestconfig: pytest.Config, *, often: bool
) -> None:
    """``kill -9`` at random moments under load adds, loses and changes no event."""
    kills = int(pytestconfig.getoption("--kills")) if often else 2
    rate = 4_000 if often else 2_000
    start_seconds, start_time = _soon()
    late = "  faults: {latePermille: 20, maxLatenessSeconds: 3}\n"
    run = begin(four_shards(rate, rate * 15 * kills, late), start_time=start_time)
    moments = random.Random(7)  # noqa: S311  moments to kill at, not secrets
    for _ in range(kills):
        worker = run.start()
        worker.wait_until_sent(0)
        time.sleep(moments.random() * 2)  # the moment is the point here, not a condition
        worker.kill()
    worker = run.start()
    worker.must_end(300)

    _is_whole(run, start_seconds)


def test_other_topics_get_the_run(broker: Broker, begin: Callable[..., GeneratorRun]) -> None:
    """A killed run with another output is whole in its topics, and in no other."""
    start_seconds, start_time = _soon()
    output = "  output: {topic: shop.events, ledgerTopic: shop.ledger}\n"
    run = begin(four_shards(2_000, 20_000, output), start_time=start_time)
    before = broker.ends()
    broker.add_topic("shop.events", 3)
    refused = run.start()
    refused.must_end(60, code=3)
    assert "topic shop.ledger: Broker: Unknown topic" in refused.process.log_file.read_text("utf-8")
    broker.add_topic("shop.ledger", 1)
    worker = run.start()
    worker.wait_until_sent(0)
    worker.kill()
    worker = run.start()
    worker.must_end(120)

    _is_whole(run, start_seconds)
    assert broker.ends() == before


def test_worker_sends_a_form(broker: Broker, begin: Callable[..., GeneratorRun]) -> None:
    """A killed run in another form has each event's conversion, and its ledger is whole."""
    start_seconds, start_time = _soon()
    output = "  output: {topic: segment, ledgerTopic: segment-ledger, form: segment}\n"
    for topic in ("segment", "segment-ledger"):
        broker.add_topic(topic, 1)
    run = begin(four_shards(1_000, 10_000, output), start_time=start_time)
    worker = run.start()
    worker.wait_until_sent(0)
    worker.kill()
    worker = run.start()
    worker.must_end(120)

    expected = {
        json.loads(value)["event_id"]: json.loads(value)["user_id"]
        for value in reference(run.simulation, run.run_id, start_seconds)
    }
    found = [json.loads(value or b"") for _, value in broker.read("segment")]
    assert {row["messageId"]: row["userId"] for row in found} == expected
    ledger = run.ledger()
    assert sum(row["events"] for (_, kind, _), row in ledger.items() if kind == "minute") == 10_000


def _unsent(event: Any) -> dict[str, Any]:  # noqa: ANN401  a decoded record
    """Return an event without ``sent_at``."""
    return {name: value for name, value in event.items() if name != "sent_at"}


def test_worker_sends_avro(broker: Broker, begin: Callable[..., GeneratorRun]) -> None:
    """Fastavro reads the events of a killed run, late ones too, and its ledger is whole."""
    start_seconds, start_time = _soon()
    more = (
        "  output: {topic: avro, ledgerTopic: avro-ledger, encoding: avro}\n"
        "  faults: {latePermille: 20, maxLatenessSeconds: 3}\n"
    )
    for topic in ("avro", "avro-ledger"):
        broker.add_topic(topic, 2)
    run = begin(four_shards(1_000, 10_000, more), start_time=start_time)
    worker = run.start()
    worker.wait_until_sent(0)
    worker.kill()
    worker = run.start()
    worker.must_end(120)

    schema = fastavro.parse_schema(avro_schema())
    read = (
        object_of(fastavro.schemaless_reader(BytesIO(value or b""), schema, None))
        for _, value in broker.read("avro")
    )
    found = {json.dumps(_unsent(event), sort_keys=True) for event in read}
    expected = {
        json.dumps(_unsent(json.loads(value)), sort_keys=True)
        for value in reference(run.simulation, run.run_id, start_seconds)
    }
    assert len(found - expected) == 0
    assert len(expected - found) == 0
    minutes = [row for (_, kind, _), row in run.ledger().items() if kind == "minute"]
    assert sum(row["events"] for row in minutes) == len(expected) == 10_000


@pytest.mark.slow
def test_two_workers_continue_for_four(
    begin: Callable[..., GeneratorRun],
) -> None:
    """Any worker resumes shards where they were."""
    start_seconds, start_time = _soon()
    run = begin(four_shards(2_000, 40_000), start_time=start_time, on_stop="pause")
    four = [run.start(str(number)) for number in range(4)]
    for worker in four:
        worker.wait_until_sent(1_500)
    for worker in four:
        worker.process.process.terminate()
    for worker in four:
        worker.must_end(60)
    two = [run.start(shards) for shards in ("0,3", "1-2")]

    for worker in two:
        worker.must_end(120)
    _is_whole(run, start_seconds)
    copies = Counter(map(timeless, run.events()))
    assert max(copies.values()) == 1, "a clean handover sends nothing twice"
    again = run.start()
    again.must_end(60)  # a run that is over ends at once


def _edit(run: GeneratorRun, workers: list[Worker], rate: int) -> Revision:
    """Edit the rate as the operator does: for a moment by which every worker has read it."""
    accepted = 'spec_changes_total{outcome="accepted"}'
    before = [worker.answered().get(accepted, 0.0) for worker in workers]
    moment = float(int(time.time()) + _NOTICE_SECONDS)
    edited = four_shards(rate, _ENDLESS)
    effective = datetime.fromtimestamp(moment, UTC).isoformat()
    run.write(edited, {EFFECTIVE_FROM: effective})

    def is_taken_up() -> bool:
        after = [worker.metrics()[accepted] for worker in workers]
        return time.time() > moment and all(map(operator.gt, after, before))

    wait_until(is_taken_up, "each worker takes the edit up")
    return Revision(moment, moment, edited)


def _command(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, check=False)
    assert not done.returncode, done.stderr.decode(errors="replace")
    return done.stdout.decode()


@pytest.mark.slow
def test_moved_run_is_made_again(
    begin: Callable[..., GeneratorRun], database: Database, tmp_path: Path
) -> None:
    """Three edits, two kills and a move of shards: the record makes the same events (sha256)."""
    start_seconds, start_time = _soon()
    first = four_shards(1_000, _ENDLESS)
    run = begin(first, start_time=start_time, on_stop="pause")
    workers = [run.start("0-1"), run.start("2-3")]
    for worker in workers:
        worker.wait_until_sent(0)
    revisions = [_edit(run, workers, 2_000)]
    workers[0].kill()
    workers[0] = run.start("0-1")
    workers[0].wait_until_sent(0)
    revisions.append(_edit(run, workers, 500))
    for worker in workers:
        worker.process.process.terminate()
    for worker in workers:
        worker.must_end(60)
    moved = ("0,3", "1-2")
    workers = [run.start(shards, on_stop="end") for shards in moved]
    for worker in workers:
        worker.wait_until_sent(0)
    revisions.append(_edit(run, workers, 3_000))
    workers[1].kill()
    workers[1] = run.start(moved[1], on_stop="end")
    workers[1].wait_until_sent(0)
    for worker in workers:
        worker.process.process.terminate()
    for worker in workers:
        worker.must_end(120)

    log = (run.folder / "generator.log").read_text(encoding="utf-8")
    for row in revisions:
        assert log.count(f"takes effect at {row.from_seconds:.3f}") == 2, "each worker was in time"
    truth = tmp_path / "truth"
    named = ("--run-id", str(run.run_id), "--truth", str(truth))
    record = _command("clickstream_local", "record", run.broker.servers, *named)
    assert f"run {run.run_id} of tested is over: 3 revisions" in record
    found = RunRecord.from_json((truth / "run.json").read_text(encoding="utf-8"), "run.json")
    assert [
        (row.until_seconds, row.from_seconds, row.simulation.spec) for row in found.revisions
    ] == [(row.until_seconds, row.from_seconds, row.simulation.spec) for row in revisions]
    assert (found.first, found.start_seconds) == (first, start_seconds)
    entries = [value for _, value in run.broker.read(LEDGER.name) if value and run.owns(value)]
    assert database.write(entries, LEDGER.name)["rejects"] == {}
    (stored,) = database.ask("SELECT record::text FROM ops.runs")
    kept = RunRecord.from_json(stored, "ops.runs")
    assert (kept.first, kept.revisions) == (found.first, found.revisions)
    ends = {
        shard: row["shard_seq"]
        for (shard, kind, _), row in run.ledger().items()
        if kind == "shard_end"
    }
    assert found.ends_at == ends
    again = _command("clickstream_generator.command", "--run", str(truth / "run.json"))
    sent = {timeless(value): value for value in run.events()}
    assert len(sent) == sum(ends.values()) > 10_000
    lines = again.encode().splitlines()
    assert content_hash(lines) == content_hash(list(sent.values()))
    (tmp_path / "stored.jsonl").write_bytes(b"\n".join(sent.values()) + b"\n")
    columns = {name: name for name in ("event_id", "event_time", "user_id", "value_minor")}
    mapping = {
        "truth": {"run": str(truth)},
        "result": {"files": "stored.jsonl", "columns": columns},
    }
    (tmp_path / "mapping.yaml").write_text(json.dumps(mapping), encoding="utf-8")
    judged = _command("clickstream_local", "judge", str(tmp_path / "mapping.yaml"))
    assert "agrees" in judged


def test_shard_has_one_worker(begin: Callable[..., GeneratorRun]) -> None:
    """A worker that starts too early waits for the release, and then continues from there."""
    start_seconds, start_time = _soon()
    run = begin(four_shards(2_000, 60_000), start_time=start_time, on_stop="pause")
    first = run.start("0-3")
    first.wait_until_sent(4_000)
    second = run.start("0-1")
    third = run.start("2-3")
    wait_until(lambda: bool(second.metrics() and third.metrics()), "two others are there")
    before = first.acknowledged()
    first.wait_until_sent(before + 6_000)
    assert second.acknowledged() == third.acknowledged() == 0
    first.process.process.terminate()
    first.must_end(60)

    for worker in (second, third):
        worker.must_end(120)
    _is_whole(run, start_seconds)
    copies = Counter(map(timeless, run.events()))
    assert max(copies.values()) == 1


def test_events_of_a_pause_are_shed(begin: Callable[..., GeneratorRun]) -> None:
    """A suspended run resumes in the present, without a gap in the numbers."""
    simulation = four_shards(2_000, 20_000)
    run = begin(simulation, on_stop="pause")
    first = run.start()
    first.wait_until_sent(4_000)
    first.process.process.terminate()
    first.must_end(60)
    time.sleep(3)  # the pause itself
    resumed = datetime.now(UTC)
    run.write(simulation, {RESUMED_AT: resumed.isoformat()})
    second = run.start()
    wait_until(lambda: second.metrics().get("shed_events_total", 0) > 2_000, "the pause is shed")
    second.must_end(60)

    rows = [_parsed(value) for value in run.events()]
    assert {(row["shard"], row["shard_seq"]) for row in rows} == {
        (shard, seq) for shard in range(4) for seq in range(1, 5_001)
    }
    moments = sorted(datetime.fromisoformat(str(row["event_time"])) for row in rows)
    gap = max((after - before, before) for before, after in pairwise(moments))
    assert gap[0].total_seconds() >= 3
    # Event times are whole milliseconds.
    assert gap[1] + gap[0] > resumed - timedelta(milliseconds=1)
    assert sum(row["events"] for row in run.ledger().values()) == 20_000


def test_finished_worker_waits_to_be_stopped(
    begin: Callable[..., GeneratorRun],
) -> None:
    """A waiting worker shows the delivered records, also if it starts after the end of the run."""
    run = begin(four_shards(2_000, 3_000), on_end="wait", on_stop="pause")
    for _ in range(2):
        worker = run.start()
        wait_until(lambda: worker.metrics().get("shards_over") == 4, "all shards are over")  # noqa: B023
        assert worker.answered()["delivered_records"] == 3_000
        worker.process.process.terminate()
        worker.must_end(60)
    assert len(run.events()) == 3_000


def test_broker_outage_loses_nothing(begin: Callable[..., GeneratorRun], broker: Broker) -> None:
    """During an outage of the broker the queue is bounded; afterwards everything is sent."""
    start_seconds, start_time = _soon()
    run = begin(four_shards(4_000, 60_000), start_time=start_time, queue_records=10_000)
    worker = run.start()
    worker.wait_until_sent(4_000)
    broker.stop()
    try:
        process = psutil.Process(worker.process.process.pid)
        before = process.memory_info().rss
        wait_until(lambda: worker.metrics()["event_lag_seconds"] > 4, "it falls behind")
        # The limit covers events; ledger entries and unread errors come on top.
        assert worker.answered()["queue_messages"] <= 10_000 + 100
        assert process.memory_info().rss - before < 200 * 2**20
    finally:
        broker.start()

    worker.must_end(120)
    _is_whole(run, start_seconds)


def test_lost_brokers_lose_nothing(begin: Callable[..., GeneratorRun], tmp_path: Path) -> None:
    """A worker whose Kafka client has lost all brokers resumes its run in a fresh process."""
    start_seconds, start_time = _soon()
    run = begin(four_shards(1_000, 6_000), start_time=start_time)
    lost = tmp_path / "lost"
    worker = run.start(program=(losing_generator.__file__, str(lost)))
    worker.must_end(120)

    assert lost.exists()
    assert "a fresh process takes over" in (run.folder / "generator.log").read_text("utf-8")
    _is_whole(run, start_seconds)


def test_changed_file_takes_effect(
    begin: Callable[..., GeneratorRun],
) -> None:
    """A changed rate takes effect within 5 s; an invalid one is rejected and changes nothing."""
    simulation = four_shards(1_000, 10**9)
    run = begin(simulation)
    worker = run.start()
    worker.wait_until_sent(1_000)

    faster = four_shards(3_000, 10**9)
    run.write(faster)
    changed = time.time()
    wait_until(
        lambda: worker.metrics()["target_events_per_second"] == 3_000, "the new rate is the target"
    )
    log = (run.folder / "generator.log").read_text(encoding="utf-8")
    holds_from = float(log.rpartition("the new specification takes effect at ")[2].split()[0])
    assert holds_from - changed < 5

    run.write(faster.model_copy(update={"spec": faster.spec.model_copy(update={"users": 9})}))
    wait_until(
        lambda: worker.metrics()['spec_changes_total{outcome="refused"}'] == 1, "it is refused"
    )
    run.file.write_text("no: simulation", encoding="utf-8")
    wait_until(
        lambda: worker.metrics()['spec_changes_total{outcome="refused"}'] == 2, "it is refused"
    )
    assert worker.answered()["target_events_per_second"] == 3_000
    log = (run.folder / "generator.log").read_text(encoding="utf-8")
    assert "spec.users" in log

    worker.kill()
    run.write(faster)
    again = run.start()
    again.wait_until_sent(0)
    assert again.answered()["target_events_per_second"] == 3_000
    again.process.process.terminate()
    again.must_end(60)
    numbers = sorted((row["shard"], row["shard_seq"]) for row in map(_parsed, run.events()))
    for shard in range(4):
        own = {seq for number, seq in numbers if number == shard}
        assert own == set(range(1, max(own) + 1))


def test_planted_faults_keep_the_rate(begin: Callable[..., GeneratorRun]) -> None:
    """Lost and late events count for the rate: the target rate is reached."""
    faults = "  faults: {lossPermille: 300, latePermille: 200, maxLatenessSeconds: 600}\n"
    worker = begin(four_shards(1_000, 10**9, faults)).start()
    wait_until(
        lambda: worker.metrics().get("achieved_events_per_second", 0.0) > 970, "it is reached"
    )
    assert worker.answered()["target_events_per_second"] == 1_000


def _parsed(value: bytes) -> dict[str, int]:
    row: dict[str, int] = json.loads(value)
    return row


def test_absent_broker_is_named(begin: Callable[..., GeneratorRun], tmp_path: Path) -> None:
    """Without a broker the process ends with the setting to check, and no stack trace."""
    run = begin(four_shards(100, 1_000), bootstrap_servers="127.0.0.1:9")
    worker = run.start()

    worker.must_end(90, code=3)
    log = (tmp_path / "generator.log").read_text(encoding="utf-8")
    assert "CLICKSTREAM_GENERATOR_BOOTSTRAP_SERVERS" in log
    assert "Traceback" not in log


def test_refused_record_ends_the_generator(
    begin: Callable[..., GeneratorRun], broker: Broker, tmp_path: Path
) -> None:
    """The process ends and names the topic's limit; the ledger counts no refused record."""
    # A long timeout, so that the broker's refusal ends the process even if the broker is slow.
    run = begin(four_shards(500, 10_000), drain_seconds=300)
    broker.limit_events(300)
    try:
        run.start().must_end(300, code=3)
    finally:
        broker.limit_events(2_097_152)

    log = (tmp_path / "generator.log").read_text(encoding="utf-8")
    assert "max.message.bytes" in log
    assert "Traceback" not in log
    assert sum(row["events"] for row in run.ledger().values()) == 0


def test_partitions_are_those_of_java(begin: Callable[..., GeneratorRun], broker: Broker) -> None:
    """The client's own murmur2 partitioner, which is Java's, chooses the same partitions."""
    run = begin(four_shards(500, 500))
    run.start().must_end(90)
    keys = [key for key, value in broker.read(EVENTS.name) if value and run.owns(value)]
    ours = partitions_of(keys, EVENTS.partitions).tolist()
    found: list[int | None] = []
    producer = Producer({"bootstrap.servers": broker.servers, "partitioner": "murmur2_random"})
    for key in keys:
        producer.produce(
            EVENTS.name, b"{}", key, on_delivery=lambda _, sent: found.append(sent.partition())
        )
        producer.flush()

    assert len(set(ours)) == EVENTS.partitions
    assert found == ours


@pytest.mark.slow
def test_queue_is_bounded_by_bytes(begin: Callable[..., GeneratorRun], broker: Broker) -> None:
    """With many oversized records and no broker, the queue's byte limit makes the worker wait."""
    start_seconds, start_time = _soon()
    run = begin(
        four_shards(8_000, 80_000, "  faults: {corruptPermille: 1000}\n"), start_time=start_time
    )
    worker = run.start()
    worker.wait_until_sent(1_000)
    broker.stop()
    try:
        wait_until(lambda: worker.metrics()["event_lag_seconds"] > 4, "it falls behind")
        assert worker.answered()["queue_messages"] < 190_000
    finally:
        broker.start()

    worker.must_end(120)
    # Truncated copies have lost their run id.
    found = set(map(timeless, run.events()))
    assert reference(run.simulation, run.run_id, start_seconds) <= found


def test_unreadable_state_is_refused(
    begin: Callable[..., GeneratorRun], broker: Broker, tmp_path: Path
) -> None:
    """An unreadable record with the run's key ends the process with an error."""
    for number, (what, value) in enumerate(
        (("position", b"{}"), ("position", b'"'), ("0/0", b"x"), ("0/0", 11 * b"\0" + b"\1x"))
    ):
        run = begin(four_shards(100, 100))
        producer = Producer({"bootstrap.servers": broker.servers})
        producer.produce(SHARDS.name, value, f"{run.run_id}/0/{what}")
        producer.flush()
        run.start().must_end(60, code=1)
        log = (tmp_path / "generator.log").read_text(encoding="utf-8")
        assert log.count("the stored state of a shard cannot be used") == number + 1
        assert "Traceback" not in log


@pytest.mark.slow
def test_stalled_events_are_shed(begin: Callable[..., GeneratorRun], broker: Broker) -> None:
    """With ``Shed`` a run continues in the present: fewer events, but no gap in their numbers."""
    simulation = four_shards(4_000, 60_000)
    rate = simulation.spec.rate.model_copy(update={"on_overload": OnOverload.SHED})
    spec = simulation.spec.model_copy(update={"rate": rate})
    run = begin(simulation.model_copy(update={"spec": spec}), queue_records=5_000)
    worker = run.start()
    worker.wait_until_sent(4_000)
    broker.stop()
    try:
        wait_until(lambda: worker.metrics()["event_lag_seconds"] > 3, "it falls behind")
    finally:
        broker.start()
    wait_until(lambda: worker.metrics()["shed_events_total"] > 4_000, "it sheds")
    wait_until(lambda: worker.metrics().get("event_lag_seconds", 0.0) < 1, "it is in the present")
    worker.must_end(120)

    rows = {(row["shard"], row["shard_seq"]) for row in map(_parsed, run.events())}
    assert rows == {(shard, seq) for shard in range(4) for seq in range(1, 15_001)}
    assert sum(row["events"] for row in run.ledger().values()) == 60_000
