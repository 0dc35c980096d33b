"""The stream's figures as metrics, and its state over HTTP."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from clickstream_contract.metrics import METRICS
from clickstream_streaming.shell.batch import LATENCY_BOUNDS_SECONDS, Outcome
from clickstream_streaming.shell.telemetry import Telemetry

OUTCOME = Outcome(
    topic="t",
    partition=1,
    rows=10,
    skipped=0,
    stored=4,
    duplicates=3,
    late=2,
    rejects={"not_json": 2, "oversized": 1},
    latencies=[(1, 0.2), (3, 1.2)] + [(0, 0.0)] * (len(LATENCY_BOUNDS_SECONDS) - 1),
    max_event_times=[("one", 0, 1_000.5), ("one", 1, 900.0)],
    run_ids=["one"],
    arrived_at=990.0,
    read_seconds=0.5,
    write_seconds=0.25,
)


def _value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(f"clickstream_streaming_{name}", labels)


def test_batch_is_counted() -> None:
    """Each figure of a task's outcome is added to its metric."""
    telemetry = Telemetry()

    telemetry.show_batch([OUTCOME, replace(OUTCOME, partition=2)], 3.0)

    assert _value(telemetry, "input_rows_total", topic="t") == 20
    assert _value(telemetry, "stored_events_total") == 8
    assert _value(telemetry, "duplicate_events_total") == 6
    assert _value(telemetry, "late_events_total") == 4
    assert _value(telemetry, "rejected_events_total", reason="not_json") == 4
    assert _value(telemetry, "rejected_events_total", reason="oversized") == 2
    assert _value(telemetry, "event_time_timestamp_seconds") == 1_000.5


def test_batch_phases_are_timed() -> None:
    """Reading and writing are timed by task, the whole by batch."""
    telemetry = Telemetry()

    telemetry.show_batch([OUTCOME, OUTCOME], 3.0)

    name = "batch_duration_seconds"
    assert _value(telemetry, f"{name}_sum", phase="read") == 1.0
    assert _value(telemetry, f"{name}_sum", phase="write") == 0.5
    assert _value(telemetry, f"{name}_sum", phase="all") == 3.0
    assert _value(telemetry, f"{name}_count", phase="all") == 1


def test_latencies_add_up() -> None:
    """The histogram's buckets are cumulative, and its sum is that of all events."""
    telemetry = Telemetry()

    telemetry.show_batch([OUTCOME, OUTCOME], 3.0)

    name = "event_latency_seconds"
    assert _value(telemetry, f"{name}_bucket", le="0.25") == 2
    assert _value(telemetry, f"{name}_bucket", le="0.5") == 8
    assert _value(telemetry, f"{name}_bucket", le="+Inf") == 8
    assert _value(telemetry, f"{name}_count") == 8
    assert _value(telemetry, f"{name}_sum") == pytest.approx(2.8)


def test_repeated_share_counts_once() -> None:
    """What was in the tables already is timed, but not counted again."""
    telemetry = Telemetry()

    telemetry.show_batch([replace(OUTCOME, is_repeated=True)], 3.0)

    assert _value(telemetry, "input_rows_total", topic="t") is None
    assert _value(telemetry, "stored_events_total") == 0
    assert _value(telemetry, "batch_duration_seconds_sum", phase="read") == 0.5
    assert telemetry.is_ready


def test_share_without_events_keeps_event_time() -> None:
    """Records that are no events do not move the latest event time."""
    telemetry = Telemetry()

    telemetry.show_batch([OUTCOME, replace(OUTCOME, max_event_times=[])], 3.0)

    assert _value(telemetry, "event_time_timestamp_seconds") == 1_000.5


def test_batch_makes_ready() -> None:
    """With its first batch the stream is ready, and the batch's time is now."""
    telemetry = Telemetry()
    was_ready, before = telemetry.is_ready, time.time()

    telemetry.show_batch([], 0.0)

    assert (was_ready, telemetry.is_ready) == (False, True)
    at = _value(telemetry, "last_batch_timestamp_seconds")
    assert at is not None
    assert before <= at <= time.time()


def test_lag_is_ends_less_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition is behind by what Kafka has and no batch; never by less than nothing."""
    monkeypatch.setattr(time, "time", lambda: 1_000.0)
    telemetry = Telemetry()
    telemetry.show_batch([OUTCOME], 0.0)
    monkeypatch.setattr(time, "time", lambda: 1_010.0)

    telemetry.show_lag({"t": {0: 5, 1: 5, 3: 9}}, {"t": {0: 5, 1: 7, 2: 4, 3: 8}})

    lags = [_value(telemetry, "lag_records", topic="t", partition=str(at)) for at in range(4)]
    assert lags == [0, 2, 4, 0]
    ages = [_value(telemetry, "lag_seconds", topic="t", partition=str(at)) for at in range(4)]
    assert ages == [0, 20, 10, 0]  # since the last record, or since the start


def test_account_is_shown() -> None:
    """Disagreements are shown by simulation and kind; a simulation that is gone disappears."""
    telemetry = Telemetry()

    telemetry.show_integrity({"a": {"missing": 1}, "b": {"missing": 2}})
    telemetry.show_integrity({"b": {"missing": 0}})

    name = "integrity_defects"
    assert _value(telemetry, name, simulation="a", defect="missing") is None
    assert _value(telemetry, name, simulation="b", defect="missing") == 0


def test_verification_is_shown() -> None:
    """The last verification's defects and its end are shown."""
    telemetry = Telemetry()

    telemetry.show_verification(77.0, {"lost": 3, "phantom": 0})

    assert _value(telemetry, "verified_defects", defect="lost") == 3
    assert _value(telemetry, "verified_defects", defect="phantom") == 0
    assert _value(telemetry, "last_verification_timestamp_seconds") == 77


def test_all_metrics_are_the_contracts() -> None:
    """The registry has each of the stream's metrics in the contract, and no other."""
    names = {family.name for family in Telemetry().registry.collect()}

    wanted = {
        metric.name.removesuffix("_total")
        for metric in METRICS
        if metric.name.startswith("clickstream_streaming_")
    }
    assert names == wanted


def test_ready_needs_batch_and_services() -> None:
    """The stream is ready with a batch, and while nothing that it needs is away."""
    telemetry = Telemetry()
    answers = [telemetry.readiness()]

    telemetry.is_ready = True
    answers.append(telemetry.readiness())
    telemetry.show_unreachable("PostgreSQL", is_unreachable=True)
    telemetry.show_unreachable("Kafka", is_unreachable=True)
    answers.append(telemetry.readiness())
    telemetry.show_unreachable("PostgreSQL", is_unreachable=False)
    answers.append(telemetry.readiness())
    telemetry.show_unreachable("Kafka", is_unreachable=False)
    telemetry.show_unreachable("Kafka", is_unreachable=False)
    answers.append(telemetry.readiness())

    assert answers == [
        "no batch was committed yet", "", "no answer from Kafka and PostgreSQL",
        "no answer from Kafka", "",
    ]  # fmt: skip
