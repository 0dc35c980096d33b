"""What is said of a simulation, and when it gets another worker."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from clickstream_contract.document import simulation_from_resource
from clickstream_operator.core.conditions import verdict
from clickstream_operator.core.observed import Observed, Pod, pod_from, scrape_from
from clickstream_operator.core.scaling import Trend, first_workers, is_below, next_workers
from clusters import SETTINGS, resource, scrape


def _pod(worker: int = 0, **more: object) -> Pod:
    return replace(
        Pod(f"w-{worker}", worker, frozenset({worker}), "10.0.0.1", is_ready=True), **more
    )  # type: ignore[arg-type]


def _reason(pod: Pod, *children: dict[str, object], **figures: float) -> str:
    observed = Observed(children, (pod,), {pod.name: scrape(**figures)})
    return verdict(1, observed, SETTINGS, is_missed=False).reason


@pytest.mark.parametrize(
    ("pod", "figures", "reason"),
    [
        (_pod(), {}, "Running"),
        (_pod(is_ready=False), {}, "WorkersStarting"),
        (_pod(is_ready=False, image_message="no such image"), {}, "ImagePullFailed"),
        (_pod(is_ready=False, unscheduled_message="0/1 nodes"), {}, "Unschedulable"),
        (_pod(is_ready=False, exit_code=2, exit_message="no"), {}, "WorkerMisconfigured"),
        (_pod(is_ready=False, exit_code=3, exit_message="no"), {}, "BrokerUnreachable"),
        (_pod(is_ready=False, exit_code=1, exit_message="no"), {}, "WorkerCrashed"),
        (_pod(is_ready=False, exit_code=137), {}, "WorkersStarting"),
        (_pod(exit_code=1), {}, "Running"),
        (_pod(), {"queue_records": 190_000.0}, "BrokerSlow"),
        (_pod(), {"refused_changes": 1.0}, "ChangeRefused"),
    ],
)
def test_each_trouble_has_its_reason(pod: Pod, figures: dict[str, float], reason: str) -> None:
    """Ready says why, and Degraded says the same where something is wrong."""
    assert _reason(pod, **figures) == reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("pods x is forbidden: exceeded quota: q", "QuotaExceeded"),
        ("violates PodSecurity", "PodsRefused"),
    ],
)
def test_pods_that_are_refused_are_named(message: str, reason: str) -> None:
    """A Deployment says so in a condition of its own."""
    row = {"type": "ReplicaFailure", "status": "True", "message": message}
    deployment = {"kind": "Deployment", "status": {"conditions": [row]}}

    assert _reason(_pod(is_ready=False), deployment) == reason


def test_a_pod_is_read_as_the_api_server_gives_it() -> None:
    """Reasons come from where Kubernetes puts them; the last line of a log says what happened."""
    body = {
        "metadata": {
            "name": "w-1",
            "labels": {"clickstream.dev/worker": "1"},
            "annotations": {"clickstream.dev/shards": "4-7", "read": "abc"},
            "deletionTimestamp": "2026-11-27T08:00:00Z",
        },
        "spec": {
            "containers": [
                {"name": "sidecar"},
                {"env": [{"name": "CLICKSTREAM_GENERATOR_RUN_ID", "value": "run"}]},
            ]
        },
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.7",
            "conditions": [
                {"type": "Ready", "status": "True"},
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "m",
                },
            ],
            "containerStatuses": [
                {
                    "state": {"waiting": {"reason": "ErrImagePull", "message": "no\nsuch"}},
                    "lastState": {
                        "terminated": {"exitCode": 3, "message": "INFO x\nerror: Kafka refuses\n"}
                    },
                }
            ],
        },
    }
    pod = pod_from(body, "read")

    assert pod == Pod(
        "w-1", 1, frozenset({4, 5, 6, 7}), "10.0.0.7", is_ready=True, is_leaving=True,
        image_message="no such", unscheduled_message="m", exit_code=3,
        exit_message="Kafka refuses", read="abc", run_id="run",
    )  # fmt: skip
    assert pod_from({"metadata": {"name": "x"}}, "read").worker == -1


def test_figures_that_are_missing_are_no_figures() -> None:
    """Another program's metrics are refused, and no zero is made of them."""
    with pytest.raises(ValueError, match="target_events_per_second"):
        scrape_from("up 1\n")
    with pytest.raises(ValueError, match="shards_over"):
        scrape_from(
            "".join(
                f"clickstream_generator_{name} 1\n"
                for name in ("target_events_per_second", "achieved_events_per_second",
                             "queue_messages", "event_lag_seconds", "busy_seconds_total",
                             "delivered_records")
            )
        )  # fmt: skip


def _scaled(
    figures: dict[int, float],
    seconds: int,
    workers: int = 1,
    *,
    busy: float = 0.5,
    queue: float = 0.0,
) -> int:
    """Return the workers after so long with the same achieved share of the target."""
    spec = simulation_from_resource(resource(workers={"max": 4})).spec
    trend, now = Trend(), 0.0
    while now <= seconds:
        seen = {
            number: scrape(
                target=100.0, achieved=share * 100, busy_seconds=now * busy, queue_records=queue
            )
            for number, share in figures.items()
        }
        workers, trend = next_workers(spec, workers, seen, trend, now, SETTINGS)
        if workers != len(figures):
            return workers
        now += 5
    return workers


def test_a_rate_that_is_missed_for_a_minute_gets_another_worker() -> None:
    """Not sooner, not for a short dip, and never beyond the maximum."""
    assert _scaled({0: 0.90}, 55) == 1
    assert _scaled({0: 0.90}, 60) == 2
    assert _scaled({0: 0.96}, 3_600) == 1
    assert _scaled(dict.fromkeys(range(4), 0.5), 3_600, workers=4) == 4


def test_a_slow_shop_is_judged_by_how_late_it_is() -> None:
    """Between two of its events a whole look-back is empty; history is never too late."""
    slow = {"target": 0.02, "achieved": 0.0}
    assert not is_below({0: scrape(**slow, lag_seconds=0.1)})
    assert is_below({0: scrape(**slow, lag_seconds=30.0)})
    assert not is_below({0: scrape(target=0.02, achieved=900.0, lag_seconds=86_400.0)})
    assert is_below({0: scrape(target=3.0, achieved=2.0), 1: scrape(target=3.0, achieved=2.0)})


def test_a_broker_that_cannot_keep_up_gets_no_more_workers() -> None:
    """More senders would make it worse."""
    assert _scaled({0: 0.5}, 3_600, queue=190_000.0) == 1


def test_a_worker_too_many_goes_after_a_calm_while() -> None:
    """Only where the others have room to spare for its work."""
    assert _scaled({0: 1.0, 1: 1.0}, 595, workers=2, busy=0.2) == 2
    assert _scaled({0: 1.0, 1: 1.0}, 615, workers=2, busy=0.2) == 1
    assert _scaled({0: 1.0, 1: 1.0}, 7_200, workers=2, busy=0.4) == 2


def test_a_worker_that_cannot_be_asked_decides_nothing() -> None:
    """Who starts or is away is no sign of too much or too little."""
    spec = simulation_from_resource(resource(workers={"max": 4})).spec
    trend = Trend(below_since=0.0)

    assert next_workers(spec, 2, {0: scrape(achieved=1.0)}, trend, 900, SETTINGS) == (2, Trend())


def test_the_number_of_workers_never_flaps() -> None:
    """A steady load of any size comes to rest at one number and stays there for a day."""
    spec = simulation_from_resource(resource(workers={"max": 6})).spec
    for load in range(10, 400, 30):  # percent of what one worker can do
        workers, trend, busy = first_workers(spec, SETTINGS), Trend(), 0.0
        numbers = []
        for now in range(0, 86_400, 5):
            share = load / 100 / workers
            busy += min(1.0, share) * 5
            row = scrape(target=100.0, achieved=min(1.0, 1 / share) * 100, busy_seconds=busy)
            seen = dict.fromkeys(range(workers), row)
            workers, trend = next_workers(spec, workers, seen, trend, now, SETTINGS)
            numbers.append(workers)
        assert sum(one != other for one, other in pairwise(numbers)) <= 5, load
        assert len(set(numbers[-10_000:])) == 1, load
        assert numbers[-1] >= load / 105, load


def test_the_first_guess_follows_the_rate() -> None:
    """One worker for what one is taken to send, never more than shards or the maximum."""

    def guess(rate: int, **workers: int) -> int:
        spec = simulation_from_resource(
            resource(rate={"eventsPerSecond": rate}, workers=workers)
        ).spec
        return first_workers(spec, SETTINGS)

    assert guess(1_000) == 1
    assert guess(120_000) == 3
    assert guess(1_000_000) == 8
    assert guess(1_000_000, max=2) == 2
    assert guess(1, count=5) == 5
    assert guess(1, count=500) == 8
