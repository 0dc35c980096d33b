"""One reconcile of a simulation: the calls that follow from the cached objects."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from clickstream_operator.core.database import Database
from clickstream_operator.core.kinds import POD, SIMULATION
from clickstream_operator.core.object_cache import ObjectCache
from clickstream_operator.errors import ApiRefused, NameTaken, OperatorError
from clickstream_operator.shell import reconciler
from clickstream_operator.shell.reconciler import Reconciler
from clickstream_operator.shell.telemetry import Telemetry
from clickstream_operator.shell.work_queue import WorkQueue
from clusters import NOW, SETTINGS, resource
from instant_loop import run_instantly

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clickstream_operator.core.object_cache import Key
    from clickstream_operator.core.observed import Pod, Scrape
    from clickstream_operator.settings import Settings
    from clickstream_operator.shell.api import Api
    from clickstream_operator.shell.scraper import Scraper

_KEY = ("load", "s0")
_UID = resource()["metadata"]["uid"]
_CHILDREN = ["ConfigMap", "NetworkPolicy", "Deployment", "Service", "PodMonitor"]


def _simulation(cache: ObjectCache, key: Key) -> Mapping[str, Any]:
    """Return a simulation as it was seen last."""
    return next(row for row in cache.of(key) if row["kind"] == SIMULATION.kind)


class _Api:
    """An API server that takes every write, but for the kinds and verbs that a test refuses.

    Attributes:
        taken: Metadata of what has a child's name already, by kind.
        refusals: Errors by kind of a child, or by verb.
        edits: Fields that the server changes as it stores a child, by kind.
        calls: The writes that were taken: verb, and of which object.
        tries: How many writes were tried.
    """

    def __init__(self, cache: ObjectCache) -> None:
        self._cache = cache
        self.taken: dict[str, dict[str, Any]] = {}
        self.refusals: dict[str, Exception] = {}
        self.edits: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.tries = 0
        self.statuses: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.kinds_asked = 0
        self.secrets: dict[str, dict[str, str]] = {}
        self.secrets_asked: list[str] = []
        self._version = 1

    def _take(self, verb: str, kind: str) -> str:
        self.tries += 1
        for name in (verb, kind):
            if name in self.refusals:
                raise self.refusals[name]
        self.calls.append((verb, kind))
        self._version += 1
        return str(self._version)

    def find(self, kind: str, _namespace: str, _name: str) -> dict[str, Any] | None:
        """Return what has that name."""
        return self.taken.get(kind)

    def secret_labels(self, _namespace: str, name: str) -> dict[str, str] | None:
        """Return a secret's labels."""
        self.secrets_asked.append(name)
        return self.secrets.get(name)

    def has_kind(self, _kind: object) -> bool:
        """Say that PodMonitors are known."""
        self.kinds_asked += 1
        return True

    def write_status(self, metadata: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
        """Take it."""
        version = self._take("status", metadata["name"])
        self.statuses.append(status)
        body = _simulation(self._cache, (metadata["namespace"], metadata["name"]))
        return {**body, "metadata": {**metadata, "resourceVersion": version}, "status": status}

    def apply(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Take a child."""
        kind = wanted["kind"]
        version = self._take("apply", kind)
        metadata = {**wanted["metadata"], "uid": kind, "resourceVersion": version}
        return {**wanted, "metadata": metadata, **self.edits.get(kind, {})}

    def delete(self, kind: str, _metadata: dict[str, Any]) -> None:
        """Take it."""
        self._take("delete", kind)

    def annotate_pod(
        self, namespace: str, name: str, annotations: dict[str, str]
    ) -> dict[str, Any]:
        """Take it."""
        version = self._take("force_sync", name)
        body = _pod(name, annotations=annotations, resourceVersion=version)
        assert body["metadata"]["namespace"] == namespace
        return body

    def post_event(self, event: dict[str, Any]) -> None:
        """Take it."""
        self._take("event", event["reason"])
        self.events.append(event)


class _Scraper:
    """Asks no worker."""

    async def ask(self, _pods: Iterable[Pod]) -> dict[str, Scrape]:
        """Return no figures."""
        return {}


def _pod(name: str, run: str = _UID, worker: str = "0", **metadata: object) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "load",
            "name": name,
            "uid": name,
            "resourceVersion": "1",
            "labels": {"clickstream.dev/worker": worker},
            **metadata,
        },
        "spec": {"containers": [{"env": [{"name": "CLICKSTREAM_GENERATOR_RUN_ID", "value": run}]}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


class _Inline(Executor):
    """Makes a call at once; who awaits it lets others run all the same."""

    def submit(self, call: Any, /, *args: Any, **more: Any) -> Future[Any]:  # noqa: ANN401  as in the base class
        """Return the finished call."""
        done: Future[Any] = Future()
        try:
            done.set_result(call(*args, **more))
        except Exception as error:  # noqa: BLE001  whatever it was belongs to who asked
            done.set_exception(error)
        return done


class _Operator:
    """A reconciler with all that it needs, and its cache."""

    def __init__(self, simulations: int = 1, settings: Settings = SETTINGS, **spec: object) -> None:
        self.cache = ObjectCache()
        self.api = _Api(self.cache)
        self.telemetry = Telemetry()
        self.now = NOW
        for number in range(simulations):
            body = resource(f"s{number}", **spec)
            self.cache.put(("load", f"s{number}"), SIMULATION.kind, body)
        self._reconciler = Reconciler(
            self.cache,
            cast("Api", self.api),
            cast("Scraper", _Scraper()),
            self.telemetry,
            settings,
            lambda: self.now,
            _Inline(),
        )

    def reconcile(self, key: Key = _KEY) -> float | None:
        """Look once."""
        return asyncio.run(self._reconciler.reconcile(key))

    def look_at_all(self) -> list[object]:
        """Reconcile every simulation at once; return what each reconcile returns or raises."""

        async def reconciles() -> list[object]:
            every = [self._reconciler.reconcile(key) for key in self.cache.keys()]  # noqa: SIM118  no mapping
            return list(await asyncio.gather(*every, return_exceptions=True))

        return asyncio.run(reconciles())

    def run(self, seconds: float) -> None:
        """Let a queue reconcile for so long, as the operator's process does."""

        async def scenario() -> None:
            queue, stop = WorkQueue(self._reconciler.reconcile, 8, lambda: 1.0), asyncio.Event()
            queue.add(_KEY)
            work = asyncio.create_task(queue.run(stop))
            await asyncio.sleep(seconds)
            stop.set()
            await work

        run_instantly(scenario())

    def refused(self) -> OperatorError:
        """Look once and return the error that must come of it."""
        with pytest.raises(OperatorError) as caught:
            self.reconcile()
        return caught.value

    def change(self, **metadata: object) -> None:
        """Let the watch show the simulation with other metadata."""
        body = _simulation(self.cache, _KEY)
        self.cache.put(
            _KEY, SIMULATION.kind, {**body, "metadata": {**body["metadata"], **metadata}}
        )

    def edit(self, **spec: object) -> None:
        """Let the watch show the simulation with another specification."""
        body = _simulation(self.cache, _KEY)
        metadata = {**body["metadata"], "generation": body["metadata"]["generation"] + 1}
        self.cache.put(
            _KEY, SIMULATION.kind, {**body, "metadata": metadata, "spec": {**body["spec"], **spec}}
        )

    def metric(self, name: str, **labels: str) -> float | None:
        """Return one of the operator's metrics."""
        return self.telemetry.registry.get_sample_value(f"clickstream_operator_{name}", labels)

    def applied(self) -> list[str]:
        """Return the kinds of the children that were applied."""
        return [kind for verb, kind in self.api.calls if verb == "apply"]


def test_first_reconcile_writes_in_order() -> None:
    """The status comes first, then the event, then the children; the next reconcile is soon."""
    operator = _Operator()

    assert operator.reconcile() == SETTINGS.resync_seconds
    assert operator.api.calls == [
        ("status", "s0"), ("event", "WorkersStarting"), *(("apply", kind) for kind in _CHILDREN),
    ]  # fmt: skip


def test_second_look_writes_nothing() -> None:
    """What was written is known at once, before any watch has shown it."""
    operator = _Operator()
    operator.reconcile()
    operator.api.calls.clear()

    operator.reconcile()

    assert operator.api.calls == []


def test_scrapes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more workers, each is asked less often; workers of a deleted simulation do not count."""
    monkeypatch.setattr(reconciler, "_SCRAPES_PER_SECOND", 2)
    operator = _Operator(2)
    for number in range(20):
        operator.cache.put(_KEY, POD.kind, _pod(f"w-{number}"))

    assert operator.reconcile() == 10.0
    assert operator.reconcile(("load", "s1")) == 10.0

    operator.change(deletionTimestamp="2026-11-27T08:00:00Z")
    operator.reconcile()
    assert operator.reconcile(("load", "s1")) == SETTINGS.resync_seconds


def test_missing_simulation_is_forgotten() -> None:
    """A simulation that is gone, or is being deleted, is not looked at again."""
    operator = _Operator()
    operator.reconcile()
    assert operator.metric("simulations", type="Ready", status="False") == 1
    operator.change(deletionTimestamp="2026-11-27T08:00:00Z")
    operator.api.calls.clear()

    assert operator.reconcile() is None
    assert operator.reconcile(("load", "unknown")) is None
    assert operator.api.calls == []
    assert operator.metric("simulations", type="Ready", status="False") is None


def test_suspended_simulation_rests() -> None:
    """A simulation without workers and pods is looked at again after five minutes."""
    assert _Operator(suspend=True).reconcile() == 300


def test_event_is_about_the_simulation() -> None:
    """An event names the simulation, what has happened, and when."""
    operator = _Operator()
    operator.reconcile()

    (event,) = operator.api.events
    assert event == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "s0-", "namespace": "load"},
        "involvedObject": {
            "apiVersion": "clickstream.dev/v1alpha1",
            "kind": "ClickstreamSimulation",
            "name": "s0",
            "namespace": "load",
            "uid": _UID,
            "resourceVersion": "1",
        },
        "type": "Normal",
        "reason": "WorkersStarting",
        "message": "not every worker is ready yet",
        "source": {"component": "clickstream-operator"},
        "firstTimestamp": "2026-11-27T08:00:00Z",
        "lastTimestamp": "2026-11-27T08:00:00Z",
        "count": 1,
    }


def test_refused_event_stops_nothing() -> None:
    """An event that cannot be posted keeps no child back."""
    operator = _Operator()
    operator.api.refusals["event"] = ApiRefused("POST", "/", 403, "no")

    operator.reconcile()

    assert operator.applied() == _CHILDREN


def test_refused_child_stops_no_other() -> None:
    """The policy comes before the pods, and a refused child is raised after all others."""
    operator = _Operator()
    operator.api.refusals["Service"] = ApiRefused("PATCH", "service", 422, "no such name")

    error = operator.refused()

    assert isinstance(error, ApiRefused)
    assert error.message == "no such name"
    assert operator.applied() == [kind for kind in _CHILDREN if kind != "Service"]


@pytest.mark.parametrize("status", [403, 409, 422])
def test_no_worker_without_policy(status: int) -> None:
    """A policy that is refused blocks the workers, and only them."""
    operator = _Operator(workers={"count": 2})
    operator.api.refusals["NetworkPolicy"] = ApiRefused("PATCH", "policy", status, "invalid")
    operator.refused()
    assert operator.applied() == ["ConfigMap", "Service", "PodDisruptionBudget", "PodMonitor"]
    del operator.api.refusals["NetworkPolicy"]
    operator.api.calls.clear()

    operator.reconcile()

    assert operator.applied() == ["NetworkPolicy", "Deployment", "Deployment"]


def test_refused_policy_is_in_the_status() -> None:
    """The next reconcile reports that the workers wait for their policy, and why."""
    operator = _Operator()
    operator.api.refusals["NetworkPolicy"] = ApiRefused("PATCH", "policy", 422, "port 99999")
    operator.refused()
    operator.refused()

    degraded = operator.api.statuses[-1]["conditions"][2]
    assert degraded["reason"] == "PolicyRefused"
    assert degraded["message"].startswith("no worker starts without its NetworkPolicy: ")
    assert "port 99999" in degraded["message"]


def test_foreign_policy_blocks_workers() -> None:
    """A policy of the wanted name that is another's does not count."""
    operator = _Operator()
    operator.api.taken["NetworkPolicy"] = {}
    operator.refused()

    assert "Deployment" not in operator.applied()


def test_reconcile_is_limited() -> None:
    """A simulation of many workers is made in several reconciles of 32 writes, and then rests."""
    operator = _Operator(settings=replace(SETTINGS, max_workers=1_024),
                         workers={"count": 100}, shards=100)  # fmt: skip
    sizes = []
    while True:
        before = len(operator.applied())
        again = operator.reconcile()
        sizes.append(len(operator.applied()) - before)
        if again != 0.0:
            break

    assert sizes == [32, 32, 32, 9]
    assert again == SETTINGS.resync_seconds
    assert operator.applied().count("Deployment") == 100
    operator.edit(suspend=True)
    reconciles = 1
    while operator.reconcile() == 0.0:
        reconciles += 1
    assert reconciles == 4


def test_many_edited_children_end() -> None:
    """Children that another writer always changes do not fill every reconcile for ever."""
    operator = _Operator(settings=replace(SETTINGS, max_workers=1_024),
                         workers={"count": 40}, shards=40)  # fmt: skip
    operator.api.edits["Deployment"] = {"spec": {"replicas": 7, "template": {}}}
    for _ in range(10):
        if operator.reconcile() != 0.0:
            break

    assert operator.reconcile() == SETTINGS.resync_seconds


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_overload_ends_the_look(status: int) -> None:
    """An API server that cannot serve gets no other write of this reconcile."""
    operator = _Operator()
    operator.api.refusals["NetworkPolicy"] = ApiRefused("PATCH", "x", status, "busy", 7.0)

    error = operator.refused()

    assert isinstance(error, ApiRefused)
    assert error.retry_after_seconds == 7.0
    assert operator.applied() == ["ConfigMap"]


def test_secret_is_asked_in_time() -> None:
    """A named secret is looked up once in ten seconds; its label decides about the workers."""
    kafka = {"clusterRef": {"name": "clicks"}, "credentialsSecretRef": {"name": "any"}}
    operator = _Operator(kafka=kafka)
    operator.api.secrets["any"] = {}
    operator.reconcile()
    operator.reconcile()
    assert (operator.applied(), operator.api.secrets_asked) == ([], ["any"])
    operator.api.secrets["any"] = {"clickstream.dev/credentials": "true"}
    operator.now += 11

    operator.reconcile()

    assert operator.applied() == _CHILDREN
    assert operator.api.secrets_asked == ["any", "any"]


def test_no_secret_is_asked_for() -> None:
    """A simulation that names no secret makes the operator ask for none."""
    operator = _Operator()
    operator.reconcile()

    assert operator.api.secrets_asked == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [("no such name", "ChildRefused"), ("exceeded quota: small", "QuotaExceeded")],
)
def test_refusal_is_in_the_next_status(message: str, reason: str) -> None:
    """The next reconcile reports the refusal, and one without a refusal removes it."""
    operator = _Operator()
    operator.api.refusals["Service"] = ApiRefused("PATCH", "service", 403, message)
    operator.refused()
    del operator.api.refusals["Service"]

    operator.reconcile()
    operator.reconcile()

    reasons = [status["conditions"][2]["reason"] for status in operator.api.statuses]
    assert reasons == ["AsExpected", reason, "AsExpected"]
    assert message in operator.api.statuses[1]["conditions"][2]["message"]


@pytest.mark.parametrize("status", [404, 409])
def test_conflict_is_no_failure(status: int) -> None:
    """If another writer was faster, the reconcile is tried again and the status does not change."""
    operator = _Operator()
    operator.api.refusals["Service"] = ApiRefused("PATCH", "service", status, "changed")

    assert isinstance(operator.refused(), ApiRefused)
    assert operator.metric("reconciles_total", outcome="outdated") == 1
    del operator.api.refusals["Service"]
    operator.reconcile()
    assert len(operator.api.statuses) == 1


def test_refusal_hides_behind_no_conflict() -> None:
    """Of a conflict and a refusal in one reconcile, the refusal is raised."""
    operator = _Operator()
    operator.api.refusals["ConfigMap"] = ApiRefused("PATCH", "x", 409, "changed")
    operator.api.refusals["Service"] = ApiRefused("PATCH", "x", 422, "no such name")

    assert "no such name" in str(operator.refused())


def test_conflicting_status_stops_the_look() -> None:
    """Without the status, which the children rely on, no child is written."""
    operator = _Operator()
    operator.api.refusals["status"] = ApiRefused("PATCH", "x", 409, "changed")

    operator.refused()

    assert operator.api.calls == []


@pytest.mark.parametrize(
    ("status", "pause", "most"),
    [(0, 0.0, 16), (404, 0.0, 16), (409, 0.0, 16), (422, 0.0, 16), (429, 60.0, 7), (500, 0.0, 16),
     (503, 120.0, 5)],
)  # fmt: skip
def test_refused_status_backs_off(status: int, pause: float, most: int) -> None:
    """In ten minutes a status that is always refused is tried a few times, whatever the answer."""
    operator = _Operator()
    operator.api.refusals["status"] = ApiRefused("PATCH", "x", status, "no", pause)

    operator.run(600.0)

    assert 1 < operator.api.tries <= most


def test_unexpected_error_is_raised() -> None:
    """An error that is none of the operator's is counted, logged and raised."""
    operator = _Operator()
    operator.api.refusals["status"] = RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        operator.reconcile()
    assert operator.metric("reconciles_total", outcome="error") == 1


def test_looks_and_writes_are_counted() -> None:
    """Each reconcile and each write is in the operator's metrics."""
    operator = _Operator()

    operator.reconcile()

    assert operator.metric("reconciles_total", outcome="done") == 1
    assert operator.metric("reconcile_duration_seconds_count") == 1
    assert operator.metric("last_reconcile_timestamp_seconds") == NOW
    assert operator.metric("api_writes_total", verb="status") == 1
    assert operator.metric("api_writes_total", verb="event") == 1
    assert operator.metric("api_writes_total", verb="apply") == 5
    assert operator.metric("simulations", type="Progressing", status="True") == 1


_OWN = {"clickstream.dev/simulation": "s0"}
_FORMER = {"kind": "ClickstreamSimulation", "name": "s0", "uid": "former", "controller": True}


@pytest.mark.parametrize(
    ("metadata", "is_left_alone"),
    [
        ({}, True),
        ({"ownerReferences": [{**_FORMER, "uid": _UID}]}, False),
        ({"labels": _OWN}, False),
        ({"labels": _OWN, "ownerReferences": [_FORMER]}, False),
        ({"labels": _OWN, "ownerReferences": [{**_FORMER, "kind": "Shop"}]}, True),
        ({"labels": _OWN, "ownerReferences": [{**_FORMER, "name": "s1"}]}, True),
        ({"ownerReferences": [_FORMER]}, True),
    ],
    ids=["nobody's", "its own", "orphaned", "of the former", "a shop's", "s1's", "unlabelled"],
)
def test_foreign_child_is_left_alone(metadata: dict[str, Any], *, is_left_alone: bool) -> None:
    """A simulation's name must not make the operator write over what is not the simulation's."""
    operator = _Operator()
    operator.api.taken["Deployment"] = metadata

    (answer,) = operator.look_at_all()

    assert ("Deployment" not in operator.applied()) == is_left_alone
    assert isinstance(answer, NameTaken) == is_left_alone
    assert {"ConfigMap", "NetworkPolicy", "PodMonitor"} <= set(operator.applied())


def test_taken_name_is_in_the_status() -> None:
    """The next reconcile reports whose name is taken."""
    operator = _Operator()
    operator.api.taken["Service"] = {}
    operator.refused()
    operator.refused()

    degraded = operator.api.statuses[-1]["conditions"][2]
    assert degraded["reason"] == "ChildRefused"
    assert degraded["message"].startswith("Service load/s0-workers exists")


def test_edited_child_is_not_fought_over() -> None:
    """A child that is changed as it is stored is applied once, not at every reconcile."""
    operator = _Operator()
    operator.api.edits["Service"] = {"spec": {"clusterIP": "10.0.0.1"}}
    operator.reconcile()
    operator.api.calls.clear()

    operator.reconcile()

    assert operator.applied() == []


def test_edited_child_is_tried_again() -> None:
    """A child that was changed as it was stored is applied again once its version moves."""
    operator = _Operator()
    operator.api.edits["Service"] = {"spec": {"clusterIP": "10.0.0.1"}}
    operator.reconcile()
    operator.api.edits.clear()
    (service,) = (row for row in operator.cache.of(_KEY) if row["kind"] == "Service")
    metadata = {**service["metadata"], "resourceVersion": "1000"}
    operator.cache.put(_KEY, "Service", {**service, "metadata": metadata})
    operator.api.calls.clear()

    operator.reconcile()

    assert operator.applied() == ["Service"]


def test_unwanted_children_are_deleted() -> None:
    """Suspending deletes every child, and what is deleted is known to be gone."""
    operator = _Operator()
    operator.reconcile()
    operator.edit(suspend=True)
    operator.api.calls.clear()
    operator.reconcile()
    deleted = [kind for verb, kind in operator.api.calls if verb == "delete"]
    assert sorted(deleted) == sorted(_CHILDREN)
    operator.api.calls.clear()

    operator.reconcile()

    assert operator.api.calls == []


def test_sync_is_forced_once() -> None:
    """A pod that has not read the file is annotated, and that is known at once."""
    operator = _Operator()
    operator.cache.put(_KEY, POD.kind, _pod("w-0"))
    operator.reconcile()
    assert ("force_sync", "w-0") in operator.api.calls
    operator.api.calls.clear()

    operator.reconcile()

    assert operator.api.calls == []


def test_former_pods_do_not_count() -> None:
    """Pods of a former simulation of the name say nothing about the present one."""
    operator = _Operator()
    operator.cache.put(_KEY, POD.kind, _pod("former", "another run", "0"))
    operator.cache.put(_KEY, POD.kind, _pod("present", _UID, "1"))

    operator.reconcile()

    assert [status["readyWorkers"] for status in operator.api.statuses] == [1]


def test_kinds_are_asked_once() -> None:
    """Looks at the same time ask for PodMonitors once, and all of them know the answer."""
    operator = _Operator(4)

    operator.look_at_all()

    assert operator.api.kinds_asked == 1
    assert operator.applied().count("PodMonitor") == 4


@pytest.mark.parametrize(("seconds", "asked"), [(60.0, 1), (60.1, 2)])
def test_kinds_are_asked_again(seconds: float, asked: int) -> None:
    """After a minute a new kind may have come."""
    operator = _Operator()
    operator.reconcile()
    operator.now += seconds
    operator.reconcile()

    assert operator.api.kinds_asked == asked


_DATABASE = Database.model_validate({"host": "own", "name": "clickstream", "secret": "reader"})
_VERIFIED = replace(SETTINGS, database=_DATABASE)
_RESULT = (
    '{"events":9,"rows":8,"minutes":2,"until":null,"differences":1,"firstDifference":null,'
    '"text":"1 lost"}'
)


def _verified() -> _Operator:
    """Return an operator whose simulation runs and needs a verification now."""
    operator = _Operator(settings=_VERIFIED, verification={"every": "1m"})
    operator.reconcile()
    operator.api.calls.clear()
    operator.now += 180
    return operator


def _verification_pod(operator: _Operator, job: str, message: str) -> dict[str, Any]:
    labels = {
        "clickstream.dev/simulation": "s0",
        "app.kubernetes.io/component": "verification",
        "batch.kubernetes.io/job-name": job,
    }
    ended = {"name": "judge", "state": {"terminated": {"exitCode": 1, "message": message}}}
    body = _pod(f"{job}-x", labels=labels)
    body["spec"] = {"containers": [{"name": "judge"}]}
    body["status"] = {"phase": "Failed", "containerStatuses": [ended]}
    operator.cache.put(_KEY, POD.kind, body)
    return body


def test_verification_is_started_and_read() -> None:
    """The Job is applied once; the end of its pod becomes condition and metrics."""
    operator = _verified()
    operator.reconcile()
    operator.reconcile()
    assert operator.applied() == ["Job"]
    job = next(row for row in operator.cache.of(_KEY) if row["kind"] == "Job")

    _verification_pod(operator, job["metadata"]["name"], _RESULT)
    operator.now += 5
    operator.reconcile()

    verified = operator.api.statuses[-1]["conditions"][-1]
    assert (verified["type"], verified["status"]) == ("Verified", "False")
    assert operator.metric("verification_differences", simulation="load/s0") == 1
    assert operator.metric("verification_timestamp_seconds", simulation="load/s0") == NOW + 185
    operator.change(deletionTimestamp="2026-11-27T08:00:00Z")
    operator.reconcile()
    assert operator.metric("verification_differences", simulation="load/s0") is None


@pytest.mark.parametrize("status", [403, 422])
def test_refused_verification_stops_nothing(status: int) -> None:
    """A Job that the API server refuses is in the condition ``Verified``, and nowhere else."""
    operator = _verified()
    operator.api.refusals["Job"] = ApiRefused("PATCH", "job", status, "no Jobs here")
    operator.reconcile()
    operator.reconcile()

    conditions = {row["type"]: row for row in operator.api.statuses[-1]["conditions"]}
    assert conditions["Verified"]["reason"] == "VerificationFailed"
    assert "no Jobs here" in conditions["Verified"]["message"]
    assert conditions["Degraded"]["status"] == "False"

    del operator.api.refusals["Job"]
    operator.reconcile()
    assert operator.applied() == ["Job"]


def test_no_verification_without_policy() -> None:
    """A verification whose policy is refused has no Job; the workers are made all the same."""
    operator = _Operator(settings=_VERIFIED, verification={"every": "1m"})
    operator.reconcile()
    operator.now += 180
    policies = [
        row for row in operator.cache.of(_KEY)
        if row["kind"] == "NetworkPolicy" and row["metadata"]["name"] == "s0-verification"
    ]  # fmt: skip
    operator.cache.drop(_KEY, "NetworkPolicy", policies[0])
    operator.api.refusals["NetworkPolicy"] = ApiRefused("PATCH", "policy", 422, "invalid")
    operator.api.calls.clear()
    operator.reconcile()

    assert operator.applied() == []
    operator.reconcile()
    verified = operator.api.statuses[-1]["conditions"][-1]
    assert verified["reason"] == "VerificationFailed"
    assert "invalid" in verified["message"]
