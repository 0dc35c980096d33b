"""A simulation's life: what is planned at each turn, and that it comes to rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from clickstream_operator.core.conditions import Finding
from clickstream_operator.core.plan import make_plan
from clusters import NOW, SETTINGS, Cluster, resource, scrape


def test_a_settled_simulation_is_left_alone() -> None:
    """Once all is as wanted, looks write nothing, whatever the time."""
    cluster = Cluster(resource(workers={"count": 2}))
    cluster.settle()
    assert cluster.condition("Ready") == ("True", "Running")
    assert cluster.condition("Progressing") == ("False", "Settled")
    assert cluster.condition("Degraded") == ("False", "AsExpected")
    before = cluster.writes
    for _ in range(200):
        cluster.now += 60
        cluster.look()

    assert cluster.writes == before
    assert {kind for kind, _ in cluster.children} == {
        "ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service",
    }  # fmt: skip


def test_a_changed_rate_restarts_nobody_and_holds_from_a_moment_to_come() -> None:
    """Only the file changes, with the moment in it, and every pod is nudged to read it."""
    cluster = Cluster(resource(workers={"count": 2}))
    cluster.settle()
    pods = set(cluster.pods)
    cluster.resource["spec"]["rate"] = {"eventsPerSecond": 2_000}
    cluster.resource["metadata"]["generation"] = 2
    moment = cluster.now
    plan = cluster.look()

    assert [row["kind"] for row in plan.apply] == ["ConfigMap"]
    assert "clickstream.dev/effective-from" in plan.apply[0]["data"]["simulation.yaml"]
    assert set(plan.nudge) == pods
    cluster.settle()
    assert set(cluster.pods) == pods
    first, second = cluster.resource["status"]["revisions"]
    assert (first["generation"], second["generation"]) == (1, 2)
    assert second["effectiveFrom"] > "2026-11-27T08:00:00Z"
    assert moment > NOW


def test_another_broker_restarts_the_workers_and_says_so() -> None:
    """What is no part of the traffic is in the pods; whoever looks is told."""
    cluster = Cluster(resource(workers={"count": 2}))
    cluster.settle()
    cluster.resource["spec"]["kafka"] = {"bootstrapServers": "elsewhere:9092"}
    plan = cluster.look()

    assert "WorkersRestarted" in [notice.reason for notice in plan.notices]
    assert len(cluster.resource["status"]["revisions"]) == 1


def test_suspending_takes_the_workers_away_and_resuming_leaves_the_pause_out() -> None:
    """The run is the same one afterwards; the file says when it went on."""
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


def test_a_pause_is_left_out_whatever_was_said_in_it() -> None:
    """A specification that was refused meanwhile does not make it forgotten."""
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
    cluster.look()

    resumed = datetime.fromisoformat(cluster.resource["status"]["resumeTime"])
    assert resumed.timestamp() == before


def test_a_simulation_that_begins_suspended_begins_when_it_is_let() -> None:
    """Nothing is left out of a run that has not begun."""
    cluster = Cluster(resource(suspend=True))
    cluster.settle()
    assert "startTime" not in cluster.resource["status"]
    cluster.now += 600
    cluster.resource["spec"]["suspend"] = False
    cluster.settle()

    assert cluster.resource["status"]["startTime"] > "2026-11-27T08:10:00Z"
    assert "resumeTime" not in cluster.resource["status"]


def test_a_run_that_is_over_stays_over_with_its_totals() -> None:
    """Workers go; the count stays; nothing brings it back, not even another look at the spec."""
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


def test_a_run_that_is_over_stays_over_also_when_nobody_names_a_broker() -> None:
    """Nor does a specification that is no longer understood begin it anew."""
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


def test_a_simulation_without_a_broker_can_be_suspended() -> None:
    """Who runs stops, whatever else is wrong."""
    cluster = Cluster(resource())
    cluster.settle()
    cluster.settings = replace(SETTINGS, bootstrap_servers="")
    cluster.resource["spec"]["suspend"] = True
    cluster.settle()

    assert cluster.condition("Ready") == ("False", "Suspended")
    assert not cluster.pods


def test_a_worker_that_is_over_while_others_go_on_completes_nothing() -> None:
    """All shards must be over, and every worker must have said so."""
    cluster = Cluster(resource(stopAfter={"events": 5_000}, workers={"count": 2}))
    cluster.settle()
    one, other = sorted(cluster.pods)
    cluster.scrapes[one] = scrape(shards_over=4)
    cluster.settle()
    assert cluster.condition("Ready")[0] == "True"
    cluster.scrapes[one] = scrape(shards_over=8)
    del cluster.scrapes[other]
    cluster.look()

    assert cluster.condition("Ready")[1] != "Completed"


@pytest.mark.parametrize("kind", ["ConfigMap", "Deployment", "Service", "NetworkPolicy"])
def test_a_child_that_is_lost_or_edited_comes_back(kind: str) -> None:
    """Drift is repaired; what others add beside it is theirs."""
    cluster = Cluster(resource())
    cluster.settle()
    place = next(place for place in cluster.children if place[0] == kind)
    lost = cluster.children.pop(place)
    cluster.settle()
    assert cluster.children[place].get("spec") == lost.get("spec")

    cluster.children[place]["metadata"]["labels"].pop("app.kubernetes.io/part-of")
    cluster.children[place]["metadata"]["labels"]["team"] = "blue"
    assert [row["kind"] for row in cluster.look().apply] == [kind]
    cluster.children[place]["metadata"]["labels"]["team"] = "blue"
    assert cluster.look().apply == ()


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 2), (2, 8), (8, 1), (3, 5)])
def test_shards_move_and_nobody_ever_carries_one_twice(before: int, after: int) -> None:
    """At no moment do two pods have the same shard; in the end each has one."""
    cluster = Cluster(resource(workers={"count": before}))
    cluster.settle()
    assert cluster.shards() == list(range(8))
    cluster.resource["spec"]["workers"] = {"count": after}
    for _ in range(30):
        cluster.look()
        shards = cluster.shards()
        assert len(set(shards)) == len(shards)
        cluster.move_pods()
        shards = cluster.shards()
        assert len(set(shards)) == len(shards)

    assert cluster.shards() == list(range(8))
    assert len(cluster.pods) == after


def test_what_only_carries_the_label_is_not_taken_away() -> None:
    """Only what the simulation owns is pruned."""
    cluster = Cluster(resource())
    cluster.settle()
    labels = {"clickstream.dev/simulation": "shop"}
    foreign = {"kind": "ConfigMap", "metadata": {"name": "mine", "labels": labels, "uid": "x"}}
    cluster.children["ConfigMap", "mine"] = foreign

    assert cluster.look().delete == ()


def test_a_spec_that_only_the_operator_can_refuse_changes_nothing() -> None:
    """What runs goes on as it was, the condition names the field, and it heals by itself."""
    cluster = Cluster(resource())
    cluster.settle()
    bursts = [
        {"at": "1m", "for": "5m", "multiplierPermille": 5},
        {"at": "2m", "for": "1m", "multiplierPermille": 5},
    ]
    cluster.resource["spec"]["rate"]["bursts"] = bursts
    plan = cluster.look()
    assert (plan.apply, plan.delete) == ((), ())
    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    ready = cluster.resource["status"]["conditions"][0]
    assert "spec.rate.bursts" in ready["message"]
    cluster.resource["spec"]["rate"]["bursts"] = []
    cluster.settle()

    assert cluster.condition("Ready") == ("True", "Running")


def test_without_any_broker_it_says_what_to_name() -> None:
    """Neither the resource nor the operator names one."""
    cluster = Cluster(resource(), settings=replace(SETTINGS, bootstrap_servers=""))
    cluster.settle()

    assert cluster.condition("Degraded") == ("True", "NoBroker")
    assert not cluster.children


def test_a_refusal_of_the_api_server_is_a_condition() -> None:
    """A quota in the way is named, and the status is otherwise as it was."""
    cluster = Cluster(resource())
    failure = Finding("QuotaExceeded", "exceeded quota: small")
    plan = make_plan(cluster.resource, cluster.observed(), cluster.memory, NOW, SETTINGS, failure)

    assert plan.status is not None
    assert {(row["type"], row["status"]) for row in plan.status["conditions"]} == {
        ("Ready", "False"), ("Progressing", "True"), ("Degraded", "True"),
    }  # fmt: skip
    assert plan.notices[0].kind == "Warning"


def test_a_broker_that_falls_silent_is_named_after_a_while() -> None:
    """A worker that has just begun has nothing acknowledged either; ten seconds tell."""
    cluster = Cluster(resource())
    cluster.settle()
    (name,) = cluster.pods
    cluster.scrapes[name] = scrape(achieved=0.0, queue_records=900.0)
    cluster.look()
    assert cluster.condition("Ready")[0] == "True"
    cluster.now += 10
    cluster.look()
    assert cluster.condition("Degraded") == ("True", "BrokerUnreachable")
    cluster.scrapes[name] = scrape()
    cluster.look()

    assert cluster.condition("Ready") == ("True", "Running")


@pytest.mark.parametrize(("workers", "most"), [({"count": 2}, 2), ({"max": 2}, 2), ({"max": 1}, 1)])
def test_a_rate_that_no_more_workers_may_reach_is_said_to_be_missed(
    workers: dict[str, int], most: int
) -> None:
    """Not for a short dip, then for as long as it lasts, whoever decided about the workers."""
    cluster = Cluster(resource(workers=workers))
    cluster.settle()

    def hold(seconds: int, achieved: float) -> set[tuple[str, str]]:
        said = set()
        for _ in range(seconds // 5):
            cluster.now += 5
            for name in cluster.pods:
                cluster.scrapes[name] = scrape(achieved=achieved)
            cluster.look()
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


def test_a_worker_that_cannot_be_asked_is_not_said_to_send() -> None:
    """One lost answer is nothing; none for half a minute means that nobody knows."""
    cluster = Cluster(resource(workers={"count": 2}))
    cluster.settle()
    name = min(cluster.pods)
    known = cluster.scrapes.pop(name)
    cluster.look()
    cluster.now += 25
    cluster.look()
    assert cluster.condition("Ready") == ("True", "Running")
    cluster.now += 5
    cluster.look()
    assert cluster.condition("Ready") == ("False", "WorkersUnseen")
    assert cluster.condition("Degraded") == ("True", "WorkersUnseen")
    cluster.scrapes[name] = known
    cluster.look()

    assert cluster.condition("Ready") == ("True", "Running")


def test_a_secret_that_is_missing_is_named() -> None:
    """The worker knows a path, the operator whose it is; once it is there, all is well."""
    kafka = {"clusterRef": {"name": "clicks"}, "credentialsSecretRef": {"name": "load"}}
    cluster = Cluster(resource(kafka=kafka))
    cluster.settle()
    (name,) = cluster.pods
    well = cluster.pods[name]
    says = "CLICKSTREAM_GENERATOR_CA_FILE has the value '/etc/kafka-ca/ca.crt'"
    cluster.pods[name] = replace(well, is_ready=False, exit_code=2, exit_message=says)
    cluster.look()
    assert cluster.condition("Degraded") == ("True", "WorkerMisconfigured")
    message = cluster.resource["status"]["conditions"][0]["message"]
    assert says in message
    assert "/etc/kafka-ca is the secret clicks-cluster-ca-cert" in message
    assert "/etc/kafka-user is the secret load" in message
    cluster.pods[name] = well
    cluster.look()

    assert cluster.condition("Ready") == ("True", "Running")


def test_events_are_told_at_transitions_only() -> None:
    """The same state, looked at again, is no news."""
    cluster = Cluster(resource())
    reasons = []
    for _ in range(10):
        reasons += [notice.reason for notice in cluster.look().notices]
        cluster.move_pods()
        cluster.now += 5

    assert reasons == ["WorkersStarting", "Running"]


def test_long_lives_keep_the_last_revisions() -> None:
    """The status stays small: twenty revisions, the newest last."""
    cluster = Cluster(resource())
    for rate in range(1, 60):
        cluster.resource["spec"]["rate"] = {"eventsPerSecond": rate}
        cluster.resource["metadata"]["generation"] = rate
        cluster.look()
        cluster.now += 30

    revisions = cluster.resource["status"]["revisions"]
    assert len(revisions) == 20
    assert revisions[-1]["generation"] == 59
