"""Stand-in workers: a pod that is pending becomes ready, and answers like a worker."""

from __future__ import annotations

import json
import time
import urllib.request
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from clickstream_bench.stand_in_workers import RATE, StandInWorkers, address_of
from clickstream_operator.core.observed import scrape_from
from clickstream_operator.core.pod import METRICS_PORT

if TYPE_CHECKING:
    import kubernetes


class _Core:
    """One pod, pending until its status is written."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = {}

    def list_namespaced_pod(self, _namespace: str, **_options: object) -> SimpleNamespace:
        """Return the pod while it is pending."""
        items = [] if self.status else [{"metadata": {"name": "shop-0"}}]
        return SimpleNamespace(data=json.dumps({"items": items}))

    def patch_namespaced_pod_status(
        self, _name: str, _namespace: str, body: dict[str, Any], **_options: object
    ) -> None:
        """Take the status."""
        self.status = body["status"]


def test_pending_pods_become_workers() -> None:
    """The operator can read what a ready pod answers, and its figures grow once it sends."""
    core = _Core()
    with StandInWorkers(cast("kubernetes.client.CoreV1Api", core), "bench") as workers:
        _wait(lambda: bool(core.status))
        resting = scrape_from(_answer(core.status["podIP"]))
        workers.send()
        _wait(lambda: scrape_from(_answer(core.status["podIP"])).delivered > 0)

    assert (resting.target, resting.achieved, resting.delivered) == (RATE, RATE, 0.0)


def test_addresses_are_apart() -> None:
    """Thousands of workers have an address each."""
    assert len({address_of(number) for number in range(8_000)}) == 8_000


def _answer(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}:{METRICS_PORT}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def _wait(holds: Any) -> None:  # noqa: ANN401
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
