"""The generator's metrics and its readiness."""

from __future__ import annotations

from clickstream_contract.metrics import METRICS
from clickstream_generator.shell.telemetry import Telemetry


def test_readiness_follows_the_flag() -> None:
    """A process is ready when it says so, and not before."""
    telemetry = Telemetry()
    assert telemetry.readiness() == "not ready"

    telemetry.is_ready = True

    assert telemetry.readiness() == ""


def test_metrics_are_the_contracts() -> None:
    """The registry has each of the generator's metrics in the contract, and no other."""
    names = {family.name for family in Telemetry().registry.collect()}

    assert names == {
        row.name.removesuffix("_total")
        for row in METRICS
        if row.name.startswith("clickstream_generator_")
    }
