"""The plan of each reconcile, and that a simulation comes to rest."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_contract.document import parse_simulation
from clickstream_operator.core.conditions import Finding
from clickstream_operator.core.desired import traffic_spec
from clickstream_operator.core.destination import CREDENTIALS_LABEL
from clickstream_operator.core.observed import Observed
from clickstream_operator.core.plan import Memory, Notice, Plan, make_plan
from clickstream_operator.core.reasons import Reason
from clickstream_operator.core.registry import Registry
from clickstream_operator.core.scaling import Trend
from clusters import NOW, SETTINGS, Cluster, resource, scrape, simulation
from workers import pod

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation
    from clickstream_operator.core.observed import Scrape

_TIME = "2026-11-27T08:00:00Z"
"""The moment ``NOW``, as a status has it."""


def test_settled_simulation_is_left_alone() -> None:
    """Without a drift, reconciles write nothing, at any later time."""
    cluster = Cluster(resource(workers={"count": 2}))
    cluster.settle()
    assert cluster.condition("Ready") == ("True", "Running")
    assert cluster.condition("Progressing") == ("False", "Settled")
    assert cluster.condition("Degraded") == ("False", "AsExpected")
    before = cluster.writes
    for _ in range(200):
        cluster.now += 60
        cluster.reconcile()

    assert cluster.writes == before
    assert {kind for kind, _ in cluster.children} == {
        "ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service",
    }  # fmt: skip


def _file(cluster: Cluster) -> Simulation:
    """Return the simulation that the workers read."""
    return parse_simulation(
        cluster.children["ConfigMap", "shop-simulation"]["data"]["simulation.yaml"]
    )


@pytest.mark.parametrize("kind", ["labels", "annotations"])
def test_namespace_is_the_resources(kind: str) -> None:
    """Workers read the namespace in which the resource is; nothing that a user writes moves it."""
    cluster = Cluster(resource())
    said = dict.fromkeys(("namespace", "clickstream.dev/namespace", "metadata.namespace"), "other")
    cluster.resource["metadata"][kind] = said

    cluster.settle()

    assert _file(cluster).full_name == "load/shop"


@pytest.mark.parametrize("field", ["namespace", "metadata", "name", "simulation"])
def test_spec_cannot_name_a_namespace(field: str) -> None:
    """A specification has no field that could change the full name, and is refused with one."""
    cluster = Cluster(resource(**{field: "other/shop"}))

    cluster.reconcile()

    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    assert cluster.children == {}


def test_file_is_put_back() -> None:
    """A user who edits the workers' file does not rename the simulation for long."""
    cluster = Cluster(resource())
    cluster.settle()
    file = cluster.children["ConfigMap", "shop-simulation"]["data"]
    file["simulation.yaml"] = file["simulation.yaml"].replace('"load"', '"other"')
    assert _file(cluster).full_name == "other/shop"

    cluster.settle()

    assert _file(cluster).full_name == "load/shop"


def test_changed_rate_restarts_no_worker() -> None:
    """Only the file changes, with a moment ahead in it, and every pod is forced to read it."""
    cluster = Cluster(resource(workers={"count": 2}))
    cluster.settle()
    pods = set(cluster.pods)
    cluster.resource["spec"]["rate"] = {"eventsPerSecond": 2_000}
    cluster.resource["metadata"]["generation"] = 2
    moment = cluster.now
    plan = cluster.reconcile()

    assert [row["kind"] for row in plan.apply] == ["ConfigMap"]
    assert "clickstream.dev/effective-from" in plan.apply[0]["data"]["simulation.yaml"]
    assert set(plan.force_sync) == pods
    cluster.settle()
    assert set(cluster.pods) == pods
    first, second = cluster.resource["status"]["revisions"]
    assert (first["generation"], second["generation"]) == (1, 2)
    assert second["effectiveFrom"] > "2026-11-27T08:00:00Z"
    assert moment > NOW


def test_another_broker_restarts_workers() -> None:
    """What is no part of the traffic is in the pods; an event names the restart."""
    cluster = Cluster(resource(workers={"count": 2}))
    cluster.settle()
    cluster.resource["spec"]["kafka"] = {"bootstrapServers": "elsewhere:9092"}
    plan = cluster.reconcile()

    assert "WorkersRestarted" in [notice.reason for notice in plan.notices]
    assert len(cluster.resource["status"]["revisions"]) == 1


def test_resumed_run_leaves_pause_out() -> None:
    """Suspending removes all children; the run resumes as the same run, and its file says when."""
    cluster = Cluster(resource())
    cluster.settle()
    started = cluster.resource["status"]["startTime"]
    cluster.resource["spec"]["suspend"] = True
    cluster.settle()
    assert not cluster.children
    assert not cluster.pods
    assert cluster.condition("Ready") == ("False", "Suspended")
    assert cluster.condition("Degraded") == ("False", "AsExpected")

    cluster.now += 3_600
    cluster.resource["spec"]["suspend"] = False
    cluster.settle()
    assert cluster.resource["status"]["startTime"] == started
    assert cluster.condition("Ready") == ("True", "Running")
    file = cluster.children["ConfigMap", "shop-simulation"]["data"]["simulation.yaml"]
    assert f'"clickstream.dev/resumed-at": "{cluster.resource["status"]["resumeTime"]}"' in file


def test_invalid_spec_keeps_the_pause() -> None:
    """A specification that is refused during a pause does not make the pause forgotten."""
    cluster = Cluster(resource())
    cluster.settle()
    cluster.resource["spec"]["suspend"] = True
    cluster.settle()
    mix = cluster.resource["spec"].pop("userMix")
    cluster.settle()
    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    cluster.now += 3_600
    cluster.resource["spec"] |= {"userMix": mix, "suspend": False}
    before = cluster.now
    cluster.reconcile()

    resumed = datetime.fromisoformat(cluster.resource["status"]["resumeTime"])
    assert resumed.timestamp() == before


def test_suspended_start_has_no_pause() -> None:
    """A run that has not begun begins when it is resumed, and leaves nothing out."""
    cluster = Cluster(resource(suspend=True))
    cluster.settle()
    assert "startTime" not in cluster.resource["status"]
    cluster.now += 600
    cluster.resource["spec"]["suspend"] = False
    cluster.settle()

    assert cluster.resource["status"]["startTime"] > "2026-11-27T08:10:00Z"
    assert "resumeTime" not in cluster.resource["status"]


def test_completed_run_stays_completed() -> None:
    """Workers go, the count stays, and no later specification starts the run again."""
    cluster = Cluster(resource(stopAfter={"events": 5_000}, workers={"count": 2}))
    cluster.settle()
    for name in cluster.pods:
        cluster.scrapes[name] = scrape(delivered=2_500, shards_over=4)
    cluster.settle()
    assert cluster.condition("Ready") == ("False", "Completed")
    assert cluster.resource["status"]["deliveredEvents"] == 5_000
    assert not cluster.children
    assert not cluster.pods
    cluster.resource["spec"]["rate"] = {"eventsPerSecond": 5}
    cluster.settle()

    assert cluster.condition("Ready") == ("False", "Completed")
    assert cluster.resource["status"]["deliveredEvents"] == 5_000
    assert not cluster.children


def test_completed_run_needs_no_broker() -> None:
    """A completed run stays completed when no broker is named any more."""
    cluster = Cluster(resource(stopAfter={"events": 5_000}))
    cluster.settle()
    for name in cluster.pods:
        cluster.scrapes[name] = scrape(delivered=5_000, shards_over=8)
    cluster.settle()
    assert cluster.condition("Ready") == ("False", "Completed")
    cluster.settings = replace(SETTINGS, bootstrap_servers="")
    cluster.settle()
    assert cluster.condition("Ready") == ("False", "Completed")
    cluster.settings = SETTINGS
    cluster.settle()

    assert cluster.condition("Ready") == ("False", "Completed")
    assert not cluster.children


def test_suspending_needs_no_broker() -> None:
    """A run stops when it is suspended, whatever else is wrong."""
    cluster = Cluster(resource())
    cluster.settle()
    cluster.settings = replace(SETTINGS, bootstrap_servers="")
    cluster.resource["spec"]["suspend"] = True
    cluster.settle()

    assert cluster.condition("Ready") == ("False", "Suspended")
    assert not cluster.pods


def test_one_finished_worker_completes_nothing() -> None:
    """A run is complete once all shards are over and every worker has given figures."""
    cluster = Cluster(resource(stopAfter={"events": 5_000}, workers={"count": 2}))
    cluster.settle()
    one, other = sorted(cluster.pods)
    cluster.scrapes[one] = scrape(shards_over=4)
    cluster.settle()
    assert cluster.condition("Ready")[0] == "True"
    cluster.scrapes[one] = scrape(shards_over=8)
    del cluster.scrapes[other]
    cluster.reconcile()

    assert cluster.condition("Ready")[1] != "Completed"


@pytest.mark.parametrize("kind", ["ConfigMap", "Deployment", "Service", "NetworkPolicy"])
def test_drifted_child_is_repaired(kind: str) -> None:
    """A lost or edited child is applied again; what others add beside it is theirs."""
    cluster = Cluster(resource())
    cluster.settle()
    place = next(place for place in cluster.children if place[0] == kind)
    lost = cluster.children.pop(place)
    cluster.settle()
    assert cluster.children[place].get("spec") == lost.get("spec")

    cluster.children[place]["metadata"]["labels"].pop("app.kubernetes.io/part-of")
    cluster.children[place]["metadata"]["labels"]["team"] = "blue"
    assert [row["kind"] for row in cluster.reconcile().apply] == [kind]
    cluster.children[place]["metadata"]["labels"]["team"] = "blue"
    assert cluster.reconcile().apply == ()


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 2), (2, 8), (8, 1), (3, 5)])
def test_moving_shards_never_overlap(before: int, after: int) -> None:
    """At no moment do two pods have the same shard; in the end each shard has one."""
    cluster = Cluster(resource(workers={"count": before}))
    cluster.settle()
    assert cluster.shards() == list(range(8))
    cluster.resource["spec"]["workers"] = {"count": after}
    for _ in range(30):
        cluster.reconcile()
        shards = cluster.shards()
        assert len(set(shards)) == len(shards)
        cluster.move_pods()
        shards = cluster.shards()
        assert len(set(shards)) == len(shards)

    assert cluster.shards() == list(range(8))
    assert len(cluster.pods) == after


def test_labelled_stranger_is_not_deleted() -> None:
    """Only what the simulation owns is deleted."""
    cluster = Cluster(resource())
    cluster.settle()
    labels = {"clickstream.dev/simulation": "shop"}
    foreign = {"kind": "ConfigMap", "metadata": {"name": "mine", "labels": labels, "uid": "x"}}
    cluster.children["ConfigMap", "mine"] = foreign

    assert cluster.reconcile().delete == ()


def test_invalid_spec_changes_nothing() -> None:
    """Children stay as they were, the condition names the field, and a valid spec heals it."""
    cluster = Cluster(resource())
    cluster.settle()
    bursts = [
        {"at": "1m", "for": "5m", "multiplierPermille": 5},
        {"at": "2m", "for": "1m", "multiplierPermille": 5},
    ]
    cluster.resource["spec"]["rate"]["bursts"] = bursts
    plan = cluster.reconcile()
    assert (plan.apply, plan.delete) == ((), ())
    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    ready = cluster.resource["status"]["conditions"][0]
    assert "spec.rate.bursts" in ready["message"]
    cluster.resource["spec"]["rate"]["bursts"] = []
    cluster.settle()

    assert cluster.condition("Ready") == ("True", "Running")


def test_missing_broker_is_named() -> None:
    """Where neither resource nor operator names a broker, the condition says so."""
    cluster = Cluster(resource(), settings=replace(SETTINGS, bootstrap_servers=""))
    cluster.settle()

    assert cluster.condition("Degraded") == ("True", "NoBroker")
    assert not cluster.children


def test_refusal_becomes_a_condition() -> None:
    """What the API server refused is a condition and a warning."""
    cluster = Cluster(resource())
    failure = Finding(Reason.QUOTA_EXCEEDED, "exceeded quota: small")
    plan = make_plan(cluster.resource, cluster.observed(), cluster.memory, NOW, SETTINGS, failure)

    assert plan.status is not None
    assert {(row["type"], row["status"]) for row in plan.status["conditions"]} == {
        ("Ready", "False"), ("Progressing", "True"), ("Degraded", "True"),
    }  # fmt: skip
    assert plan.notices[0].type == "Warning"


def test_silent_broker_is_named_late() -> None:
    """A worker that has just begun has nothing acknowledged either; after ten seconds it counts."""
    cluster = Cluster(resource())
    cluster.settle()
    (name,) = cluster.pods
    cluster.scrapes[name] = scrape(achieved=0.0, queue_records=900.0)
    cluster.reconcile()
    assert cluster.condition("Ready")[0] == "True"
    cluster.now += 10
    cluster.reconcile()
    assert cluster.condition("Degraded") == ("True", "BrokerUnreachable")
    cluster.scrapes[name] = scrape()
    cluster.reconcile()

    assert cluster.condition("Ready") == ("True", "Running")


@pytest.mark.parametrize(("workers", "most"), [({"count": 2}, 2), ({"max": 2}, 2), ({"max": 1}, 1)])
def test_missed_rate_is_reported(workers: dict[str, int], most: int) -> None:
    """A rate is reported as missed after a minute at the maximum, for as long as it lasts."""
    cluster = Cluster(resource(workers=workers))
    cluster.settle()

    def hold(seconds: int, achieved: float) -> set[tuple[str, str]]:
        said = set()
        for _ in range(seconds // 5):
            cluster.now += 5
            for name in cluster.pods:
                cluster.scrapes[name] = scrape(achieved=achieved)
            cluster.reconcile()
            cluster.move_pods()
            said.add(cluster.condition("Ready"))
        return said

    assert hold(50, 100.0) == {("True", "Running")}
    assert hold(10, 500.0) == {("True", "Running")}
    hold(180, 100.0)
    assert len(cluster.pods) == most
    for _ in range(10):
        assert hold(60, 100.0) == {("False", "RateNotReached")}
    assert cluster.condition("Degraded") == ("True", "RateNotReached")
    assert hold(5, 500.0) == {("True", "Running")}


def test_unseen_worker_is_named_late() -> None:
    """One lost answer is nothing; after half a minute without figures the worker is unseen."""
    cluster = Cluster(resource(workers={"count": 2}))
    cluster.settle()
    name = min(cluster.pods)
    known = cluster.scrapes.pop(name)
    cluster.reconcile()
    cluster.now += 25
    cluster.reconcile()
    assert cluster.condition("Ready") == ("True", "Running")
    cluster.now += 5
    cluster.reconcile()
    assert cluster.condition("Ready") == ("False", "WorkersUnseen")
    assert cluster.condition("Degraded") == ("True", "WorkersUnseen")
    cluster.scrapes[name] = known
    cluster.reconcile()

    assert cluster.condition("Ready") == ("True", "Running")


def test_refused_destination_stops_workers() -> None:
    """Workers that may not send are taken away; once they may, the same run resumes."""
    cluster = Cluster(resource())
    cluster.settle()
    started = cluster.resource["status"]["startTime"]
    cluster.resource["spec"]["kafka"] = {"bootstrapServers": "attacker:9092"}
    cluster.settle()

    assert cluster.condition("Ready") == ("False", "ServersRefused")
    assert cluster.condition("Degraded") == ("True", "ServersRefused")
    assert (cluster.children, cluster.pods) == ({}, {})
    assert cluster.reconcile().is_under_way
    cluster.resource["spec"]["kafka"] = {}
    cluster.settle()
    assert cluster.condition("Ready") == ("True", "Running")
    status = cluster.resource["status"]
    assert status["startTime"] == started < status["resumeTime"]


def test_refused_topic_stops_workers() -> None:
    """A simulation that names a topic which the operator does not allow gets no worker."""
    output = {"topic": "shop-events", "ledgerTopic": "shop-ledger"}
    cluster = Cluster(resource(output=output))
    cluster.settle()
    assert cluster.condition("Ready") == ("False", "TopicRefused")
    assert cluster.children == {}
    cluster.settings = replace(SETTINGS, allowed_topics=("shop-*",))
    cluster.settle()

    assert cluster.condition("Ready") == ("True", "Running")
    assert cluster.condition("Stored") == ("False", "OtherOutput")


def test_unknown_registry_stops_workers() -> None:
    """A simulation with a registry that the operator does not have gets no worker."""
    output = {
        "topic": "shop", "ledgerTopic": "shop-ledger", "encoding": "avro", "registry": "main"
    }  # fmt: skip
    cluster = Cluster(
        resource(output=output), settings=replace(SETTINGS, allowed_topics=("shop*",))
    )
    cluster.settle()
    assert cluster.condition("Ready") == ("False", "RegistryRefused")
    assert cluster.children == {}
    registry = Registry(name="main", url="http://registry:8081")
    cluster.settings = replace(cluster.settings, registries=(registry,))
    cluster.settle()

    assert cluster.condition("Ready") == ("True", "Running")


def test_unlabelled_secret_is_not_mounted() -> None:
    """Nothing is made for a secret whose owner has not agreed; with the label all is made."""
    kafka = {"clusterRef": {"name": "clicks"}, "credentialsSecretRef": {"name": "any"}}
    cluster = Cluster(resource(kafka=kafka), secrets={"any": {}})
    cluster.settle()
    assert cluster.condition("Ready") == ("False", "CredentialsRefused")
    assert cluster.children == {}
    cluster.secrets["any"] = {CREDENTIALS_LABEL: "true"}
    cluster.settle()

    assert cluster.condition("Ready") == ("True", "Running")
    del cluster.secrets["any"]
    cluster.settle()
    assert cluster.children == {}


def test_limited_workers_are_told() -> None:
    """A simulation that asks for more workers than the limit runs, and its condition says so."""
    cluster = Cluster(resource(workers={"count": 16}, shards=16))
    cluster.settle()

    assert len(cluster.pods) == SETTINGS.max_workers == 8
    message = cluster.resource["status"]["conditions"][0]["message"]
    assert "spec.workers asks for more than 8" in message


def test_missing_secret_is_named() -> None:
    """The worker knows a path and the operator its secret; once it is there all is well."""
    kafka = {"clusterRef": {"name": "clicks"}, "credentialsSecretRef": {"name": "load"}}
    cluster = Cluster(resource(kafka=kafka), secrets={"load": {CREDENTIALS_LABEL: "true"}})
    cluster.settle()
    (name,) = cluster.pods
    well = cluster.pods[name]
    says = "CLICKSTREAM_GENERATOR_CA_FILE has the value '/etc/kafka-ca/ca.crt'"
    cluster.pods[name] = replace(well, is_ready=False, exit_code=2, exit_message=says)
    cluster.reconcile()
    assert cluster.condition("Degraded") == ("True", "WorkerMisconfigured")
    message = cluster.resource["status"]["conditions"][0]["message"]
    assert says in message
    assert "/etc/kafka-ca is the secret clicks-cluster-ca-cert" in message
    assert "/etc/kafka-user is the secret load" in message
    cluster.pods[name] = well
    cluster.reconcile()

    assert cluster.condition("Ready") == ("True", "Running")


def test_events_mark_transitions() -> None:
    """The same state, looked at again, posts no event."""
    cluster = Cluster(resource())
    reasons = []
    for _ in range(10):
        reasons += [notice.reason for notice in cluster.reconcile().notices]
        cluster.move_pods()
        cluster.now += 5

    assert reasons == ["WorkersStarting", "Running"]


def test_last_revisions_are_kept() -> None:
    """The status stays small: twenty revisions, the newest last."""
    cluster = Cluster(resource())
    for rate in range(1, 60):
        cluster.resource["spec"]["rate"] = {"eventsPerSecond": rate}
        cluster.resource["metadata"]["generation"] = rate
        cluster.reconcile()
        cluster.now += 30

    revisions = cluster.resource["status"]["revisions"]
    assert len(revisions) == 20
    assert revisions[-1]["generation"] == 59


def _plan(
    resource: dict[str, Any],
    observed: Observed | None = None,
    memory: Memory | None = None,
    now: float = NOW,
) -> Plan:
    return make_plan(resource, observed or Observed(), memory or Memory(), now, SETTINGS)


def _with_status(status: dict[str, Any] | None, **spec: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    assert status is not None
    return {**resource(**spec), "status": status}


def _text(**spec: Any) -> str:  # noqa: ANN401  JSON
    """Return the traffic's specification as a revision keeps it."""
    return json.dumps(traffic_spec(simulation(**spec)), sort_keys=True, separators=(",", ":"))


def _observed(*figures: Scrape) -> Observed:
    """Return ready workers with their figures and nothing else."""
    pods = tuple(pod(number) for number in range(len(figures)))
    return Observed(pods=pods, scrapes={f"w-{at}": row for at, row in enumerate(figures)})


def _settled(**spec: Any) -> Cluster:  # noqa: ANN401  JSON
    cluster = Cluster(resource(**spec))
    cluster.settle()
    return cluster


def test_first_reconcile_begins_the_run() -> None:
    """The first status has start, workers, first revision, figures and conditions."""
    plan = _plan(resource(workers={"count": 2}))

    assert plan.status is not None
    conditions = plan.status.pop("conditions")
    assert plan.status == {
        "startTime": _TIME,
        "workers": 2,
        "revisions": [
            {"generation": 1, "effectiveFrom": _TIME, "spec": _text(workers={"count": 2})}
        ],
        "targetEventsPerSecond": 1_000,
        "achievedEventsPerSecond": 0,
        "deliveredEvents": 0,
        "observedGeneration": 1,
        "readyWorkers": 0,
        "selector": "clickstream.dev/simulation=shop,app.kubernetes.io/component=worker",
    }
    assert [(row["type"], row["lastTransitionTime"]) for row in conditions] == [
        ("Ready", _TIME), ("Progressing", _TIME), ("Degraded", _TIME),
    ]  # fmt: skip
    assert plan.notices == (
        Notice("Normal", Reason.WORKERS_STARTING, "not every worker is ready yet"),
    )
    assert (plan.delete, plan.force_sync, plan.is_under_way) == ((), (), True)
    assert replace(plan.memory, reading=None) == Memory(Trend(), None, None, NOW)


def test_rate_chooses_the_first_workers() -> None:
    """A run begins with as many workers as its rate is expected to need."""
    plan = _plan(resource(rate={"eventsPerSecond": 120_000}))

    assert plan.status is not None
    assert plan.status["workers"] == 3


def test_decided_workers_are_kept() -> None:
    """Once decided, the number of workers is the status's and not a new guess."""
    status = {"startTime": _TIME, "workers": 3, "revisions": []}

    plan = _plan(_with_status(status), now=NOW + 60)

    assert plan.status is not None
    assert plan.status["workers"] == 3
    assert "resumeTime" not in plan.status


def test_missing_workers_mean_a_pause() -> None:
    """A run that has begun and has no workers resumes now; a later reconcile keeps that time."""
    paused = {"startTime": "2026-11-27T07:00:00Z", "workers": 0}
    resumed = _plan(_with_status(paused)).status

    assert resumed is not None
    assert resumed["resumeTime"] == _TIME
    assert resumed["startTime"] == "2026-11-27T07:00:00Z"
    later = _plan(_with_status(resumed), now=NOW + 90).status
    assert later is None or later["resumeTime"] == _TIME


def test_changes_hold_after_the_delay() -> None:
    """A change of a run takes effect four seconds after it is seen, and the file says so."""
    cluster = _settled()
    cluster.resource["spec"]["rate"] = {"eventsPerSecond": 2_000}
    cluster.resource["metadata"]["generation"] = 2
    cluster.now = NOW + 600

    plan = cluster.reconcile()

    assert plan.status is not None
    assert plan.status["revisions"][1] == {
        "generation": 2,
        "effectiveFrom": "2026-11-27T08:10:04Z",
        "spec": _text(rate={"eventsPerSecond": 2_000}),
    }
    file = json.loads(plan.apply[0]["data"]["simulation.yaml"])
    assert file["metadata"]["annotations"] == {
        "clickstream.dev/effective-from": "2026-11-27T08:10:04Z"
    }


def test_only_reading_pods_get_a_sync() -> None:
    """Pods that have read the file, leave, or are over need no forced sync."""
    first = _plan(resource(), Observed(pods=(pod(0, read="old"),)))
    pods = (
        pod(0, name="old", read="old"),
        pod(0, name="new", read=first.digest),
        pod(0, name="leaving", is_leaving=True),
        pod(0, name="over", is_over=True),
    )

    assert first.force_sync == ("w-0",)
    assert len(first.digest) == 16
    assert _plan(resource(), Observed(pods=pods)).force_sync == ("old",)


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ((scrape(target=500.4, achieved=400.4, delivered=70.9),) * 2, (1_001, 801, 141)),
        ((scrape(target=500.4, achieved=400.4, delivered=70.9),), (1_000, 400, 100)),
        ((), (1_000, 0, 100)),
    ],
    ids=["all", "some", "none"],
)
def test_figures_are_summed(figures: tuple[Scrape, ...], expected: tuple[int, int, int]) -> None:
    """The target is the workers' once all give figures; the count never becomes less."""
    status = {"startTime": _TIME, "workers": 2, "revisions": [], "deliveredEvents": 100}

    plan = _plan(_with_status(status, workers={"count": 2}), _observed(*figures))

    assert plan.status is not None
    assert expected == (
        plan.status["targetEventsPerSecond"],
        plan.status["achievedEventsPerSecond"],
        plan.status["deliveredEvents"],
    )
    assert plan.status["readyWorkers"] == len(figures)


def test_ready_workers_are_counted_once() -> None:
    """Two pods of one worker are one ready worker, and a pod that starts is none."""
    pods = (pod(0), pod(0, name="twin"), pod(1, is_ready=False))

    plan = _plan(resource(workers={"count": 2}), Observed(pods=pods))

    assert plan.status is not None
    assert plan.status["readyWorkers"] == 1


def test_suspended_run_has_no_rate() -> None:
    """While a run is suspended its rates are zero; its count stays, also while pods leave."""
    status = {"startTime": _TIME, "workers": 1, "deliveredEvents": 5}
    observed = _observed(scrape(delivered=70.0))

    plan = _plan(_with_status(status, suspend=True), observed)

    assert plan.status is not None
    assert {key: plan.status[key] for key in ("workers", "deliveredEvents")} == {
        "workers": 0, "deliveredEvents": 70,
    }  # fmt: skip
    assert plan.status["targetEventsPerSecond"] == 0
    assert plan.status["achievedEventsPerSecond"] == 0
    assert plan.status["conditions"][0]["message"] == (
        "spec.suspend is true; the workers have saved their positions"
    )


@pytest.mark.parametrize("has_pods", [True, False])
def test_stopping_is_under_way(*, has_pods: bool) -> None:
    """A suspended and a completed run are on their way until their last pod is gone."""
    observed = _observed(scrape()) if has_pods else Observed()
    over = {"conditions": [{"type": "Ready", "status": "False", "reason": "Completed",
                            "lastTransitionTime": _TIME}]}  # fmt: skip

    for given in (resource(suspend=True), _with_status(over)):
        plan = _plan(given, observed)
        assert plan.is_under_way is has_pods
        assert plan.status is not None
        assert plan.status["conditions"][1]["status"] == str(has_pods)
        assert (plan.apply, plan.force_sync) == ((), ())


def test_completion_says_why() -> None:
    """A completed run has no workers, no rate, and a condition that says what was reached."""
    status = {"startTime": _TIME, "workers": 1}
    observed = _observed(scrape(shards_over=8, delivered=9.0))

    plan = _plan(_with_status(status, stopAfter={"events": 9}), observed)

    assert plan.status is not None
    assert plan.status["workers"] == 0
    assert plan.status["targetEventsPerSecond"] == 0
    assert plan.status["deliveredEvents"] == 9
    assert plan.notices == (
        Notice(
            "Normal", Reason.COMPLETED, "spec.stopAfter is reached and every event acknowledged"
        ),
    )


@pytest.mark.parametrize(
    ("over", "more", "is_complete"),
    [
        (8, {"stopAfter": {"events": 9}}, True),
        (9, {"stopAfter": {"events": 9}}, True),
        (7, {"stopAfter": {"events": 9}}, False),
        (8, {}, False),
        (8, {"stopAfter": {"duration": "1h"}}, True),
    ],
)
def test_every_shard_must_be_over(over: int, more: dict[str, Any], *, is_complete: bool) -> None:
    """A run completes if it has an end and each of its eight shards has reached it."""
    status = {"startTime": _TIME, "workers": 1, "revisions": []}

    plan = _plan(_with_status(status, **more), _observed(scrape(shards_over=over)))

    assert plan.status is not None
    reason = plan.status["conditions"][0]["reason"]
    assert (reason == "Completed") is is_complete


def test_every_worker_must_answer() -> None:
    """Figures of fewer or more workers than are decided complete nothing."""
    for decided in (1, 3):
        status: dict[str, Any] = {"startTime": _TIME, "workers": decided, "revisions": []}
        given = _with_status(status, stopAfter={"events": 9}, workers={"count": decided})
        plan = _plan(given, _observed(scrape(shards_over=4), scrape(shards_over=4)))
        assert plan.status is not None
        assert plan.status["conditions"][0]["reason"] != "Completed"


def test_unowned_children_stay() -> None:
    """When a run stops, what it owns is deleted and what another object owns is kept."""
    own = {"ownerReferences": [{"uid": "x"}, {"uid": resource()["metadata"]["uid"]}]}
    rows = tuple(
        {"kind": "ConfigMap", "metadata": {"name": name, **more}}
        for name, more in (
            ("own", own), ("others", {"ownerReferences": [{"uid": "x"}]}), ("nobodys", {}),
        )
    )  # fmt: skip

    plan = _plan(resource(suspend=True), Observed(rows))

    assert [row["metadata"]["name"] for row in plan.delete] == ["own"]


def test_fewer_workers_are_deleted() -> None:
    """The children of a worker that is no longer wanted go, and the change is an event."""
    cluster = _settled(workers={"count": 3})
    cluster.resource["spec"]["workers"] = {"count": 2}

    plan = cluster.reconcile()

    assert [row["metadata"]["name"] for row in plan.delete] == ["shop-worker-2"]
    assert Notice("Normal", Reason.SCALED, "from 3 to 2 workers") in plan.notices
    assert "WorkersRestarted" not in {row.reason for row in plan.notices}


def test_restart_is_counted() -> None:
    """The event names how many Deployments get another template."""
    cluster = _settled(workers={"count": 2})
    cluster.resource["spec"]["kafka"] = {"bootstrapServers": "elsewhere:9092"}

    plan = cluster.reconcile()

    assert [row for row in plan.notices if row.reason == "WorkersRestarted"] == [
        Notice(
            "Normal",
            Reason.WORKERS_RESTARTED,
            "the change needs a restart of 2 workers; nothing is lost",
        )
    ]


def test_repairs_are_no_restart() -> None:
    """A Deployment that was edited is repaired without an event about a restart."""
    cluster = _settled()
    (place,) = (place for place in cluster.children if place[0] == "Deployment")
    cluster.children[place]["spec"]["template"]["spec"]["enableServiceLinks"] = True
    plan = cluster.reconcile()
    assert [row["kind"] for row in plan.apply] == ["Deployment"]
    assert plan.notices == ()

    cluster.children[place]["metadata"]["annotations"]["clickstream.dev/wanted"] = "old"
    plan = cluster.reconcile()

    assert [row["kind"] for row in plan.apply] == ["Deployment"]
    assert plan.notices == ()


@pytest.mark.parametrize(
    ("achieved", "is_written"), [(490.0, False), (510.0, False), (489.0, True), (511.0, True)]
)
def test_small_rate_changes_wait(achieved: float, *, is_written: bool) -> None:
    """The achieved rate is written once it has moved by more than two percent of the target."""
    cluster = _settled(rate={"eventsPerSecond": 500})
    (name,) = cluster.pods
    cluster.scrapes[name] = scrape(achieved=achieved)
    cluster.now = cluster.memory.written_at + 1

    assert (cluster.reconcile().status is not None) is is_written


def test_target_changes_are_written() -> None:
    """The target follows the day's curve and is written once it has moved enough."""
    cluster = _settled(rate={"eventsPerSecond": 500})
    (name,) = cluster.pods
    cluster.scrapes[name] = scrape(target=509.0)
    cluster.now = cluster.memory.written_at + 1
    assert cluster.reconcile().status is None

    cluster.scrapes[name] = scrape(target=515.0)

    assert cluster.reconcile().status is not None


@pytest.mark.parametrize(
    ("seconds", "figures", "is_written"),
    [
        (59.9, {"delivered": 5.0}, False),
        (60.0, {"delivered": 5.0}, True),
        (3_600.0, {}, False),
        (60.0, {"achieved": 501.0}, True),
    ],
)
def test_count_is_written_each_minute(
    seconds: float, figures: dict[str, float], *, is_written: bool
) -> None:
    """What has been delivered may be a minute old, and is written only if it has changed."""
    cluster = _settled(rate={"eventsPerSecond": 500})
    (name,) = cluster.pods
    cluster.scrapes[name] = scrape(**figures)
    cluster.now = cluster.memory.written_at + seconds

    plan = cluster.reconcile()

    assert (plan.status is not None) is is_written
    assert (cluster.memory.written_at == cluster.now) is is_written


def test_silence_is_remembered() -> None:
    """The first silent moment is kept; it counts from ten seconds on, and ends with an answer."""
    cluster = _settled()
    (name,) = cluster.pods
    began = cluster.now
    cluster.scrapes[name] = scrape(achieved=0.0, queue_records=900.0)
    cluster.reconcile()
    cluster.now += 9.9
    cluster.reconcile()
    assert cluster.condition("Ready") == ("True", "Running")
    assert cluster.memory.silent_since == began
    cluster.now = began + 10
    cluster.reconcile()
    assert cluster.condition("Ready") == ("False", "BrokerUnreachable")
    cluster.scrapes[name] = scrape()
    cluster.reconcile()

    assert cluster.memory.silent_since is None


def test_unseen_moment_is_remembered() -> None:
    """The first unseen moment is kept; it counts from thirty seconds on."""
    cluster = _settled()
    cluster.scrapes.clear()
    began = cluster.now
    cluster.reconcile()
    cluster.now += 29.9
    cluster.reconcile()
    assert cluster.condition("Ready") == ("True", "Running")
    assert cluster.memory.unseen_since == began
    cluster.now = began + 30

    cluster.reconcile()

    assert cluster.condition("Ready") == ("False", "WorkersUnseen")


def test_degraded_warns() -> None:
    """An event about something wrong is a warning, and says the condition's words."""
    cluster = _settled()
    cluster.resource["spec"]["rate"] = {"eventsPerSecond": 0}

    plan = cluster.reconcile()

    (notice,) = plan.notices
    assert (notice.type, notice.reason) == ("Warning", "InvalidSpec")
    assert "spec.rate.eventsPerSecond" in notice.message
    assert plan.is_under_way is False


def test_missing_broker_says_how() -> None:
    """The condition names the fields that would name a broker."""
    plan = make_plan(resource(), Observed(), Memory(), NOW, replace(SETTINGS, bootstrap_servers=""))

    assert plan.notices == (
        Notice(
            "Warning",
            Reason.NO_BROKER,
            "spec.kafka: name clusterRef or bootstrapServers; this operator has no default",
        ),
    )


def test_same_traffic_is_no_revision() -> None:
    """A change of broker, workers or nothing at all adds no revision."""
    before = [{"generation": 1, "effectiveFrom": _TIME, "spec": _text()}]
    status = {"startTime": _TIME, "workers": 2, "revisions": before}

    plan = _plan(
        _with_status(status, workers={"count": 2}, kafka={"bootstrapServers": "elsewhere:9092"})
    )

    assert plan.status is not None
    assert plan.status["revisions"] == before


def test_single_revision_holds_at_once() -> None:
    """A run with one revision has no moment in its file."""
    plan = _plan(resource())

    file = json.loads(plan.apply[0]["data"]["simulation.yaml"])
    assert file["metadata"]["annotations"] == {}
