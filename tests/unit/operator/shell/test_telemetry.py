"""The operator's metrics."""

from __future__ import annotations

from clickstream_contract.metrics import METRICS
from clickstream_operator.shell.telemetry import Telemetry


def test_metrics_are_the_contracts() -> None:
    """The registry has each of the operator's metrics in the contract, and no other."""
    names = {family.name for family in Telemetry().registry.collect()}

    assert names == {
        row.name.removesuffix("_total")
        for row in METRICS
        if row.name.startswith("clickstream_operator_")
    }
