"""The operator's metrics, as Prometheus reads them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clickstream_health.registry import MetricRegistry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["Telemetry"]


class Telemetry:
    """The operator's metrics."""

    def __init__(self) -> None:
        self.registry = MetricRegistry("operator")
        self.reconciles = self.registry.counter("reconciles_total")
        self.duration = self.registry.histogram("reconcile_duration_seconds")
        self.writes = self.registry.counter("api_writes_total")
        self._simulations = self.registry.gauge("simulations")
        self._conditions: Counter[tuple[str, str]] = Counter()
        self.last_reconcile = self.registry.gauge("last_reconcile_timestamp_seconds")
        self._differences = self.registry.gauge("verification_differences")
        self._verified_at = self.registry.gauge("verification_timestamp_seconds")
        self._verified: set[str] = set()

    def show_conditions(
        self, former: Collection[tuple[str, str]], present: Collection[tuple[str, str]]
    ) -> None:
        """Count a simulation's conditions, types and statuses, in place of its former ones."""
        self._conditions.subtract(former)
        self._conditions.update(present)
        for labels in {*former, *present}:
            if self._conditions[labels]:
                self._simulations.labels(*labels).set(self._conditions[labels])
            else:
                self._simulations.remove(*labels)

    def show_verification(self, simulation: str, found: Mapping[str, Any]) -> None:
        """Show the result of a simulation's last verification.

        Args:
            simulation: The full name.
            found: ``status.verification``; without ``differences`` there is no result.
        """
        if "differences" in found:
            finished = datetime.fromisoformat(found["finishedAt"]).timestamp()
            self._differences.labels(simulation).set(found["differences"])
            self._verified_at.labels(simulation).set(finished)
            self._verified.add(simulation)
        elif simulation in self._verified:
            self._differences.remove(simulation)
            self._verified_at.remove(simulation)
            self._verified.discard(simulation)
