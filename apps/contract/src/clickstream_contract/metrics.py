"""The Prometheus metrics of all components.

Owns their names, kinds, labels and meaning; dashboards and alerts take them from this table. Names
follow https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["METRICS", "Metric", "MetricKind", "metric"]


class MetricKind(Enum):
    """Prometheus' kinds."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Metric:
    """One metric."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()


_COUNTER, _GAUGE, _HISTOGRAM = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM


def _named(component: str, *rows: tuple[str, MetricKind, str, tuple[str, ...]]) -> list[Metric]:
    return [
        Metric(f"clickstream_{component}_{name}", kind, text, labels)
        for name, kind, text, labels in rows
    ]


METRICS: tuple[Metric, ...] = (
    *_named(
        "generator",
        ("events_total", _COUNTER, "Events handed to Kafka's client.", ("event_name",)),
        ("records_acknowledged_total", _COUNTER, "Records the broker has acknowledged.", ()),
        ("shed_events_total", _COUNTER, "Events left out because of overload.", ()),
        ("target_events_per_second", _GAUGE, "Current target rate.", ()),
        (
            "achieved_events_per_second",
            _GAUGE,
            "Events acknowledged per second, over the last 10 s.",
            (),
        ),
        ("active_sessions", _GAUGE, "Open sessions.", ()),
        ("queue_messages", _GAUGE, "Records sent and not yet acknowledged.", ()),
        ("queue_limit_messages", _GAUGE, "Most records sent and not acknowledged.", ()),
        ("event_lag_seconds", _GAUGE, "How late the next event is, against the clock.", ()),
        ("spec_changes_total", _COUNTER, "Changes of the simulation's file.", ("outcome",)),
        ("snapshot_bytes", _GAUGE, "Size of the last snapshot of each shard, summed.", ()),
        ("resumed_shards", _GAUGE, "Shards resumed from a stored state.", ()),
        ("shards_over", _GAUGE, "Shards whose last event is acknowledged.", ()),
        ("delivered_records", _GAUGE, "Records acknowledged since the run began.", ()),
        (
            "busy_seconds_total",
            _COUNTER,
            "Time spent working, without waiting for the next event.",
            (),
        ),
        ("simulation_info", _GAUGE, "Always 1; the full name of the simulation.", ("simulation",)),
    ),
    *_named(
        "streaming",
        ("input_rows_total", _COUNTER, "Records read from Kafka.", ("topic",)),
        ("stored_events_total", _COUNTER, "Events newly stored.", ()),
        ("rejected_events_total", _COUNTER, "Records rejected.", ("reason",)),
        ("duplicate_events_total", _COUNTER, "Events that were already stored.", ()),
        (
            "late_events_total",
            _COUNTER,
            "Events stored after the watermark of their shard.",
            (),
        ),
        ("batch_duration_seconds", _HISTOGRAM, "Duration of a batch by phase.", ("phase",)),
        ("event_latency_seconds", _HISTOGRAM, "From event time to the committed row.", ()),
        ("event_time_timestamp_seconds", _GAUGE, "Latest event time stored, Unix time.", ()),
        ("lag_records", _GAUGE, "Records in Kafka that no batch has read.", ("topic", "partition")),
        (
            "lag_seconds",
            _GAUGE,
            "Age of the last record read, if more records wait.",
            ("topic", "partition"),
        ),
        ("last_batch_timestamp_seconds", _GAUGE, "Last committed batch, Unix time.", ()),
        (
            "integrity_defects",
            _GAUGE,
            "Events on which ledger and tables currently disagree.",
            ("simulation", "defect"),
        ),
        ("verified_defects", _GAUGE, "Defects that the last verification found.", ("defect",)),
        ("last_verification_timestamp_seconds", _GAUGE, "Last verification, Unix time.", ()),
        (
            "order_shortfall",
            _GAUGE,
            "Orders that a shop lacks for its sessions; absent without an alarm.",
            ("simulation", "device"),
        ),
    ),
    *_named(
        "operator",
        ("reconciles_total", _COUNTER, "Reconciles of simulations.", ("outcome",)),
        ("reconcile_duration_seconds", _HISTOGRAM, "Time of a reconcile.", ()),
        ("api_writes_total", _COUNTER, "Writes to the API server.", ("verb",)),
        ("simulations", _GAUGE, "Simulations by condition.", ("type", "status")),
        (
            "verification_differences",
            _GAUGE,
            "Differences that the last verification found; absent without a result.",
            ("simulation",),
        ),
        (
            "verification_timestamp_seconds",
            _GAUGE,
            "End of the last verification with a result, Unix time.",
            ("simulation",),
        ),
        ("last_reconcile_timestamp_seconds", _GAUGE, "Last reconcile, Unix time.", ()),
    ),
    *_named(
        "console",
        (
            "request_duration_seconds",
            _HISTOGRAM,
            "Time until a response begins.",
            ("route", "status"),
        ),
        ("live_streams", _GAUGE, "Open live streams.", ()),
        ("database_failures_total", _COUNTER, "Queries that the database did not answer.", ()),
    ),
)
"""Every metric of every component."""

_BY_NAME = {row.name: row for row in METRICS}


def metric(name: str) -> Metric:
    """Return the metric called ``name``; a ``KeyError`` names one that does not exist."""
    return _BY_NAME[name]
