"""The plan of one reconcile: from the resource and the observed objects to the writes.

Owns the states of a run - begin, change, suspend, resume, complete - and the status that reports
them. Pure: the writes are data. Everything that must survive a restart of the operator is in the
status; :class:`Memory` may be lost at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clickstream_contract.document import simulation_from_resource
from clickstream_contract.errors import SimulationInvalid

from clickstream_operator.core.broker import Broker
from clickstream_operator.core.conditions import (
    Finding,
    Verdict,
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
from clickstream_operator.core.observed import SIMULATION_LABEL
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
from clickstream_operator.core.status import is_worth_writing, run_state, status_figures

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
    """

    trend: Trend = field(default_factory=Trend)
    silent_since: float | None = None
    unseen_since: float | None = None
    written_at: float = 0.0


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
    status = resource.get("status", {})
    if reason_of(status) == Reason.COMPLETED:
        return _completed(resource, owner, observed, memory, now)
    try:
        simulation = simulation_from_resource(
            {key: value for key, value in resource.items() if key != "status"}
        )
    except SimulationInvalid as error:
        # Running workers keep running: the operator applies and deletes nothing.
        invalid = Finding(Reason.INVALID_SPEC, str(error))
        judged = Verdict(invalid.reason, invalid.message, degraded=invalid)
        return _status_plan(resource, judged, {}, observed, memory, now)
    if _is_complete(simulation, status, observed):
        return _completed(resource, owner, observed, memory, now)
    if simulation.spec.suspend:
        judged = Verdict(
            Reason.SUSPENDED,
            "spec.suspend is true; the workers have saved their positions",
            progressing=bool(observed.pods),
        )
        decided = {"workers": 0, **status_figures(status, observed, 0)}
        plan = _status_plan(resource, judged, decided, observed, memory, now)
        return _pruned(plan, owner, observed, set())
    return _running(resource, simulation, owner, observed, memory, now, settings, failure)


def _refused(
    resource: Mapping[str, Any],
    owner: Owner,
    problem: Finding,
    observed: Observed,
    memory: Memory,
    now: float,
) -> Plan:
    """Return the plan that removes the workers, so that they send nothing they may not send."""
    status = resource.get("status", {})
    judged = Verdict(
        problem.reason, problem.message, progressing=bool(observed.pods), degraded=problem
    )
    decided = {"workers": 0, **status_figures(status, observed, 0)}
    plan = _pruned(
        _status_plan(resource, judged, decided, observed, memory, now), owner, observed, set()
    )
    # The operator does not watch the labels of secrets, so it has to ask again.
    return replace(plan, is_under_way=True)


def _running(
    resource: Mapping[str, Any],
    simulation: Simulation,
    owner: Owner,
    observed: Observed,
    memory: Memory,
    now: float,
    settings: Settings,
    failure: Finding | None,
) -> Plan:
    broker = Broker(simulation.spec.kafka, settings)
    if not broker.servers:
        missing = Finding(
            Reason.NO_BROKER,
            "spec.kafka: name clusterRef or bootstrapServers; this operator has no default",
        )
        judged = Verdict(missing.reason, missing.message, degraded=missing)
        return _status_plan(resource, judged, {}, observed, memory, now)
    refused = destination_problem(simulation.spec, broker, settings, observed.secrets or {})
    if refused is not None:
        return _refused(resource, owner, refused, observed, memory, now)
    status = resource.get("status", {})
    registry = named_registry(simulation.spec.event_output, settings.registries)
    workers, remembered = _measured(simulation, status, observed, memory, now, settings)
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
    run, course = run_state(resource, simulation, workers, now, settings)
    decided = {**course, **status_figures(status, observed, round(simulation.spec.rate.per_second))}
    plan = _with_children(
        _status_plan(resource, judged, decided, observed, remembered, now),
        children(simulation, owner, run, settings, observed),
        document_digest(simulation, run),
        owner,
        observed,
    )
    return replace(plan, notices=(*plan.notices, *_notices(status, workers, observed, plan.apply)))


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


def _with_children(
    plan: Plan,
    wanted: list[dict[str, Any]],
    digest: str,
    owner: Owner,
    observed: Observed,
) -> Plan:
    """Return the plan with the writes that give the simulation the desired children."""
    there = {_key(row): row for row in observed.children}
    return replace(
        _pruned(plan, owner, observed, {_key(row) for row in wanted}),
        apply=tuple(row for row in wanted if not satisfies(there.get(_key(row)), row)),
        digest=digest,
        # The kubelet reads a changed ConfigMap within a minute, or at once when the pod changes.
        force_sync=tuple(
            pod.name
            for pod in observed.pods
            if pod.read != digest and not pod.is_leaving and not pod.is_over
        ),
        is_under_way=True,
    )


def _is_complete(simulation: Simulation, status: Mapping[str, Any], observed: Observed) -> bool:
    """Return whether the broker has acknowledged the last event of every shard."""
    if simulation.spec.stop_after is None:
        return False
    figures = observed.figures()
    over = sum(row.shards_over for row in figures.values())
    return len(figures) == status.get("workers") and over >= simulation.spec.shards


def _completed(
    resource: Mapping[str, Any], owner: Owner, observed: Observed, memory: Memory, now: float
) -> Plan:
    judged = Verdict(
        Reason.COMPLETED,
        "spec.stopAfter is reached and every event acknowledged",
        progressing=bool(observed.pods),
    )
    status = resource.get("status", {})
    decided = {"workers": 0, **status_figures(status, observed, 0)}
    return _pruned(
        _status_plan(resource, judged, decided, observed, memory, now), owner, observed, set()
    )


def _status_plan(
    resource: Mapping[str, Any],
    judged: Verdict,
    decided: dict[str, Any],
    observed: Observed,
    memory: Memory,
    now: float,
) -> Plan:
    """Return the plan that only updates the status."""
    metadata, before = resource["metadata"], resource.get("status", {})
    generation = int(metadata.get("generation", 0))
    after = {
        **before,
        **decided,
        "observedGeneration": generation,
        "conditions": stamped(
            judged, before.get("conditions", []), generation, iso(now), other_topic(resource)
        ),
        "readyWorkers": len({pod.worker for pod in observed.pods if pod.is_ready}),
        "selector": f"{SIMULATION_LABEL}={metadata['name']}",
    }
    if not is_worth_writing(before, after, now - memory.written_at):
        return Plan(None, memory=memory)
    notices = []
    if reason_of(before) != judged.reason:
        kind = "Warning" if judged.degraded else "Normal"
        notices.append(Notice(kind, judged.reason, judged.message))
    return Plan(after, notices=tuple(notices), memory=replace(memory, written_at=now))


def _pruned(plan: Plan, owner: Owner, observed: Observed, wanted: set[tuple[str, str]]) -> Plan:
    """Return the plan with deletions: the simulation's own children that it does not desire.

    An object that only carries the operator's label stays.
    """
    unwanted = [
        row
        for row in observed.children
        if _key(row) not in wanted
        and any(ref["uid"] == owner.uid for ref in row["metadata"].get("ownerReferences", ()))
    ]
    return replace(plan, delete=tuple(unwanted), is_under_way=bool(observed.pods))


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
