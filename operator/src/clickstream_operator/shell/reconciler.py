"""One reconcile of a simulation: observe, plan, write.

Owns the order of the writes - first the status, then the children, and no worker before its
policy -, how many writes one reconcile makes, and what is remembered between two reconciles. The
plan decides what to write.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clickstream_contract.naming import full_name

from clickstream_operator.core.conditions import Finding
from clickstream_operator.core.desired import (
    FIELD_MANAGER,
    READ_ANNOTATION,
    WANTED_ANNOTATION,
    Owner,
    iso,
)
from clickstream_operator.core.destination import named_secrets
from clickstream_operator.core.drift import satisfies
from clickstream_operator.core.kinds import POD, POD_MONITOR, SIMULATION
from clickstream_operator.core.observed import (
    COMPONENT_LABEL,
    VERIFICATION,
    Observed,
    pod_from,
    verification_pod_from,
)
from clickstream_operator.core.ownership import is_foreign
from clickstream_operator.core.plan import Memory, Notice, Plan, make_plan
from clickstream_operator.core.reasons import Reason
from clickstream_operator.errors import ApiRefused, NameTaken, OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Executor

    from clickstream_operator.core.object_cache import Key, ObjectCache
    from clickstream_operator.settings import Settings
    from clickstream_operator.shell.api import Api
    from clickstream_operator.shell.scraper import Scraper
    from clickstream_operator.shell.telemetry import Telemetry

__all__ = ["Reconciler"]

_LOG = logging.getLogger(__name__)
_REST_SECONDS = 300.0
"""How often the operator reconciles a simulation that does not change."""
_KINDS_SECONDS = 60.0
_SECRET_SECONDS = 10.0
"""How old the known labels of a secret may get."""
_SCRAPES_PER_SECOND = 100
"""How many workers the operator asks; with more of them, it asks each less often."""
_WRITES_PER_LOOK = 32
_LOOK_SECONDS = 10.0
"""How many children one reconcile writes, and for how long; then other simulations are next."""
_NOT_FOUND, _CONFLICT = 404, 409
_POLICY, _DEPLOYMENT = "NetworkPolicy", "Deployment"


@dataclass
class _Remembered:
    """What is kept of a simulation between two reconciles; all of it may be lost.

    Attributes:
        failure: What the API server refused in the last reconcile.
        workers: The number of workers that were asked for metrics.
        tried: By kind and name of a child: its desired state, and the resource version after the
            write. Where another writer changes the object each time, writing it again would never
            end.
    """

    memory: Memory = field(default_factory=Memory)
    failure: Finding | None = None
    tried: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    conditions: tuple[tuple[str, str], ...] = ()
    workers: int = 0
    secrets: dict[str, _Secret] = field(default_factory=dict)


@dataclass(frozen=True)
class _Secret:
    """A secret that a simulation names: its labels if it exists, and when they were read."""

    labels: Mapping[str, str] | None
    asked_at: float


@dataclass
class _Writes:
    """The writes of one reconcile.

    Attributes:
        until: When the reconcile has to end, seconds of the event loop.
        refused: What the API server refused.
        policy: Why there is no policy; without a policy the operator makes no worker.
        unverified: Why an object of a verification was refused; without it there is no Job.
    """

    until: float
    count: int = 0
    refused: list[OperatorError] = field(default_factory=list)
    policy: OperatorError | None = None
    unverified: str = ""

    def is_full(self) -> bool:
        """Return whether the rest has to wait for another reconcile."""
        return self.count >= _WRITES_PER_LOOK or _loop_seconds() >= self.until

    @contextmanager
    def collected(self, child: Mapping[str, Any]) -> Iterator[None]:
        """Count a write and keep its refusal; an overloaded API server ends the reconcile."""
        self.count += 1
        try:
            yield
        except OperatorError as error:
            if _is_of_verification(child):
                # The workers do not need it: only the condition Verified reports it.
                self.unverified = str(error)
            else:
                self.refused.append(error)
                if child["kind"] == _POLICY:
                    self.policy = error
            if isinstance(error, ApiRefused) and error.is_overload:
                self.until = float("-inf")


def _is_of_verification(child: Mapping[str, Any]) -> bool:
    labels: Mapping[str, str] = child.get("metadata", {}).get("labels", {})
    return labels.get(COMPONENT_LABEL) == VERIFICATION


def _loop_seconds() -> float:
    return asyncio.get_running_loop().time()


def _is_outdated(error: OperatorError) -> bool:
    """Return whether another writer was faster; the watch will deliver its change."""
    return isinstance(error, ApiRefused) and error.status in {_CONFLICT, _NOT_FOUND}


def _is_tried(
    kept: _Remembered,
    wanted: Mapping[str, Any],
    there: Mapping[tuple[str, str], Mapping[str, Any]],
) -> bool:
    """Return whether this state was applied before, and another writer changed it at once."""
    place = wanted["kind"], wanted["metadata"]["name"]
    found = there[place]["metadata"] if place in there else None
    digest = wanted["metadata"]["annotations"][WANTED_ANNOTATION]
    return kept.tried.get(place) == (digest, found["resourceVersion"] if found else "")


def _failure(error: OperatorError, policy: OperatorError | None) -> Finding:
    """Return the finding that the next status shows for a refusal."""
    if policy is not None and not _is_outdated(policy):
        return Finding(
            Reason.POLICY_REFUSED, f"no worker starts without its NetworkPolicy: {policy}"
        )
    is_quota = isinstance(error, ApiRefused) and error.is_quota
    return Finding(Reason.QUOTA_EXCEEDED if is_quota else Reason.CHILD_REFUSED, str(error))


class Reconciler:
    """Brings simulations to their desired state.

    Args:
        cache: The objects of the cluster.
        api: Writes to the cluster.
        scraper: Reads the workers' metrics.
        telemetry: The operator's own metrics.
        settings: The operator's settings.
        clock: Returns Unix seconds.
        executor: Runs blocking calls.
    """

    def __init__(
        self,
        cache: ObjectCache,
        api: Api,
        scraper: Scraper,
        telemetry: Telemetry,
        settings: Settings,
        clock: Callable[[], float],
        executor: Executor,
    ) -> None:
        self._cache = cache
        self._api = api
        self._scraper = scraper
        self._telemetry = telemetry
        self._settings = settings
        self._clock = clock
        self._executor = executor
        self._remembered: dict[Key, _Remembered] = {}
        self._workers = 0
        self._has_pod_monitors = False
        self._kinds_asked = float("-inf")
        self._asking_kinds = asyncio.Lock()

    async def reconcile(self, key: Key) -> float | None:
        """Reconcile one simulation; return after how many seconds to reconcile it again.

        Raises:
            ApiRefused: The API server refused a necessary write.
            NameTaken: A foreign object has the name of a child.
        """
        started = self._clock()
        outcome = "error"
        try:
            again = await self._reconcile(key)
            outcome = "done"
        except OperatorError as error:
            if _is_outdated(error):
                outcome = "outdated"
            else:
                _LOG.warning("%s/%s: %s", *key, error)
            raise
        except Exception:
            _LOG.exception("%s/%s: unexpected error", *key)
            raise
        else:
            return again
        finally:
            now = self._clock()
            self._telemetry.reconciles.labels(outcome).inc()
            self._telemetry.duration.observe(max(0.0, now - started))
            self._telemetry.last_reconcile.set(now)

    async def _reconcile(self, key: Key) -> float | None:
        rows = self._cache.of(key)
        resource = next((row for row in rows if row["kind"] == SIMULATION.kind), None)
        if resource is None or "deletionTimestamp" in resource["metadata"]:
            self._forget(key)
            return None
        kept = self._remembered.setdefault(key, _Remembered())
        observed = await self._observe(rows, resource, kept)
        plan = await self._plan(resource, observed, kept)
        self._count(key, kept, plan.status or resource.get("status", {}))
        if plan.status is not None:
            written = await self._call(
                "status", self._api.write_status, resource["metadata"], plan.status
            )
            self._cache.put(key, SIMULATION.kind, written)
        kept.memory = plan.memory
        for notice in plan.notices:
            await self._post(resource, notice)
        owner = Owner(key[1], key[0], resource["metadata"]["uid"])
        if not await self._change(owner, kept, plan):
            return 0.0
        return self._resync_seconds() if plan.is_under_way else _REST_SECONDS

    async def _plan(
        self, resource: Mapping[str, Any], observed: Observed, kept: _Remembered
    ) -> Plan:
        inputs = resource, observed, kept.memory, self._clock(), self._settings, kept.failure
        if kept.memory.settled is not None:
            return make_plan(*inputs)
        # A first plan for many workers takes a while; health and watches must be served meanwhile.
        plan: Plan = await self._in_thread(make_plan, *inputs)
        return plan

    def _resync_seconds(self) -> float:
        return max(self._settings.resync_seconds, self._workers / _SCRAPES_PER_SECOND)

    async def _observe(
        self, rows: list[Mapping[str, Any]], resource: Mapping[str, Any], kept: _Remembered
    ) -> Observed:
        uid = resource["metadata"]["uid"]
        found = (pod_from(row, READ_ANNOTATION) for row in rows if row["kind"] == POD.kind)
        # Pods of a deleted simulation with the same name are not this simulation's.
        pods = tuple(pod for pod in found if pod.run_id == uid)
        self._workers += len(pods) - kept.workers
        kept.workers = len(pods)
        verifications = (verification_pod_from(row) for row in rows if row["kind"] == POD.kind)
        return Observed(
            children=tuple(row for row in rows if row["kind"] not in {POD.kind, SIMULATION.kind}),
            pods=pods,
            scrapes=await self._scraper.ask(pods),
            has_pod_monitors=await self._knows_pod_monitors(),
            secrets=await self._secrets(resource, kept),
            verifications=tuple(pod for pod in verifications if pod is not None),
        )

    async def _secrets(
        self, resource: Mapping[str, Any], kept: _Remembered
    ) -> dict[str, Mapping[str, str]]:
        """Return the labels of the secrets that the simulation names, if they exist."""
        names, now = named_secrets(resource), self._clock()
        kept.secrets = {name: row for name, row in kept.secrets.items() if name in names}
        for name in names:
            known = kept.secrets.get(name)
            if known is None or now - known.asked_at > _SECRET_SECONDS:
                namespace = resource["metadata"]["namespace"]
                labels = await self._in_thread(self._api.secret_labels, namespace, name)
                kept.secrets[name] = _Secret(labels, now)
        return {name: row.labels for name, row in kept.secrets.items() if row.labels is not None}

    async def _knows_pod_monitors(self) -> bool:
        # Other reconciles wait for the answer: without it they would delete PodMonitors.
        async with self._asking_kinds:
            now = self._clock()
            if now - self._kinds_asked > _KINDS_SECONDS:
                self._has_pod_monitors = await self._in_thread(self._api.has_kind, POD_MONITOR)
                self._kinds_asked = now
            return self._has_pod_monitors

    async def _change(self, owner: Owner, kept: _Remembered, plan: Plan) -> bool:
        """Delete, apply and force syncs; return whether nothing is left for another reconcile.

        The next reconcile reports a refusal. A refused child does not stop the others, except the
        policy: the operator makes no worker without it.
        """
        writes = _Writes(_loop_seconds() + _LOOK_SECONDS)
        is_whole = await self._write(owner, kept, plan, writes)
        kept.memory = replace(kept.memory, unverified=writes.unverified)
        if not writes.refused:
            if is_whole:
                kept.failure = None
            return is_whole
        error = min(writes.refused, key=_is_outdated)
        if not _is_outdated(error):
            kept.failure = _failure(error, writes.policy)
        raise error

    async def _write(self, owner: Owner, kept: _Remembered, plan: Plan, writes: _Writes) -> bool:
        """Make the plan's writes up to the limit; return whether all were tried."""
        key = owner.namespace, owner.name
        for child in plan.delete:
            if writes.is_full():
                return False
            with writes.collected(child):
                await self._call("delete", self._api.delete, child["kind"], child["metadata"])
                self._cache.drop(key, child["kind"], child)
        there = {(row["kind"], row["metadata"]["name"]): row for row in self._cache.of(key)}
        for wanted in plan.apply:
            if writes.policy is not None and wanted["kind"] == _DEPLOYMENT:
                continue
            if writes.unverified and _is_of_verification(wanted):
                continue
            if _is_tried(kept, wanted, there):
                continue
            if writes.is_full():
                return False
            with writes.collected(wanted):
                await self._apply(owner, kept, wanted, there)
        for name in plan.force_sync:
            if writes.is_full():
                return False
            with writes.collected({"kind": POD.kind}):
                annotations = {READ_ANNOTATION: plan.digest}
                pod = await self._call(
                    "force_sync", self._api.annotate_pod, key[0], name, annotations
                )
                self._cache.put(key, POD.kind, pod)
        return True

    async def _apply(
        self,
        owner: Owner,
        kept: _Remembered,
        wanted: dict[str, Any],
        there: Mapping[tuple[str, str], Mapping[str, Any]],
    ) -> None:
        place = kind, name = wanted["kind"], wanted["metadata"]["name"]
        digest = wanted["metadata"]["annotations"][WANTED_ANNOTATION]
        found = there[place]["metadata"] if place in there else None
        if found is None:
            # An object without the operator's label is not in the cache, but it may have the name.
            found = await self._in_thread(self._api.find, kind, owner.namespace, name)
        if found is not None and is_foreign(found, owner):
            raise NameTaken(kind, owner.namespace, name)
        applied = await self._call("apply", self._api.apply, wanted)
        self._cache.put((owner.namespace, owner.name), kind, applied)
        if satisfies(applied, wanted):
            kept.tried.pop(place, None)
        else:
            _LOG.warning(
                "%s/%s: another writer changes %s %s at each write",
                owner.namespace,
                owner.name,
                *place,
            )
            kept.tried[place] = digest, applied["metadata"]["resourceVersion"]

    async def _post(self, resource: Mapping[str, Any], notice: Notice) -> None:
        """Post an event about the simulation; a refused event does not stop the reconcile."""
        metadata, now = resource["metadata"], iso(self._clock())
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "generateName": f"{metadata['name']}-",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": resource.get(
                    "apiVersion", f"{SIMULATION.group}/{SIMULATION.version}"
                ),
                "kind": SIMULATION.kind,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
            "type": notice.type,
            "reason": notice.reason,
            "message": notice.message[:1_024],
            "source": {"component": FIELD_MANAGER},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        _LOG.info("%s/%s: %s", metadata["namespace"], metadata["name"], notice.message)
        try:
            await self._call("event", self._api.post_event, event)
        except ApiRefused as error:
            _LOG.warning("an event cannot be posted: %s", error)

    async def _call(self, verb: str, call: Callable[..., Any], *args: object) -> Any:  # noqa: ANN401
        """Make one write, and count it."""
        result = await self._in_thread(call, *args)
        self._telemetry.writes.labels(verb).inc()
        return result

    async def _in_thread(self, call: Callable[..., Any], *args: object) -> Any:  # noqa: ANN401
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, call, *args)

    def _forget(self, key: Key) -> None:
        kept = self._remembered.pop(key, None)
        if kept is not None:
            self._workers -= kept.workers
            self._show_conditions(kept, ())
            self._telemetry.show_verification(full_name(key[1], key[0]), {})

    def _count(self, key: Key, kept: _Remembered, status: Mapping[str, Any]) -> None:
        verification = status.get("verification", {})
        self._telemetry.show_verification(full_name(key[1], key[0]), verification)
        self._show_conditions(
            kept, tuple((row["type"], row["status"]) for row in status.get("conditions", []))
        )

    def _show_conditions(self, kept: _Remembered, conditions: tuple[tuple[str, str], ...]) -> None:
        """Show a simulation's conditions in place of its former ones."""
        if conditions != kept.conditions:
            self._telemetry.show_conditions(kept.conditions, conditions)
            kept.conditions = conditions
