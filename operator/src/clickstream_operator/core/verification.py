"""The verifications of a simulation: when one begins, and what the last one found.

Owns the condition ``Verified`` and ``status.verification``. At most one verification runs: the next
one begins only when the status has the end of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clickstream_contract.verification_result import read_result

from clickstream_operator.core.broker import Broker
from clickstream_operator.core.conditions import Verified, condition_of
from clickstream_operator.core.database import chosen_database
from clickstream_operator.core.desired import iso
from clickstream_operator.core.destination import database_problem
from clickstream_operator.core.observed import COMPONENT_LABEL, VERIFICATION
from clickstream_operator.core.reasons import Reason
from clickstream_operator.core.verification_job import job, job_name, surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_contract.simulation import Simulation
    from clickstream_contract.verification import Verification

    from clickstream_operator.core.database import Database
    from clickstream_operator.core.desired import Owner
    from clickstream_operator.core.kinds import Object
    from clickstream_operator.core.observed import Observed
    from clickstream_operator.settings import Settings

__all__ = ["NO_VERIFICATION", "VerificationPlan", "paused_verification", "plan_verification"]

_FIRST_SECONDS = 180
"""When the first verification begins after the run's start: before, no minute may be complete and
settled."""
_NO_MESSAGE = "the verification's pod ended without a message; the next verification follows"
_ENDED_JOBS = 3
"""How many ended Jobs stay, for their logs."""


@dataclass(frozen=True)
class VerificationPlan:
    """The part of a plan that concerns verifications.

    Attributes:
        verified: The condition; ``None`` if the simulation asks for no verification.
        status: The new ``status.verification``; empty before the first one.
        children: The desired children.
        kept: Present Jobs that stay as they are: a Job cannot be changed.
    """

    verified: Verified | None = None
    status: Mapping[str, Any] = field(default_factory=dict)
    children: tuple[Object, ...] = ()
    kept: tuple[Mapping[str, Any], ...] = ()


NO_VERIFICATION = VerificationPlan()


def paused_verification(status: Mapping[str, Any]) -> VerificationPlan:
    """Return the plan while no verification can run: the last result stays as it is."""
    if not condition_of(status, "Verified"):
        return NO_VERIFICATION
    return VerificationPlan(_former(status), status.get("verification", {}))


def plan_verification(
    simulation: Simulation,
    owner: Owner,
    status: Mapping[str, Any],
    observed: Observed,
    now: float,
    settings: Settings,
    refused: str = "",
) -> VerificationPlan:
    """Return what the operator has to write for a simulation's verifications.

    Args:
        simulation: The simulation.
        owner: Its name and uid.
        status: Its present status.
        observed: Its objects in the cluster.
        now: Unix seconds.
        settings: The operator's settings.
        refused: Why the API server refused an object of the last verification.
    """
    asked = simulation.spec.verification
    if asked is None:
        return NO_VERIFICATION
    known: dict[str, Any] = dict(status.get("verification", {}))
    verified = _former(status)
    found = _permitted(asked, observed, settings)
    if isinstance(found, Verified):
        return VerificationPlan(found, known)
    present = {
        row["metadata"]["name"]: row
        for row in observed.children
        if row["kind"] == "Job"
        and row["metadata"].get("labels", {}).get(COMPONENT_LABEL) == VERIFICATION
        and any(ref["uid"] == owner.uid for ref in row["metadata"].get("ownerReferences", ()))
    }
    if "startedAt" in known and not _has_ended(known):
        name = job_name(owner, _seconds(known["startedAt"]))
        ended = _end(name, present.get(name), observed)
        if ended is not None:
            verified, figures = ended
            known = {"startedAt": known["startedAt"], "finishedAt": iso(now), **figures}
        elif refused:
            verified = Verified(None, Reason.VERIFICATION_FAILED, refused)
    if _is_due(asked, known, status, now):
        known["startedAt"] = iso(now)
    broker = Broker(simulation.spec.kafka, settings)
    children = surroundings(asked, owner, broker, found)
    kept = [present[name] for name in sorted(present)][-_ENDED_JOBS:]
    if "startedAt" in known and not _has_ended(known):
        started = _seconds(known["startedAt"])
        if job_name(owner, started) not in present:
            children.append(job(asked, owner, started, broker, found, settings))
    return VerificationPlan(verified, known, tuple(children), tuple(kept))


def _permitted(asked: Verification, observed: Observed, settings: Settings) -> Database | Verified:
    """Return the database, or why there is no verification."""
    problem = database_problem(asked, settings, observed.secrets or {})
    if problem is not None:
        return Verified(None, problem.reason, problem.message)
    database = chosen_database(asked, settings)
    if database is None:
        message = "spec.verification: name a database; this operator has no default"
        return Verified(None, Reason.NO_DATABASE, message)
    return database


def _former(status: Mapping[str, Any]) -> Verified:
    """Return the condition as it is; before the first verification, that one is pending."""
    row = condition_of(status, "Verified")
    kept = (Reason.AGREES, Reason.DIFFERS, Reason.VERIFICATION_FAILED)
    if row.get("reason") not in kept:
        return Verified(None, Reason.VERIFICATION_PENDING, "no verification has ended yet")
    is_true = {"True": True, "False": False}.get(row["status"])
    return Verified(is_true, Reason(row["reason"]), row["message"])


def _end(
    name: str, present: Mapping[str, Any] | None, observed: Observed
) -> tuple[Verified, dict[str, Any]] | None:
    """Return what a verification found, as condition and figures; ``None`` while it runs."""
    pod = next((row for row in observed.verifications if row.job == name), None)
    if pod is None or (not pod.is_over and pod.problem):
        # The Job's controller deletes the pod at the deadline.
        ended = _job_problem(present)
        if ended is None:
            return None
        message = f"{ended}: {pod.problem}" if pod else ended
        return Verified(None, Reason.VERIFICATION_FAILED, message), {}
    if not pod.is_over:
        return None
    result = read_result(pod.message)
    if result is None:
        message = pod.message.removeprefix("error: ") or _job_problem(present) or _NO_MESSAGE
        return Verified(None, Reason.VERIFICATION_FAILED, message), {}
    figures = result.model_dump(by_alias=True, exclude_none=True, exclude={"text"})
    agrees = not result.differences
    reason = Reason.AGREES if agrees else Reason.DIFFERS
    return Verified(agrees, reason, result.text), figures


def _job_problem(present: Mapping[str, Any] | None) -> str | None:
    """Return why a Job has ended without a pod; ``None`` if it has not ended."""
    for row in (present or {}).get("status", {}).get("conditions", []):
        if row["type"] in {"Failed", "Complete"} and row["status"] == "True":
            return str(row.get("message") or row.get("reason") or "the Job has ended")
    return None


def _is_due(
    asked: Verification, known: Mapping[str, Any], status: Mapping[str, Any], now: float
) -> bool:
    """Return whether the next verification begins now."""
    if "startedAt" in known:
        # Not in the second of the end: the two times say which verification has ended.
        is_free = _has_ended(known) and iso(now) > known["finishedAt"]
        return is_free and now >= _seconds(known["startedAt"]) + asked.every_seconds
    begun = status.get("startTime")
    return begun is not None and now >= _seconds(begun) + _FIRST_SECONDS


def _has_ended(known: Mapping[str, Any]) -> bool:
    return str(known.get("finishedAt", "")) >= str(known["startedAt"])


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
