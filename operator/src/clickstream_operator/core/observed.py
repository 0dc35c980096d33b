"""The observed state of a simulation: its children, its pods, its workers' metrics.

Owns how the answers of the API server and of a scrape are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from clickstream_operator.core.shards import parse_shards

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "COMPONENT_LABEL",
    "SHARDS_ANNOTATION",
    "SIMULATION_LABEL",
    "VERIFICATION",
    "WORKER_LABEL",
    "Observed",
    "Pod",
    "Scrape",
    "VerificationPod",
    "pod_from",
    "scrape_from",
    "verification_pod_from",
]

SIMULATION_LABEL = "clickstream.dev/simulation"
COMPONENT_LABEL = "app.kubernetes.io/component"
VERIFICATION = "verification"
"""The component of a verification's objects."""
WORKER_LABEL = "clickstream.dev/worker"
SHARDS_ANNOTATION = "clickstream.dev/shards"
_OVER = ("Succeeded", "Failed")
_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_MESSAGE_LENGTH = 300
_PREFIX = "clickstream_generator_"
_METRICS = {
    "target": "target_events_per_second",
    "achieved": "achieved_events_per_second",
    "queue_records": "queue_messages",
    "lag_seconds": "event_lag_seconds",
    "busy_seconds": "busy_seconds_total",
    "delivered": "delivered_records",
}
_READ = tuple(_PREFIX + name for name in (*_METRICS.values(), "shards_over", "spec_changes_total"))
_RUN_ID = "CLICKSTREAM_GENERATOR_RUN_ID"
_JOB_LABEL = "batch.kubernetes.io/job-name"


@dataclass(frozen=True)
class Pod:
    """A worker's pod.

    Attributes:
        worker: The worker's number.
        shards: The shards that it carries.
        address: Its IP address, if it has one yet.
        is_over: Whether its process has ended for good.
        is_leaving: Whether Kubernetes has begun to delete it.
        image_message: Why the node cannot pull its image.
        unscheduled_message: Why no node has room for it.
        exit_code: The exit code of its last process.
        exit_message: The last message of that process.
        read: The version of the simulation's file that it was last forced to read.
        run_id: The run in its environment; empty without one.
    """

    name: str
    worker: int
    shards: frozenset[int]
    address: str = ""
    is_ready: bool = False
    is_over: bool = False
    is_leaving: bool = False
    image_message: str = ""
    unscheduled_message: str = ""
    exit_code: int | None = None
    exit_message: str = ""
    read: str = ""
    run_id: str = ""


@dataclass(frozen=True)
class VerificationPod:
    """The pod of a verification.

    Attributes:
        job: The name of its Job.
        is_over: Whether its processes have ended for good.
        problem: Why it cannot start; empty if it can.
        message: The last line of the process that ended last.
    """

    job: str
    is_over: bool
    problem: str = ""
    message: str = ""


@dataclass(frozen=True)
class Scrape:
    """A worker's metrics at one moment.

    Attributes:
        busy_seconds: The time it has worked since it started.
        delivered: Acknowledged records of its shards since the run began.
        shards_over: Shards whose last event is acknowledged.
        refused_changes: Changes of the spec that it rejected.
    """

    target: float
    achieved: float
    queue_records: float
    lag_seconds: float
    busy_seconds: float
    delivered: float
    shards_over: int
    refused_changes: float


@dataclass(frozen=True)
class Observed:
    """The observed state of a simulation.

    Attributes:
        children: The objects with the simulation's label, except pods.
        pods: The pods of its workers.
        scrapes: Metrics by pod; a pod that gave none is missing.
        has_pod_monitors: Whether the cluster has that kind.
        secrets: Labels of the secrets that the simulation names, by their names; a secret that
            does not exist is missing.
        verifications: The pods of its verifications.
    """

    children: tuple[Mapping[str, Any], ...] = ()
    pods: tuple[Pod, ...] = ()
    scrapes: Mapping[str, Scrape] | None = None
    has_pod_monitors: bool = False
    secrets: Mapping[str, Mapping[str, str]] | None = None
    verifications: tuple[VerificationPod, ...] = ()

    def figures(self) -> dict[int, Scrape]:
        """Return the metrics of the workers whose pod stays, by worker."""
        scrapes = self.scrapes or {}
        return {
            pod.worker: scrapes[pod.name]
            for pod in self.pods
            if pod.name in scrapes and not pod.is_leaving
        }

    def unseen(self) -> frozenset[int]:
        """Return the ready workers that gave no metrics."""
        ready = {pod.worker for pod in self.pods if pod.is_ready and not pod.is_leaving}
        return frozenset(ready - self.figures().keys())


def pod_from(body: Mapping[str, Any], read_annotation: str) -> Pod:
    """Return a pod from the API server's object."""
    metadata, status = body["metadata"], body.get("status", {})
    annotations = metadata.get("annotations", {})
    worker = metadata.get("labels", {}).get(WORKER_LABEL, "")
    container: Mapping[str, Any] = next(iter(status.get("containerStatuses", [])), {})
    waiting = container.get("state", {}).get("waiting", {})
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get(
        "terminated", {}
    )
    containers = body.get("spec", {}).get("containers", [])
    environment = (row for container in containers for row in container.get("env", ()))
    conditions = {row["type"]: row for row in status.get("conditions", [])}
    scheduled = conditions.get("PodScheduled", {})
    return Pod(
        name=metadata["name"],
        worker=int(worker) if worker.isdecimal() else -1,
        shards=parse_shards(annotations.get(SHARDS_ANNOTATION, "")),
        address=status.get("podIP", ""),
        is_ready=conditions.get("Ready", {}).get("status") == "True",
        is_over=status.get("phase") in _OVER,
        is_leaving="deletionTimestamp" in metadata,
        image_message=_short(waiting.get("message", waiting["reason"]))
        if waiting.get("reason") in _NO_IMAGE
        else "",
        unscheduled_message=_short(scheduled.get("message", ""))
        if scheduled.get("reason") == "Unschedulable"
        else "",
        exit_code=ended.get("exitCode"),
        exit_message=_last_line(ended.get("message", "")),
        read=annotations.get(read_annotation, ""),
        run_id=next((row.get("value", "") for row in environment if row["name"] == _RUN_ID), ""),
    )


def verification_pod_from(body: Mapping[str, Any]) -> VerificationPod | None:
    """Return a verification's pod from the API server's object; ``None`` for another pod."""
    labels = body["metadata"].get("labels", {})
    if labels.get(COMPONENT_LABEL) != VERIFICATION:
        return None
    status = body.get("status", {})
    messages, problem = [""], ""
    for row in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        waiting = row.get("state", {}).get("waiting", {})
        if waiting.get("reason") in _NO_IMAGE:
            problem = _short(waiting.get("message", waiting["reason"]))
        ended = row.get("state", {}).get("terminated", {})
        # After a failed container, the next one has never begun.
        if lines := ended.get("message", "").strip().splitlines():
            messages.append(lines[-1])
        elif ended.get("exitCode"):
            code, reason = ended["exitCode"], ended.get("reason", "Error")
            messages.append(f"the container {row['name']} ended with {code} ({reason})")
    for row in status.get("conditions", []):
        if row["type"] == "PodScheduled" and row.get("reason") == "Unschedulable":
            problem = _short(row.get("message", ""))
    return VerificationPod(
        labels.get(_JOB_LABEL, ""), status.get("phase") in _OVER, problem, messages[-1]
    )


def scrape_from(text: str) -> Scrape:
    """Return a worker's metrics from the text of a scrape.

    Raises:
        ValueError: A line is not in Prometheus' format, or a metric is missing.
    """
    # Parse only the lines that count: the parser takes a millisecond for all of them.
    lines = (line for line in text.split("\n") if line.startswith(_READ))
    found: dict[str, float] = {}
    for family in text_string_to_metric_families("\n".join(lines)):
        for sample in family.samples:
            name = sample.name.removeprefix(_PREFIX)
            if name == "spec_changes_total":
                name = f"{sample.labels.get('outcome')}_changes"
            found[name] = found.get(name, 0.0) + sample.value
    try:
        return Scrape(
            **{field: found[name] for field, name in _METRICS.items()},
            shards_over=int(found["shards_over"]),
            refused_changes=found.get("refused_changes", 0.0),
        )
    except KeyError as error:
        raise ValueError(f"the metric {_PREFIX}{error.args[0]} is missing") from None


def _short(text: str) -> str:
    return " ".join(text.split())[:_MESSAGE_LENGTH]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return _short(lines[-1].removeprefix("error: ")) if lines else ""
