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


def test_verification_is_shown_while_known() -> None:
    """A result has differences and a time; without a result the simulation has no sample."""
    telemetry = Telemetry()
    labels = {"simulation": "load/shop"}

    def sample(name: str) -> float | None:
        return telemetry.registry.get_sample_value(
            f"clickstream_operator_verification_{name}", labels
        )

    found = {"differences": 3, "finishedAt": "2026-11-27T08:00:00Z"}
    telemetry.show_verification("load/shop", found)
    assert (sample("differences"), sample("timestamp_seconds")) == (3.0, 1_795_766_400.0)

    telemetry.show_verification("load/shop", {"startedAt": "2026-11-27T08:00:00Z"})
    telemetry.show_verification("load/other", {})
    assert (sample("differences"), sample("timestamp_seconds")) == (None, None)


def test_conditions_are_counted_while_present() -> None:
    """A simulation counts once for each condition; a status without simulations has no sample."""
    telemetry = Telemetry()
    ready, failed = ("Ready", "True"), ("Ready", "False")

    def samples() -> list[float | None]:
        return [
            telemetry.registry.get_sample_value(
                "clickstream_operator_simulations", {"type": kind, "status": status}
            )
            for kind, status in (ready, failed)
        ]

    telemetry.show_conditions((), (ready,))
    telemetry.show_conditions((), (failed,))
    assert samples() == [1.0, 1.0]

    telemetry.show_conditions((failed,), (ready,))
    assert samples() == [2.0, None]

    telemetry.show_conditions((ready,), ())
    assert samples() == [1.0, None]
