"""The plan of one reconcile: from the resource and the observed objects to the writes.

Owns the states of a run - begin, change, suspend, resume, complete - and the status that reports
them. Pure: the writes are data. Everything that must survive a restart of the operator is in the
status; :class:`Memory` may be lost at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clickstream_contract.errors import SimulationInvalid

from clickstream_operator.core.broker import Broker
from clickstream_operator.core.conditions import (
    Finding,
    Verdict,
    condition_of,
    other_topic,
    reason_of,
    stamped,
    verdict,
)
from clickstream_operator.core.desired import (
    WANTED_ANNOTATION,
    Owner,
    children,
    document_digest,
    iso,
)
from clickstream_operator.core.destination import destination_problem
from clickstream_operator.core.drift import satisfies
from clickstream_operator.core.observed import COMPONENT_LABEL, SIMULATION_LABEL
from clickstream_operator.core.reasons import Reason
from clickstream_operator.core.registry import named_registry
from clickstream_operator.core.scaling import (
    Trend,
    first_workers,
    is_limited,
    is_missed,
    is_silent,
    next_workers,
)
from clickstream_operator.core.secret_files import files_text
from clickstream_operator.core.settled import Reading, Settled, read_simulation
from clickstream_operator.core.status import (
    is_worth_writing,
    recorded_run,
    run_state,
    status_figures,
)
from clickstream_operator.core.verification import (
    NO_VERIFICATION,
    VerificationPlan,
    paused_verification,
    plan_verification,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_contract.simulation import Simulation

    from clickstream_operator.core.observed import Observed
    from clickstream_operator.settings import Settings

__all__ = ["Memory", "Notice", "Plan", "make_plan"]

_UNSEEN_SECONDS = 30.0
"""How long a ready worker may give no metrics; a single answer may be lost."""
_SILENT_SECONDS = 10.0
"""How long the broker may acknowledge nothing; a new worker needs a moment for its first event."""


@dataclass(frozen=True)
class Memory:
    """What the operator remembers of a simulation between two reconciles.

    Attributes:
        trend: The measurements that decide the number of workers.
        silent_since: Since when the broker has acknowledged nothing, Unix seconds.
        unseen_since: Since when a ready worker has given no metrics, Unix seconds.
        written_at: When the status was written last, Unix seconds.
        unverified: Why the API server refused an object of a verification; empty if it did not.
        reading: The simulation, and what it was read from.
        settled: That nothing was to be written, and what that followed from.
    """

    trend: Trend = field(default_factory=Trend)
    silent_since: float | None = None
    unseen_since: float | None = None
    written_at: float = 0.0
    unverified: str = ""
    reading: Reading | None = None
    settled: Settled | None = None


@dataclass(frozen=True)
class Notice:
    """A Kubernetes event about the simulation."""

    type: str
    reason: Reason
    message: str


@dataclass(frozen=True)
class Plan:
    """The writes of one reconcile, in this order.

    Attributes:
        status: The new status, or ``None`` if the present one is right.
        delete: Children that are not desired any more.
        apply: The desired state of children that are missing or have drifted.
        force_sync: Pods whose annotation changes, so that the kubelet reads the file again.
        digest: The new value of that annotation.
        notices: The events to post.
        memory: What to remember for the next reconcile.
        is_under_way: Whether to reconcile again soon, also without a change.
    """

    status: dict[str, Any] | None
    delete: tuple[Mapping[str, Any], ...] = ()
    apply: tuple[dict[str, Any], ...] = ()
    force_sync: tuple[str, ...] = ()
    digest: str = ""
    notices: tuple[Notice, ...] = ()
    memory: Memory = field(default_factory=Memory)
    is_under_way: bool = False


def make_plan(
    resource: Mapping[str, Any],
    observed: Observed,
    memory: Memory,
    now: float,
    settings: Settings,
    failure: Finding | None = None,
) -> Plan:
    """Return what the operator has to write for a simulation.

    Args:
        resource: The simulation, as the API server returns it.
        observed: The simulation's objects in the cluster.
        memory: The memory of the last reconcile.
        now: Unix seconds.
        settings: The operator's settings.
        failure: What the API server refused in the last reconcile.
    """
    metadata = resource["metadata"]
    owner = Owner(metadata["name"], metadata["namespace"], metadata["uid"])
    case = _Case(resource, owner, observed, memory, now)
    is_completed = reason_of(case.status) == Reason.COMPLETED
    try:
        reading = read_simulation(resource, memory.reading)
    except SimulationInvalid as error:
        case = replace(case, verification=paused_verification(case.status))
        if is_completed:
            return _resting(case, _COMPLETED)
        # Running workers keep running: the operator applies and deletes nothing.
        invalid = Finding(Reason.INVALID_SPEC, str(error))
        return _status_plan(case, Verdict(invalid.reason, invalid.message, degraded=invalid), {})
    simulation = reading.simulation
    case = replace(case, memory=replace(memory, reading=reading))
    is_completed = is_completed or _is_complete(simulation, case.status, observed)
    is_resting = is_completed or simulation.spec.suspend
    broker = Broker(simulation.spec.kafka, settings)
    problem = _kafka_problem(simulation, broker, settings, observed)
    if problem is not None:
        if simulation.spec.verification is not None:
            case = replace(case, verification=paused_verification(case.status))
        if not is_resting:
            return _refused(case, problem)
    else:
        verification = plan_verification(
            simulation, owner, case.status, observed, now, settings, memory.unverified
        )
        case = replace(case, verification=verification)
    if is_resting:
        return _resting(case, _COMPLETED if is_completed else _SUSPENDED)
    return _running(case, simulation, broker, settings, failure)


@dataclass(frozen=True)
class _Case:
    """What each part of a plan needs; see :func:`make_plan`."""

    resource: Mapping[str, Any]
    owner: Owner
    observed: Observed
    memory: Memory
    now: float
    verification: VerificationPlan = NO_VERIFICATION

    @property
    def status(self) -> Mapping[str, Any]:
        """The present status."""
        status: Mapping[str, Any] = self.resource.get("status", {})
        return status


_SUSPENDED = Finding(
    Reason.SUSPENDED, "spec.suspend is true; the workers have saved their positions"
)
_COMPLETED = Finding(Reason.COMPLETED, "spec.stopAfter is reached and every event acknowledged")


def _resting(case: _Case, why: Finding) -> Plan:
    """Return the plan of a simulation that needs no workers."""
    judged = Verdict(why.reason, why.message, progressing=bool(case.observed.pods))
    return _without_workers(case, judged)


def _kafka_problem(
    simulation: Simulation, broker: Broker, settings: Settings, observed: Observed
) -> Finding | None:
    """Return why a simulation may not use its Kafka, or ``None``."""
    if not broker.servers:
        return Finding(
            Reason.NO_BROKER,
            "spec.kafka: name clusterRef or bootstrapServers; this operator has no default",
        )
    return destination_problem(simulation.spec, broker, settings, observed.secrets or {})


def _refused(case: _Case, problem: Finding) -> Plan:
    """Return the plan that removes the workers, so that they send nothing they may not send."""
    if problem.reason == Reason.NO_BROKER:
        judged = Verdict(problem.reason, problem.message, degraded=problem)
        return _status_plan(case, judged, {})
    judged = Verdict(
        problem.reason, problem.message, progressing=bool(case.observed.pods), degraded=problem
    )
    # The operator does not watch the labels of secrets, so it has to ask again.
    return replace(_without_workers(case, judged), is_under_way=True)


def _without_workers(case: _Case, judged: Verdict) -> Plan:
    decided = {"workers": 0, **status_figures(case.status, case.observed, 0)}
    return _with_children(case, _status_plan(case, judged, decided), [])


def _running(
    case: _Case,
    simulation: Simulation,
    broker: Broker,
    settings: Settings,
    failure: Finding | None,
) -> Plan:
    observed, status, now = case.observed, case.status, case.now
    registry = named_registry(simulation.spec.event_output, settings.registries)
    workers, remembered = _measured(simulation, status, observed, case.memory, now, settings)
    judged = verdict(
        workers,
        observed,
        settings,
        is_missed=is_missed(remembered.trend, now, settings),
        is_silent=_has_lasted(remembered.silent_since, _SILENT_SECONDS, now),
        is_unseen=_has_lasted(remembered.unseen_since, _UNSEEN_SECONDS, now),
        is_limited=is_limited(simulation.spec, settings),
        files=files_text((*broker.secrets(), *(registry.secrets() if registry else ()))),
        failure=failure,
    )
    plan = _with_run(replace(case, memory=remembered), simulation, workers, settings, judged)
    return replace(
        plan,
        notices=(*plan.notices, *_notices(status, workers, observed, plan.apply)),
        # The kubelet reads a changed ConfigMap within a minute, or at once when the pod changes.
        force_sync=tuple(
            pod.name
            for pod in observed.pods
            if pod.read != plan.digest and not pod.is_leaving and not pod.is_over
        ),
        is_under_way=True,
    )


def _with_run(
    case: _Case, simulation: Simulation, workers: int, settings: Settings, judged: Verdict
) -> Plan:
    """Return the plan with status and children; settled children are not derived again."""
    observed, verification, status = case.observed, case.verification, case.status
    recorded = recorded_run(status)
    inputs = (
        simulation, case.owner, workers, case.resource["metadata"].get("generation"), recorded,
        observed.children, observed.pods, observed.has_pod_monitors,
        verification.children, verification.kept,
    )  # fmt: skip
    figures = status_figures(
        status,
        observed,
        round(simulation.spec.rate.per_second),
        # A single answer may be lost, which is no change of the rate.
        keeps_rate=bool(observed.unseen())
        and not _has_lasted(case.memory.unseen_since, _UNSEEN_SECONDS, case.now),
    )
    settled = case.memory.settled
    if settled is not None and settled.inputs == inputs:
        plan = _status_plan(case, judged, recorded | figures)
        return replace(plan, digest=settled.digest)
    run, course = run_state(case.resource, simulation, workers, case.now, settings)
    plan = _with_children(
        case,
        _status_plan(case, judged, course | figures),
        children(simulation, case.owner, run, settings, observed),
    )
    digest = document_digest(simulation, run)
    is_settled = course == recorded and not plan.delete and not plan.apply
    settled = Settled(inputs, digest) if is_settled else None
    return replace(plan, digest=digest, memory=replace(plan.memory, settled=settled))


def _measured(
    simulation: Simulation,
    status: Mapping[str, Any],
    observed: Observed,
    memory: Memory,
    now: float,
    settings: Settings,
) -> tuple[int, Memory]:
    """Return the number of workers that the workers' figures ask for, and the memory of them."""
    before = int(status.get("workers", 0)) or first_workers(simulation.spec, settings)
    figures = observed.figures()
    workers, trend = next_workers(simulation.spec, before, figures, memory.trend, now, settings)
    return workers, replace(
        memory,
        trend=trend,
        silent_since=(memory.silent_since or now) if is_silent(figures) else None,
        unseen_since=(memory.unseen_since or now) if observed.unseen() else None,
    )


def _has_lasted(since: float | None, seconds: float, now: float) -> bool:
    return since is not None and now - since >= seconds


def _with_children(case: _Case, plan: Plan, wanted: list[dict[str, Any]]) -> Plan:
    """Return the plan with the writes that give the simulation the desired children.

    The simulation's own children that it does not desire are deleted. An object that only carries
    the operator's label stays.
    """
    # Last: a refused object of a verification must not stop the workers.
    rows = [*wanted, *case.verification.children]
    there = {_key(row): row for row in case.observed.children}
    kept = {_key(row) for row in (*rows, *case.verification.kept)}
    return replace(
        plan,
        delete=tuple(
            row
            for key, row in there.items()
            if key not in kept
            and any(
                ref["uid"] == case.owner.uid for ref in row["metadata"].get("ownerReferences", ())
            )
        ),
        apply=tuple(row for row in rows if not satisfies(there.get(_key(row)), row)),
        # The next verification has a time, and no change announces it.
        is_under_way=bool(case.observed.pods) or case.verification is not NO_VERIFICATION,
    )


def _is_complete(simulation: Simulation, status: Mapping[str, Any], observed: Observed) -> bool:
    """Return whether the broker has acknowledged the last event of every shard."""
    if simulation.spec.stop_after is None:
        return False
    figures = observed.figures()
    over = sum(row.shards_over for row in figures.values())
    return len(figures) == status.get("workers") and over >= simulation.spec.shards


def _status_plan(case: _Case, judged: Verdict, decided: dict[str, Any]) -> Plan:
    """Return the plan that only updates the status."""
    metadata, before, observed = case.resource["metadata"], case.status, case.observed
    generation = int(metadata.get("generation", 0))
    verified = case.verification.verified
    after = {
        **{key: value for key, value in before.items() if key != "verification"},
        **decided,
        "observedGeneration": generation,
        "conditions": stamped(
            judged, before.get("conditions", []), generation, iso(case.now),
            other_topic(case.resource), verified,
        ),
        "readyWorkers": len({pod.worker for pod in observed.pods if pod.is_ready}),
        "selector": f"{SIMULATION_LABEL}={metadata['name']},{COMPONENT_LABEL}=worker",
        **({"verification": case.verification.status} if case.verification.status else {}),
    }  # fmt: skip
    if not is_worth_writing(before, after, case.now - case.memory.written_at):
        return Plan(None, memory=case.memory)
    notices = []
    if reason_of(before) != judged.reason:
        kind = "Warning" if judged.degraded else "Normal"
        notices.append(Notice(kind, judged.reason, judged.message))
    if verified is not None and condition_of(before, "Verified").get("reason") != verified.reason:
        is_good = verified.reason in {Reason.AGREES, Reason.VERIFICATION_PENDING}
        notices.append(
            Notice("Normal" if is_good else "Warning", verified.reason, verified.message)
        )
    return Plan(after, notices=tuple(notices), memory=replace(case.memory, written_at=case.now))


def _key(child: Mapping[str, Any]) -> tuple[str, str]:
    """Return the kind and the name of a child, which are unique in its namespace."""
    return child["kind"], child["metadata"]["name"]


def _notices(
    status: Mapping[str, Any],
    workers: int,
    observed: Observed,
    differing: tuple[dict[str, Any], ...],
) -> list[Notice]:
    """Return events about added and removed workers, and about changes that restart workers."""
    there = {_key(row): row for row in observed.children}
    rows = []
    before = int(status.get("workers", 0))
    if before and before != workers:
        rows.append(Notice("Normal", Reason.SCALED, f"from {before} to {workers} workers"))
    restarted = [
        row["metadata"]["name"]
        for row in differing
        if row["kind"] == "Deployment"
        and (found := there.get(_key(row))) is not None
        and found["metadata"].get("annotations", {}).get(WANTED_ANNOTATION)
        != row["metadata"]["annotations"][WANTED_ANNOTATION]
        and not satisfies(found["spec"]["template"], row["spec"]["template"])
    ]
    if restarted and before == workers:
        rows.append(
            Notice(
                "Normal",
                Reason.WORKERS_RESTARTED,
                f"the change needs a restart of {len(restarted)} workers; nothing is lost",
            )
        )
    return rows
