"""The conditions of a simulation: Ready, Progressing, Degraded.

Owns which is true, why, and in which words. A message holds no figure that changes by itself,
so that a status at rest is not written. Conventions:
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_contract.worker_exit import WorkerExit

from clickstream_operator.core.pod import METRICS_PORT
from clickstream_operator.core.scaling import is_pushed_back

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickstream_operator.core.observed import Observed, Scrape
    from clickstream_operator.settings import Settings

__all__ = ["COMPLETED", "SUSPENDED", "Finding", "Verdict", "reason_of", "stamped", "verdict"]

COMPLETED = "Completed"
SUSPENDED = "Suspended"
_REASONS: dict[int, str] = {
    WorkerExit.MISCONFIGURED: "WorkerMisconfigured",
    WorkerExit.BROKER_REFUSED: "BrokerUnreachable",
    WorkerExit.SHARDS_TAKEN: "ShardsTaken",
    WorkerExit.WORLD_CHANGED: "WorldChanged",
}
"""By the exit code of a worker."""
_KILLED = (137, 143)
_MESSAGE_LENGTH = 1_024


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes:
        reason: In one word, CamelCase.
        message: What, where, and what to do.
    """

    reason: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """Whether a simulation is well.

    Attributes:
        reason: Why it is ready, or why not.
        message: In words.
        ready: Whether the shop gets its traffic.
        progressing: Whether something is on its way.
        degraded: What is wrong, if anything.
    """

    reason: str
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
    """Judge a simulation that is to run.

    Args:
        workers: How many there shall be.
        observed: What is seen.
        settings: The operator's.
        is_missed: Whether the rate has been missed for as long as it takes to add a worker.
        is_silent: Whether the broker has acknowledged nothing for a while.
        is_unseen: Whether a worker that is ready has given no figures for a while.
        is_limited: Whether the simulation asks for more workers than the operator allows.
        files: Which secrets the workers' files come from, in words.
        failure: What the API server would not do.
    """
    staying = [pod for pod in observed.pods if not pod.is_leaving and 0 <= pod.worker < workers]
    ready = {pod.worker for pod in staying if pod.is_ready}
    found = failure or _finding(observed, settings, is_silent=is_silent, files=files)
    if found is None and is_unseen:
        found = Finding(
            "WorkersUnseen",
            f"no figures come from port {METRICS_PORT} of a worker that is ready, so nothing is "
            "known of its rate: look for a NetworkPolicy or a mesh between the operator and it",
        )
    if found is None and is_missed:
        found = Finding(
            "RateNotReached",
            "the workers send less than 95 % of the rate: allow more of them (spec.workers), "
            "give them more CPU, or lower the rate",
        )
    if len(ready) < workers:
        reason = found.reason if found else "WorkersStarting"
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
    return Verdict("Running", message, ready=True)


def _finding(
    observed: Observed, settings: Settings, *, is_silent: bool, files: str
) -> Finding | None:
    """Return the first thing that is wrong, the most fundamental first."""
    refused = _refused_pods(observed.children)
    if refused is not None:
        return refused
    for pod in observed.pods:
        if pod.image_message:
            return Finding(
                "ImagePullFailed",
                f"the image {settings.image} cannot be had: {pod.image_message}",
            )
    for pod in observed.pods:
        if pod.unscheduled_message:
            return Finding("Unschedulable", f"no node takes a worker: {pod.unscheduled_message}")
    for pod in observed.pods:
        if not pod.is_ready and pod.exit_code and pod.exit_code not in _KILLED:
            message = pod.exit_message or "it says nothing"
            if pod.exit_code in {WorkerExit.MISCONFIGURED, WorkerExit.BROKER_REFUSED} and files:
                # The worker names a path; whoever wrote the simulation named a secret.
                message = f"{message} ({files}; see spec.kafka)"
            return Finding(_REASONS.get(pod.exit_code, "WorkerCrashed"), message)
    if is_silent:
        return Finding(
            "BrokerUnreachable", "the broker acknowledges nothing; what is due waits in the workers"
        )
    return _figures(observed.figures(), settings)


def _refused_pods(children: Sequence[Mapping[str, Any]]) -> Finding | None:
    for child in children:
        if child.get("kind") != "Deployment":
            continue
        for row in child.get("status", {}).get("conditions", []):
            if row.get("type") == "ReplicaFailure" and row.get("status") == "True":
                message = str(row.get("message", ""))
                reason = "QuotaExceeded" if "exceeded quota" in message else "PodsRefused"
                return Finding(reason, message[:_MESSAGE_LENGTH])
    return None


def _figures(figures: Mapping[int, Scrape], settings: Settings) -> Finding | None:
    if any(row.refused_changes for row in figures.values()):
        return Finding(
            "ChangeRefused",
            "a worker does not take the changed specification and keeps to the one before; "
            "its log says which field",
        )
    if is_pushed_back(figures, settings):
        return Finding(
            "BrokerSlow",
            "the broker takes less than is sent; more workers would not help, so none is added",
        )
    return None


def stamped(
    judged: Verdict, before: Sequence[Mapping[str, Any]], generation: int, now: str
) -> list[dict[str, Any]]:
    """Return the conditions, each with the moment since which its status is what it is.

    Args:
        judged: What they say.
        before: The conditions as they stand.
        generation: Of the specification that they are about.
        now: The present, RFC 3339.
    """
    bad = judged.degraded
    moving = judged.progressing
    rows = [
        ("Ready", judged.ready, judged.reason, judged.message),
        (
            "Progressing",
            moving,
            judged.reason if moving else "Settled",
            judged.message if moving else "nothing is on its way",
        ),
        (
            "Degraded",
            bad is not None,
            bad.reason if bad else "AsExpected",
            bad.message if bad else "nothing is wrong",
        ),
    ]
    former = {row["type"]: row for row in before}
    return [
        {
            "type": kind,
            "status": str(is_true),
            "observedGeneration": generation,
            "lastTransitionTime": former[kind]["lastTransitionTime"]
            if kind in former and former[kind]["status"] == str(is_true)
            else now,
            "reason": reason,
            "message": message[:_MESSAGE_LENGTH],
        }
        for kind, is_true, reason, message in rows
    ]


def reason_of(status: Mapping[str, Any]) -> str:
    """Return why a simulation was last said to be ready or not."""
    rows = status.get("conditions", [])
    return next((str(row["reason"]) for row in rows if row["type"] == "Ready"), "")
