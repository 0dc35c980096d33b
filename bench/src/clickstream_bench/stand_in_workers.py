"""Workers of a cluster without nodes: they send nothing, and answer the operator's scrapes.

Owns what a node would do for a pod: give it an address, and report it as ready. Each address is in
127.0.0.0/8, which Linux answers whole.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from clickstream_health.registry import MetricRegistry
from clickstream_health.server import HealthServer
from clickstream_operator.core.pod import METRICS_PORT

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import kubernetes

__all__ = ["RATE", "StandInWorkers", "address_of"]

RATE = 10
"""The events per second that each worker reports."""
_POLL_SECONDS = 0.2
_COUNTERS = ("events_total", "records_acknowledged_total", "shed_events_total",
             "spec_changes_total", "busy_seconds_total")  # fmt: skip
_GAUGES = (
    "target_events_per_second", "achieved_events_per_second", "active_sessions", "queue_messages",
    "queue_limit_messages", "event_lag_seconds", "snapshot_bytes", "delivered_records",
    "shards_over", "resumed_shards",
)  # fmt: skip


class StandInWorkers:
    """Answers for each pod of a namespace, from a thread, while the context is open.

    Args:
        core: The API server, as its administrator.
        namespace: The namespace of the pods.
    """

    def __init__(self, core: kubernetes.client.CoreV1Api, namespace: str) -> None:
        self._core = core
        self._namespace = namespace
        self._registry = MetricRegistry("generator")
        for name in _COUNTERS:
            self._registry.counter(name)
        gauges = {name: self._registry.gauge(name) for name in _GAUGES}
        gauges["target_events_per_second"].set(RATE)
        gauges["achieved_events_per_second"].set(RATE)
        self._delivered = gauges["delivered_records"]
        self._count = 0
        self._is_sending = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every port."""
        self._stop.set()
        self._thread.join()

    def send(self) -> None:
        """Let the number of delivered events grow from now on."""
        self._is_sending = True

    async def _serve(self) -> None:
        async with AsyncExitStack() as servers:
            while not self._stop.is_set():
                for name in await asyncio.to_thread(self._pending):
                    address = address_of(self._count)
                    self._count += 1
                    server = HealthServer(address, METRICS_PORT, self._registry, readiness=str)
                    await servers.enter_async_context(server)
                    await asyncio.to_thread(self._report_ready, name, address)
                await asyncio.sleep(_POLL_SECONDS)
                if self._is_sending:
                    self._delivered.inc(RATE * _POLL_SECONDS)

    def _pending(self) -> list[str]:
        # Only the names are of interest; the client would make an object of every field.
        found: Any = self._core.list_namespaced_pod(
            self._namespace, field_selector="status.phase=Pending", _preload_content=False
        )
        return [row["metadata"]["name"] for row in json.loads(found.data)["items"]]

    def _report_ready(self, name: str, address: str) -> None:
        status: dict[str, Any] = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self._core.patch_namespaced_pod_status(
            name, self._namespace, {"status": status}, _preload_content=False
        )


def address_of(number: int) -> str:
    """Return the address of a worker."""
    return f"127.77.{number // 250}.{number % 250 + 1}"
