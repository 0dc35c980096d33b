"""The contract's metrics as those of Prometheus' client."""

from __future__ import annotations

import pytest
from clickstream_contract.metrics import METRICS, Metric
from clickstream_health.registry import MetricRegistry
from prometheus_client import generate_latest


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_metric_is_the_contracts(row: Metric) -> None:
    """A metric has the contract's name, kind, help and labels."""
    component, _, name = row.name.removeprefix("clickstream_").partition("_")
    registry = MetricRegistry(component)

    made = getattr(registry, row.kind.value)(name)

    text = generate_latest(registry).decode()
    assert f"# HELP {row.name} {row.help}\n" in text
    assert f"# TYPE {row.name} {row.kind.value}\n" in text
    assert made._labelnames == row.labels


def test_unknown_metric_is_refused() -> None:
    """A name that the contract does not have is an error."""
    with pytest.raises(KeyError, match="clickstream_generator_speed"):
        MetricRegistry("generator").gauge("speed")
