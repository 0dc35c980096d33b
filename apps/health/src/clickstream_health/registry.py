"""The registry of one component's metrics.

Owns how a row of :mod:`clickstream_contract.metrics` becomes a metric of Prometheus' client.
"""

from __future__ import annotations

from clickstream_contract.metrics import metric
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["MetricRegistry"]


class MetricRegistry(CollectorRegistry):
    """The metrics of one component.

    Each method makes one metric, with the help and the labels that the contract has for it.

    Args:
        component: The component, such as ``generator``.
    """

    def __init__(self, component: str) -> None:
        super().__init__()
        self._prefix = f"clickstream_{component}_"

    def counter(self, name: str) -> Counter:
        """Return a new counter; ``name`` is without ``clickstream_COMPONENT_``."""
        row = metric(self._prefix + name)
        return Counter(row.name, row.help, row.labels, registry=self)

    def gauge(self, name: str) -> Gauge:
        """Return a new gauge; ``name`` is without ``clickstream_COMPONENT_``."""
        row = metric(self._prefix + name)
        return Gauge(row.name, row.help, row.labels, registry=self)

    def histogram(self, name: str) -> Histogram:
        """Return a new histogram; ``name`` is without ``clickstream_COMPONENT_``."""
        row = metric(self._prefix + name)
        return Histogram(row.name, row.help, row.labels, registry=self)
