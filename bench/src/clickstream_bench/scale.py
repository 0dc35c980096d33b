"""What the operator costs with many simulations, against a real API server.

There is no node and no Kafka: stand-in workers answer the operator's scrapes. First their figures
rest, so that nothing may be written; then the number of delivered events grows.
"""

from __future__ import annotations

import math
import resource
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes
import psutil
from clickstream_contract.document import API_VERSION, KIND

from clickstream_bench.control_plane import ControlPlane, OperatorProcess
from clickstream_bench.shop import SHOP
from clickstream_bench.stand_in_workers import RATE, StandInWorkers

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["measure_scale"]

_NAMESPACE = "bench"
_SHARDS = 16
_AT_A_TIME = 8
_RECONCILE_SECONDS = 1_800.0
_REST_SECONDS = 600.0
_QUIET_SECONDS = 15.0
_MEASURE_SECONDS = 60.0
_CHANGES = 10
_CHANGE_SECONDS = 60.0
_READY_POLL_SECONDS, _CHANGE_POLL_SECONDS = 1.0, 0.02
_CUSTOM = ("clickstream.dev", "v1alpha1", _NAMESPACE, "clickstreamsimulations")


def measure_scale(simulations: int, workers: int) -> dict[str, float]:
    """Return what the operator needs for many simulations: seconds, cores, mebibytes and writes.

    Args:
        simulations: Number of simulations, of 16 shards each.
        workers: Number of workers of each.
    """
    # Each stand-in worker listens at a separate address.
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with tempfile.TemporaryDirectory(prefix="clickstream-bench-") as name:
        folder = Path(name)
        plane = ControlPlane(folder)
        try:
            plane.kubectl("create", "namespace", _NAMESPACE)
            operator = OperatorProcess(plane, folder, namespaces=_NAMESPACE, resync_seconds=5)
            scale = _Scale(plane, operator, simulations, workers)
            with StandInWorkers(scale.core, _NAMESPACE) as stand_ins:
                try:
                    return scale.measure(stand_ins)
                finally:
                    operator.process.stop()
        finally:
            plane.stop()


class _Scale:
    """One measurement.

    Attributes:
        core: The API server, as its administrator.
    """

    def __init__(
        self, plane: ControlPlane, operator: OperatorProcess, simulations: int, workers: int
    ) -> None:
        self._plane, self._operator = plane, operator
        self._simulations, self._workers = simulations, workers
        client = kubernetes.config.new_client_from_config(str(plane.kubeconfig("admin")))
        self.core = kubernetes.client.CoreV1Api(client)
        self._custom = kubernetes.client.CustomObjectsApi(client)
        self._process = psutil.Process(operator.process.process.pid)

    def measure(self, stand_ins: StandInWorkers) -> dict[str, float]:
        """Return all figures."""
        began, cpu = time.monotonic(), self._cpu_seconds()
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            list(pool.map(self._create, range(self._simulations)))
        self._wait(self._are_ready, _RECONCILE_SECONDS, "every simulation is ready")
        figures = {
            "simulations": float(self._simulations),
            "workers": float(self._simulations * self._workers),
            "reconciled_seconds": time.monotonic() - began,
            "reconciled_cpu_seconds": self._cpu_seconds() - cpu,
        }
        self._wait(self._is_quiet, _REST_SECONDS, "the operator rests")
        figures |= self._measured("rest")
        stand_ins.send()
        figures |= self._measured("sending")
        return figures | {
            "slowest_change_seconds": max(map(self._change, range(_CHANGES))),
            "memory_mebibytes": self._process.memory_info().rss / 2**20,
            "memory_peak_mebibytes": self._peak_mebibytes(),
        }

    def _measured(self, phase: str) -> dict[str, float]:
        """Return the operator's CPU time per second, and the number of writes to the cluster."""
        began, cpu, writes = time.monotonic(), self._cpu_seconds(), self._writes()
        reconciles = self._operator.metric("reconciles_total")
        time.sleep(_MEASURE_SECONDS)
        seconds = time.monotonic() - began
        done = self._operator.metric("reconciles_total") - reconciles
        return {
            f"{phase}_cores": (self._cpu_seconds() - cpu) / seconds,
            f"{phase}_writes": self._writes() - writes,
            f"{phase}_reconciles_per_second": done / seconds,
        }

    def _create(self, number: int) -> None:
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": f"shop-{number}"},
            "spec": SHOP | {
                "rate": {"eventsPerSecond": RATE * self._workers},
                "shards": _SHARDS,
                "workers": {"count": self._workers},
            },
        }  # fmt: skip
        self._custom.create_namespaced_custom_object(*_CUSTOM, body)

    def _change(self, number: int) -> float:
        """Change a simulation's rate; return the seconds until its workers' file has it.

        Infinity if that takes more than a minute.
        """
        name, rate = f"shop-{number}", RATE * self._workers + 1
        began = time.monotonic()
        body: dict[str, Any] = {"spec": {"rate": {"eventsPerSecond": rate}}}
        self._custom.patch_namespaced_custom_object(*_CUSTOM, name, body)

        def is_written() -> bool:
            found = self.core.read_namespaced_config_map(f"{name}-simulation", _NAMESPACE)
            return f'"eventsPerSecond": {rate}' in (found.data or {})["simulation.yaml"]

        what = f"the change of {name}"
        try:
            self._wait(is_written, _CHANGE_SECONDS, what, _CHANGE_POLL_SECONDS)
        except TimeoutError:
            return math.inf  # the other figures count
        return time.monotonic() - began

    def _are_ready(self) -> bool:
        ready = {"type": "Ready", "status": "True"}
        return self._operator.metric("simulations", **ready) == self._simulations

    def _is_quiet(self) -> bool:
        before = self._writes()
        time.sleep(_QUIET_SECONDS)
        return self._writes() == before

    def _wait(
        self,
        holds: Callable[[], bool],
        seconds: float,
        what: str,
        poll_seconds: float = _READY_POLL_SECONDS,
    ) -> None:
        end = time.monotonic() + seconds
        while not holds():
            self._operator.process.check()
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds:.0f} s: {what}")
            time.sleep(poll_seconds)

    def _writes(self) -> float:
        """Return the writes of the operator's kinds; the cluster's controllers post events too."""
        taken = self._plane.writes()
        posted = self._operator.metric("api_writes_total", verb="event")
        return sum(taken.values()) - taken["events"] + posted

    def _cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _peak_mebibytes(self) -> float:
        """Return the highest resident memory, which Linux keeps in kibibytes."""
        rows = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8").splitlines()
        (peak,) = (row.split()[1] for row in rows if row.startswith("VmHWM:"))
        return int(peak) / 2**10
