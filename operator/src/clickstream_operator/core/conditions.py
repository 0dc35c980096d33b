"""The conditions of a simulation: Ready, Progressing, Degraded, and as needed Stored and Verified.

Owns the status, reason and message of each. A message has no figure that changes all the time:
otherwise the operator would write the status again and again. Conventions:
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_contract.topics import EVENTS
from clickstream_contract.worker_exit import WorkerExit

from clickstream_operator.core.pod import METRICS_PORT
from clickstream_operator.core.reasons import Reason
from clickstream_operator.core.scaling import is_pushed_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickstream_operator.core.observed import Observed, Scrape
    from clickstream_operator.settings import Settings

__all__ = [
    "Finding",
    "Verdict",
    "Verified",
    "condition_of",
    "other_topic",
    "reason_of",
    "stamped",
    "verdict",
]

_REASONS: dict[int, Reason] = {
    WorkerExit.MISCONFIGURED: Reason.WORKER_MISCONFIGURED,
    WorkerExit.BROKER_REFUSED: Reason.BROKER_UNREACHABLE,
    WorkerExit.SHARDS_TAKEN: Reason.SHARDS_TAKEN,
    WorkerExit.WORLD_CHANGED: Reason.WORLD_CHANGED,
    WorkerExit.REGISTRY_REFUSED: Reason.REGISTRY_UNREACHABLE,
}
"""The reason for each exit code of a worker."""
_NAMING_FILES = (
    WorkerExit.MISCONFIGURED, WorkerExit.BROKER_REFUSED, WorkerExit.REGISTRY_REFUSED
)  # fmt: skip
"""The exit codes whose message may name a file of a secret."""
_KILLED = (137, 143)
_MESSAGE_LENGTH = 1_024


@dataclass(frozen=True)
class Finding:
    """A problem of a simulation.

    Attributes:
        reason: The reason of the condition ``Degraded``.
        message: What is wrong, where, and what to do.
    """

    reason: Reason
    message: str


@dataclass(frozen=True)
class Verified:
    """The condition ``Verified``.

    Attributes:
        status: Whether the tables agree with the ledger; ``None`` if that is unknown.
        reason: Why.
        message: Why, in a sentence.
    """

    status: bool | None
    reason: Reason
    message: str


@dataclass(frozen=True)
class Verdict:
    """The state of a simulation.

    Attributes:
        reason: Why it is ready, or why not.
        message: The same in a sentence.
        ready: Whether the shop gets its traffic.
        progressing: Whether the operator or the cluster still changes something.
        degraded: The problem, if there is one.
    """

    reason: Reason
    message: str
    ready: bool = False
    progressing: bool = False
    degraded: Finding | None = None


def verdict(
    workers: int,
    observed: Observed,
    settings: Settings,
    *,
    is_missed: bool,
    is_silent: bool = False,
    is_unseen: bool = False,
    is_limited: bool = False,
    files: str = "",
    failure: Finding | None = None,
) -> Verdict:
    """Return the state of a simulation that should run.

    Args:
        workers: The desired number of workers.
        observed: The simulation's objects in the cluster.
        settings: The operator's settings.
        is_missed: Whether the rate has been missed for long enough to add a worker.
        is_silent: Whether the broker has acknowledged nothing for a while.
        is_unseen: Whether a ready worker has given no metrics for a while.
        is_limited: Whether the simulation asks for more workers than the operator allows.
        files: A text that names the secrets of the workers' files.
        failure: What the API server refused.
    """
    staying = [pod for pod in observed.pods if not pod.is_leaving and 0 <= pod.worker < workers]
    ready = {pod.worker for pod in staying if pod.is_ready}
    found = failure or _finding(observed, settings, is_silent=is_silent, files=files)
    if found is None and is_unseen:
        found = Finding(
            Reason.WORKERS_UNSEEN,
            f"a ready worker gives no metrics on port {METRICS_PORT}, so its rate is unknown: look "
            "for a NetworkPolicy or a mesh between the operator and the worker",
        )
    if found is None and is_missed:
        found = Finding(
            Reason.RATE_NOT_REACHED,
            "the workers send less than 95 % of the rate: allow more of them (spec.workers), "
            "give them more CPU, or lower the rate",
        )
    if len(ready) < workers:
        reason = found.reason if found else Reason.WORKERS_STARTING
        message = found.message if found else "not every worker is ready yet"
        return Verdict(reason, message, progressing=True, degraded=found)
    if found is not None:
        return Verdict(found.reason, found.message, degraded=found)
    message = "all workers run and send"
    if is_limited:
        message += (
            f"; spec.workers asks for more than {settings.max_workers}, which is this operator's "
            "limit (MAX_WORKERS)"
        )
    return Verdict(Reason.RUNNING, message, ready=True)


def _finding(
    observed: Observed, settings: Settings, *, is_silent: bool, files: str
) -> Finding | None:
    """Return the most fundamental problem."""
    refused = _refused_pods(observed.children)
    if refused is not None:
        return refused
    for pod in observed.pods:
        if pod.image_message:
            return Finding(
                Reason.IMAGE_PULL_FAILED,
                f"the node cannot pull the image {settings.image}: {pod.image_message}",
            )
    for pod in observed.pods:
        if pod.unscheduled_message:
            return Finding(
                Reason.UNSCHEDULABLE, f"no node has room for a worker: {pod.unscheduled_message}"
            )
    for pod in observed.pods:
        if not pod.is_ready and pod.exit_code and pod.exit_code not in _KILLED:
            message = pod.exit_message or "it wrote no message"
            if pod.exit_code in _NAMING_FILES and files:
                # The worker names a path; the author of the simulation needs the secret's name.
                message = f"{message} ({files})"
            return Finding(_REASONS.get(pod.exit_code, Reason.WORKER_CRASHED), message)
    if is_silent:
        return Finding(
            Reason.BROKER_UNREACHABLE, "the broker acknowledges nothing; events wait in the workers"
        )
    return _figures(observed.figures(), settings)


def _refused_pods(children: Sequence[Mapping[str, Any]]) -> Finding | None:
    for child in children:
        if child.get("kind") != "Deployment":
            continue
        for row in child.get("status", {}).get("conditions", []):
            if row.get("type") == "ReplicaFailure" and row.get("status") == "True":
                message = str(row.get("message", ""))
                reason = (
                    Reason.QUOTA_EXCEEDED if "exceeded quota" in message else Reason.PODS_REFUSED
                )
                return Finding(reason, message[:_MESSAGE_LENGTH])
    return None


def _figures(figures: Mapping[int, Scrape], settings: Settings) -> Finding | None:
    if any(row.refused_changes for row in figures.values()):
        return Finding(
            Reason.CHANGE_REFUSED,
            "a worker rejects the changed spec and keeps the former one; its log names the field",
        )
    if is_pushed_back(figures, settings):
        return Finding(
            Reason.BROKER_SLOW,
            "the broker takes fewer events than the workers send; more workers would not help, "
            "so the operator adds none",
        )
    return None


def stamped(
    judged: Verdict,
    before: Sequence[Mapping[str, Any]],
    generation: int,
    now: str,
    other_topic: str = "",
    verified: Verified | None = None,
) -> list[dict[str, Any]]:
    """Return the conditions, each with the time of its last change of status.

    Args:
        judged: The simulation's state.
        before: The present conditions.
        generation: The generation of the spec.
        now: The present time, RFC 3339.
        other_topic: The topic for the events, if the stream does not read it.
        verified: The condition ``Verified``, if the simulation asks for verifications.
    """
    bad = judged.degraded
    moving = judged.progressing
    rows: list[tuple[str, bool | None, Reason, str]] = [
        ("Ready", judged.ready, judged.reason, judged.message),
        (
            "Progressing",
            moving,
            judged.reason if moving else Reason.SETTLED,
            judged.message if moving else "nothing changes",
        ),
        (
            "Degraded",
            bad is not None,
            bad.reason if bad else Reason.AS_EXPECTED,
            bad.message if bad else "nothing is wrong",
        ),
    ]
    if other_topic:
        message = (
            f"the stream does not read the topic {other_topic} of spec.output: no table gets these "
            "events"
        )
        rows.append(("Stored", False, Reason.OTHER_OUTPUT, message))
    if verified is not None:
        rows.append(("Verified", verified.status, verified.reason, verified.message))
    former = {row["type"]: row for row in before}
    return [
        {
            "type": kind,
            "status": _status(is_true),
            "observedGeneration": generation,
            "lastTransitionTime": former[kind]["lastTransitionTime"]
            if kind in former and former[kind]["status"] == _status(is_true)
            else now,
            "reason": reason.value,
            "message": message[:_MESSAGE_LENGTH],
        }
        for kind, is_true, reason, message in rows
    ]


def _status(is_true: bool | None) -> str:  # noqa: FBT001  a condition's status
    return "Unknown" if is_true is None else str(is_true)


def other_topic(resource: Mapping[str, Any]) -> str:
    """Return the topic of a simulation's events if the stream does not read it; else empty."""
    value: object = resource.get("spec")
    for key in ("output", "topic"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value != EVENTS.name else ""


def reason_of(status: Mapping[str, Any]) -> str:
    """Return the reason of the condition ``Ready``; empty without one."""
    return str(condition_of(status, "Ready").get("reason", ""))


def condition_of(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return the condition of a type; empty without one."""
    return next((row for row in status.get("conditions", []) if row["type"] == kind), {})
