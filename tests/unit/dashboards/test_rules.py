"""Recording rules and alerts as a file of Prometheus."""

from __future__ import annotations

import re
from typing import Any

import promql_parser
import pytest
import yaml
from clickstream_dashboards.rules import (
    ALERTS,
    BACKUP_METRICS,
    RECORDS,
    RUNBOOKS,
    THRESHOLDS,
    Alert,
    _bound,
    rule_file,
)


def _groups() -> dict[str, list[dict[str, Any]]]:
    return {group["name"]: group["rules"] for group in yaml.safe_load(rule_file())["groups"]}


def test_groups_are_in_order() -> None:
    """Bounds come before the series, and both before the alerts that use them."""
    groups = _groups()

    assert list(groups) == ["clickstream-thresholds", "clickstream-records", "clickstream-alerts"]
    assert [row["record"] for row in groups["clickstream-records"]] == list(RECORDS)
    assert [row["alert"] for row in groups["clickstream-alerts"]] == [row.name for row in ALERTS]


def test_file_says_who_makes_it() -> None:
    """The first line keeps people from editing the file."""
    assert rule_file().splitlines()[0] == (
        "# Made by `python -m clickstream_dashboards`; change it there."
    )


def test_bounds_are_series() -> None:
    """Each threshold is a separate series, which the chart can set."""
    assert _groups()["clickstream-thresholds"] == [
        {"record": f"clickstream:threshold:{name}", "expr": f"vector({value})"}
        for name, value in THRESHOLDS.items()
    ]
    assert THRESHOLDS == {
        "rate_share": 0.95, "lag_records": 100_000, "stall_seconds": 120, "reject_share": 0.05,
        "queue_share": 0.9, "backup_age_seconds": 93_600,
    }  # fmt: skip


def test_unknown_bound_is_an_error() -> None:
    """An alert cannot use a bound that is not in the table."""
    with pytest.raises(KeyError, match="no threshold magic"):
        _bound("magic")


@pytest.mark.parametrize("name", THRESHOLDS)
def test_every_bound_is_used(name: str) -> None:
    """No bound is offered that no alert asks for."""
    assert any(f"clickstream:threshold:{name}" in alert.expr for alert in ALERTS)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alert_is_whole(alert: Alert) -> None:
    """An alert is PromQL, has a severity, a time, texts, and a runbook of the same name."""
    (rule,) = (row for row in _groups()["clickstream-alerts"] if row["alert"] == alert.name)

    assert promql_parser.parse(alert.expr)
    assert rule["expr"] == alert.expr
    assert re.fullmatch(r"[1-9][0-9]?m", rule["for"])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"] == {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": f"{RUNBOOKS}/{alert.name}.md",
    }


@pytest.mark.parametrize("expr", RECORDS.values(), ids=RECORDS)
def test_records_are_by_namespace(expr: str) -> None:
    """Every recorded series is PromQL and keeps the namespace, so that releases stay apart."""
    assert promql_parser.parse(expr)
    assert "by (namespace" in expr


def test_both_backups_are_known() -> None:
    """The age of a backup is that of the newest, by the plugin or without it."""
    assert "|".join(BACKUP_METRICS) in RECORDS["clickstream:backup_age_seconds"]
    assert len(BACKUP_METRICS) == 2
