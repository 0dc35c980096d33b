"""Recording rules and alerts, over the contract's metrics.

Owns when an alert fires, and its severity. Each alert has a page in docs/runbooks. Thresholds are
recorded as separate series, so that the chart can set them without a change of an expression.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml
from clickstream_contract.metrics import metric

__all__ = ["ALERTS", "BACKUP_METRICS", "RECORDS", "RUNBOOKS", "THRESHOLDS", "Alert", "rule_file"]

RUNBOOKS = "https://github.com/clickstream-dev/clickstream/blob/main/docs/runbooks"
"""The address of the runbooks."""

THRESHOLDS = {
    "rate_share": 0.95,
    "lag_records": 100_000,
    "stall_seconds": 120,
    "reject_share": 0.05,
    "queue_share": 0.9,
    "backup_age_seconds": 93_600,
}
"""The thresholds; the chart's values have the same names in camelCase."""

BACKUP_METRICS = (
    "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp",
    "cnpg_collector_last_available_backup_timestamp",
)
"""CloudNativePG's own: of its Barman Cloud plugin, and of backups without the plugin.

https://cloudnative-pg.io/plugin-barman-cloud/docs/observability
"""


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        name: The alert's name, which is also the name of the runbook's file.
        expr: The condition; its value is part of the description.
        after: How long the condition must be true before the alert fires.
        severity: ``critical``: data are wrong or do not arrive. ``warning``: this is near.
        summary, description: The texts of a notification.
    """

    name: str
    expr: str
    after: str
    severity: str
    summary: str
    description: str


def _of(name: str, suffix: str = "") -> str:
    return metric(f"clickstream_{name}").name + suffix


def _bound(name: str) -> str:
    if name not in THRESHOLDS:
        raise KeyError(f"no threshold {name}")
    return f"on () group_left () clickstream:threshold:{name}"


_JOIN = (
    f"* on (namespace, job, instance) group_left (simulation) {_of('generator_simulation_info')}"
)


def _by_simulation(expr: str) -> str:
    return f"sum by (namespace, simulation) ({expr} {_JOIN})"


RECORDS: dict[str, str] = {
    "clickstream:generator_target_events_per_second:sum": _by_simulation(
        _of("generator_target_events_per_second")
    ),
    "clickstream:generator_achieved_events_per_second:sum": _by_simulation(
        _of("generator_achieved_events_per_second")
    ),
    "clickstream:generator_records_acknowledged:rate5m": (
        f"sum by (namespace) (rate({_of('generator_records_acknowledged_total')}[5m]))"
    ),
    "clickstream:generator_queue:share": (
        f"max by (namespace, simulation) ({_of('generator_queue_messages')}"
        f" / {_of('generator_queue_limit_messages')} {_JOIN})"
    ),
    "clickstream:streaming_lag_records:sum": (
        f"sum by (namespace) ({_of('streaming_lag_records')})"
    ),
    "clickstream:streaming_stored_events:rate5m": (
        f"sum by (namespace) (rate({_of('streaming_stored_events_total')}[5m]))"
    ),
    "clickstream:streaming_rejects:share5m": (
        f"sum by (namespace) (rate({_of('streaming_rejected_events_total')}[5m])) /"
        f" (sum by (namespace)"
        f' (rate({_of("streaming_input_rows_total")}{{topic=~"clickstream[.]events.*"}}[5m])) > 0)'
    ),
    "clickstream:streaming_event_latency_seconds:p95": (
        "histogram_quantile(0.95, sum by (namespace, le)"
        f" (rate({_of('streaming_event_latency_seconds', '_bucket')}[5m])))"
    ),
    "clickstream:backup_age_seconds": (
        f'time() - max by (namespace) ({{__name__=~"{"|".join(BACKUP_METRICS)}"}})'
    ),
}
"""The recorded series; a name has the source and the aggregation."""

_TARGET = "clickstream:generator_target_events_per_second:sum"
_ACHIEVED = "clickstream:generator_achieved_events_per_second:sum"
_LAG = "clickstream:streaming_lag_records:sum"
_SILENT = f"(time() - max by (namespace) ({_of('streaming_last_batch_timestamp_seconds')}))"

ALERTS: tuple[Alert, ...] = (
    Alert(
        "ClickstreamRateNotReached",
        # In a slower shop, the ten seconds of the rate may be between two events and have none.
        f"{_ACHIEVED} / ({_TARGET} >= 4) < {_bound('rate_share')}",
        "5m",
        "warning",
        "{{ $labels.simulation }} does not reach its rate",
        "{{ $labels.simulation }} sends {{ $value | humanizePercentage }}"
        " of the events that it should.",
    ),
    Alert(
        "ClickstreamLagGrowing",
        f"{_LAG} > {_bound('lag_records')} and deriv({_LAG}[15m]) > 0",
        "10m",
        "warning",
        "The stream falls behind",
        "Kafka has {{ $value | humanize }} records that no batch has read, and their number grows.",
    ),
    Alert(
        "ClickstreamStreamStalled",
        # Events arrive and no batch is committed, or no stream reports batches at all.
        f"({_SILENT} > {_bound('stall_seconds')} and on () sum"
        " (clickstream:generator_records_acknowledged:rate5m) > 0)"
        " or (sum (clickstream:generator_records_acknowledged:rate5m) > 0"
        f" unless on () {_of('streaming_last_batch_timestamp_seconds')})",
        "3m",
        "critical",
        "No batch is committed while events arrive",
        "Generators send events, but the stream has committed nothing for minutes or does not run.",
    ),
    Alert(
        "ClickstreamRejectsHigh",
        f"clickstream:streaming_rejects:share5m > {_bound('reject_share')}",
        "5m",
        "warning",
        "Many records are no events",
        "{{ $value | humanizePercentage }} of the records read are rejected.",
    ),
    Alert(
        "ClickstreamIntegrityBroken",
        # Events on their way are missing too: count only those that are missing without a lag.
        f"(sum by (namespace, simulation, defect) ({_of('streaming_integrity_defects')}) > 0"
        f" unless on (namespace) {_LAG} > 0)"
        f" or sum by (namespace, defect) ({_of('streaming_verified_defects')}) > 0",
        "5m",
        "critical",
        "Ledger and tables disagree: {{ $labels.defect }}",
        "{{ $value | humanize }} of kind {{ $labels.defect }}"
        "{{ with $labels.simulation }} in {{ . }}{{ end }}.",
    ),
    Alert(
        "ClickstreamTablesDiffer",
        f"sum by (namespace, simulation) ({_of('operator_verification_differences')}) > 0",
        "1m",
        "critical",
        "The tables of {{ $labels.simulation }} differ from its ledger",
        "The last verification of {{ $labels.simulation }} found {{ $value | humanize }}"
        " differences.",
    ),
    Alert(
        "ClickstreamNotVerified",
        # The state after a verification that could not compare; the next one may be able to.
        f"sum by (namespace) ({_of('operator_simulations')}"
        '{type="Verified", status="Unknown"}) > 0',
        "60m",
        "warning",
        "Simulations are not verified",
        "{{ $value | humanize }} simulations have no verification, or one that could not compare.",
    ),
    Alert(
        "ClickstreamOrdersFell",
        f"max by (namespace, simulation, device) ({_of('streaming_order_shortfall')}) > 0",
        "1m",
        "warning",
        "{{ $labels.simulation }} has too few orders",
        "{{ $value | humanize }} orders are missing in 15 minutes, for as many sessions as there"
        " were (devices: {{ $labels.device }}).",
    ),
    Alert(
        "ClickstreamBackupTooOld",
        # Without a backup the time is 0, so the age is the age of the Unix epoch.
        f"clickstream:backup_age_seconds > {_bound('backup_age_seconds')}",
        "10m",
        "critical",
        "The last backup is too old",
        "The database in {{ $labels.namespace }} was last backed up"
        " {{ $value | humanizeDuration }} ago.",
    ),
    Alert(
        "ClickstreamBrokerQueueFull",
        f"clickstream:generator_queue:share > {_bound('queue_share')}",
        "2m",
        "warning",
        "Kafka is too slow for {{ $labels.simulation }}",
        "{{ $value | humanizePercentage }} of the producer's queue waits for acknowledgement.",
    ),
)
"""The alerts."""

_HEADER = "# Made by `python -m clickstream_dashboards`; change it there.\n"


def rule_file() -> str:
    """Return the rules as a file of Prometheus."""
    groups: list[dict[str, Any]] = [
        {
            "name": "clickstream-thresholds",
            "rules": [
                {"record": f"clickstream:threshold:{name}", "expr": f"vector({value})"}
                for name, value in THRESHOLDS.items()
            ],
        },
        {
            "name": "clickstream-records",
            "rules": [{"record": name, "expr": expr} for name, expr in RECORDS.items()],
        },
        {"name": "clickstream-alerts", "rules": [_alert(alert) for alert in ALERTS]},
    ]
    return _HEADER + yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000)


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.after,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{RUNBOOKS}/{alert.name}.md",
        },
    }
