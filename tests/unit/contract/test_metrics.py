"""Metrics: names, kinds and labels as Prometheus wants them."""

from __future__ import annotations

import re

import pytest
from clickstream_contract.metrics import METRICS, Metric, MetricKind, metric

COMPONENTS = ("generator", "streaming", "operator", "console")


def test_each_name_comes_once() -> None:
    """A metric is found by its name, of which there is one."""
    assert len({row.name for row in METRICS}) == len(METRICS)
    assert all(metric(row.name) is row for row in METRICS)


def test_unknown_metric_is_an_error() -> None:
    """A name that does not exist is a KeyError with that name."""
    with pytest.raises(KeyError, match="clickstream_generator_nothing"):
        metric("clickstream_generator_nothing")


@pytest.mark.parametrize("row", METRICS, ids=[row.name for row in METRICS])
def test_name_follows_prometheus(row: Metric) -> None:
    """Counters and only they end with ``_total``; each name begins with its component."""
    assert re.fullmatch(f"clickstream_({'|'.join(COMPONENTS)})_[a-z_]+", row.name)
    assert (row.kind is MetricKind.COUNTER) == row.name.endswith("_total")
    assert row.help.endswith((".", "s"))
    assert all(re.fullmatch("[a-z_]+", label) for label in row.labels)


def test_events_are_counted_by_name() -> None:
    """The counter of sent events is labelled with the event's name."""
    assert metric("clickstream_generator_events_total") == Metric(
        "clickstream_generator_events_total",
        MetricKind.COUNTER,
        "Events handed to Kafka's client.",
        ("event_name",),
    )


def test_durations_are_histograms() -> None:
    """Durations per batch, reconcile or request are histograms of seconds."""
    found = {row.name for row in METRICS if row.kind is MetricKind.HISTOGRAM}

    assert found == {
        "clickstream_streaming_batch_duration_seconds",
        "clickstream_streaming_event_latency_seconds",
        "clickstream_operator_reconcile_duration_seconds",
        "clickstream_console_request_duration_seconds",
    }
