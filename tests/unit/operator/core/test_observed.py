"""Reading pods and figures as the cluster gives them."""

from __future__ import annotations

from typing import Any

import pytest
from clickstream_operator.core.observed import (
    Observed,
    Pod,
    Scrape,
    VerificationPod,
    pod_from,
    scrape_from,
    verification_pod_from,
)
from clusters import scrape
from workers import pod

_METRICS = {
    "target_events_per_second": 1.0,
    "achieved_events_per_second": 2.0,
    "queue_messages": 3.0,
    "event_lag_seconds": 4.0,
    "busy_seconds_total": 5.0,
    "delivered_records": 6.0,
    "shards_over": 7.0,
}


def _body(**status: object) -> dict[str, Any]:
    return {"metadata": {"name": "w-1"}, "status": status}


def _container(**state: object) -> dict[str, Any]:
    return _body(containerStatuses=[state])


def _text(**figures: float) -> str:
    rows = {**_METRICS, **figures}
    return "".join(f"clickstream_generator_{name} {value}\n" for name, value in rows.items())


def test_pod_is_read_whole() -> None:
    """Every field comes from where Kubernetes puts it."""
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

    assert pod_from(body, "read") == Pod(
        "w-1", 1, frozenset({4, 5, 6, 7}), "10.0.0.7", is_ready=True, is_leaving=True,
        image_message="no such", unscheduled_message="m", exit_code=3,
        exit_message="Kafka refuses", read="abc", run_id="run",
    )  # fmt: skip


def test_bare_pod_is_worker_minus_one() -> None:
    """A pod of which only the name is known carries nothing and is no worker."""
    empty = Pod(
        name="w-1", worker=-1, shards=frozenset(), address="", is_ready=False, is_over=False,
        is_leaving=False, image_message="", unscheduled_message="", exit_code=None,
        exit_message="", read="", run_id="",
    )  # fmt: skip

    assert pod_from({"metadata": {"name": "w-1"}}, "read") == empty
    assert Pod("w-1", -1, frozenset()) == empty


@pytest.mark.parametrize("label", ["", "x", "-1", "1.5"])
def test_other_labels_are_no_worker(label: str) -> None:
    """A worker's label that is no whole number names no worker."""
    metadata = {"name": "w", "labels": {"clickstream.dev/worker": label}}

    assert pod_from({"metadata": metadata}, "read").worker == -1


@pytest.mark.parametrize(
    ("phase", "is_over"),
    [("Succeeded", True), ("Failed", True), ("Running", False), ("Pending", False)],
)
def test_ended_phases_are_over(phase: str, *, is_over: bool) -> None:
    """A pod is over once its phase says that no process of it runs again."""
    assert pod_from(_body(phase=phase), "read").is_over is is_over


def test_only_true_is_ready() -> None:
    """A pod is ready when the condition of that name is true, and not while it is unknown."""
    rows = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "Unknown"}]

    assert not pod_from(_body(conditions=rows), "read").is_ready
    assert pod_from(_body(conditions=[{"type": "Ready", "status": "True"}]), "read").is_ready


@pytest.mark.parametrize(
    ("waiting", "message"),
    [
        ({"reason": "ErrImagePull", "message": "a"}, "a"),
        ({"reason": "ImagePullBackOff", "message": "b"}, "b"),
        ({"reason": "InvalidImageName", "message": "c"}, "c"),
        ({"reason": "ErrImageNeverPull"}, "ErrImageNeverPull"),
        ({"reason": "ContainerCreating", "message": "d"}, ""),
        ({"reason": "CrashLoopBackOff", "message": "e"}, ""),
        ({}, ""),
    ],
)
def test_missing_images_are_named(waiting: dict[str, str], message: str) -> None:
    """Only a reason about the image is one, in its message or at least its name."""
    assert pod_from(_container(state={"waiting": waiting}), "read").image_message == message


def test_only_unschedulable_is_unscheduled() -> None:
    """A pod that waits for another reason is not said to find no node."""
    gated = {"type": "PodScheduled", "reason": "SchedulingGated", "message": "m"}
    silent = {"type": "PodScheduled", "reason": "Unschedulable"}
    full = {**silent, "message": "0/1 nodes"}

    assert pod_from(_body(conditions=[gated]), "read").unscheduled_message == ""
    assert pod_from(_body(conditions=[silent]), "read").unscheduled_message == ""
    assert pod_from(_body(conditions=[full]), "read").unscheduled_message == "0/1 nodes"


def test_latest_exit_counts() -> None:
    """A process that has ended now says more than the one that ended before it."""
    former = {"terminated": {"exitCode": 3, "message": "former"}}
    both = _container(state={"terminated": {"exitCode": 1, "message": "now"}}, lastState=former)
    running = _container(state={"running": {}}, lastState=former)

    assert pod_from(both, "read").exit_code == 1
    assert pod_from(both, "read").exit_message == "now"
    assert pod_from(running, "read").exit_code == 3
    assert pod_from(running, "read").exit_message == "former"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ""),
        (" \n\n", ""),
        ("one\ntwo\n \n", "two"),
        ("error: no  such\ttopic", "no such topic"),
        ("an error: in a line", "an error: in a line"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 300),
    ],
)
def test_last_line_says_why(text: str, message: str) -> None:
    """The last line that holds words is kept, on one line of at most 300 characters."""
    body = _container(state={"terminated": {"exitCode": 1, "message": text}})

    assert pod_from(body, "read").exit_message == message


def test_run_is_read_from_its_variable() -> None:
    """The run comes from one variable; other variables and absent values say nothing."""

    def run_of(*rows: dict[str, str]) -> str:
        body = {"metadata": {"name": "w"}, "spec": {"containers": [{"env": list(rows)}]}}
        return pod_from(body, "read").run_id

    assert run_of({"name": "OTHER", "value": "x"}) == ""
    assert run_of({"name": "CLICKSTREAM_GENERATOR_RUN_ID"}) == ""
    assert run_of(
        {"name": "OTHER", "value": "x"}, {"name": "CLICKSTREAM_GENERATOR_RUN_ID", "value": "run"}
    ) == "run"  # fmt: skip


def test_metrics_become_figures() -> None:
    """Each figure comes from another metric."""
    changes = (
        'clickstream_generator_spec_changes_total{outcome="refused"} 2\n'
        'clickstream_generator_spec_changes_total{outcome="applied"} 9\n'
    )

    assert scrape_from(_text() + changes) == Scrape(
        target=1.0, achieved=2.0, queue_records=3.0, lag_seconds=4.0, busy_seconds=5.0,
        delivered=6.0, shards_over=7, refused_changes=2.0,
    )  # fmt: skip
    assert scrape_from(_text()).refused_changes == 0.0


def test_labelled_samples_are_added() -> None:
    """A metric's samples under several labels are one sum."""
    text = _text().replace("clickstream_generator_delivered_records 6.0\n", "") + (
        'clickstream_generator_delivered_records{topic="a"} 40\n'
        'clickstream_generator_delivered_records{topic="b"} 2\n'
    )

    assert scrape_from(text).delivered == 42.0


@pytest.mark.parametrize("name", _METRICS)
def test_missing_metric_is_named(name: str) -> None:
    """A metric that is missing is an error and never a zero."""
    text = _text().replace(f"clickstream_generator_{name} {_METRICS[name]}\n", "")

    with pytest.raises(ValueError, match=f"^the metric clickstream_generator_{name} is missing$"):
        scrape_from(text)


@pytest.mark.parametrize("text", ["up 1\n", "<html>\n"])
def test_other_texts_are_refused(text: str) -> None:
    """Another program's answer is no worker's figures."""
    with pytest.raises(ValueError, match=r"."):
        scrape_from(text)


def test_figures_are_of_staying_pods() -> None:
    """A pod that leaves or gave no answer has no figures."""
    pods = (pod(0), pod(1, is_leaving=True), pod(2))
    first = scrape(delivered=1)
    observed = Observed(pods=pods, scrapes={"w-0": first, "w-1": scrape(), "gone": scrape()})

    assert observed.figures() == {0: first}
    assert Observed(pods=pods).figures() == {}


def test_unseen_workers_are_ready() -> None:
    """A worker is unseen if its pod is ready, stays, and gave no answer."""
    pods = (pod(0), pod(1), pod(2, is_ready=False), pod(3, is_leaving=True))
    observed = Observed(pods=pods, scrapes={"w-0": scrape()})

    assert observed.unseen() == {1}
    assert Observed(pods=pods).unseen() == {0, 1}


def test_nothing_is_observed_at_first() -> None:
    """A simulation of which nothing is seen has no children, pods, figures or monitors."""
    assert Observed() == Observed((), (), None, has_pod_monitors=False)


def _verification(phase: str, **statuses: object) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/component": "verification",
        "batch.kubernetes.io/job-name": "shop-verification-1",
    }
    return {"metadata": {"name": "p", "labels": labels}, "status": {"phase": phase, **statuses}}


def _ended(name: str, **fields: object) -> dict[str, Any]:
    return {"name": name, "state": {"terminated": fields}}


def test_verification_has_its_last_message() -> None:
    """The message is that of the container that ended last, also if it was the first one."""
    said = _ended("record", exitCode=0, message="run 1 still sends\n")
    judge = _ended("judge", exitCode=1, message='progress\n{"events":1}\n')
    found = verification_pod_from(
        _verification("Failed", initContainerStatuses=[said], containerStatuses=[judge])
    )
    assert found == VerificationPod("shop-verification-1", is_over=True, message='{"events":1}')

    waiting = {"name": "judge", "state": {"waiting": {"reason": "PodInitializing"}}}
    failed = _ended("record", exitCode=1, message="error: no run")
    found = verification_pod_from(
        _verification("Failed", initContainerStatuses=[failed], containerStatuses=[waiting])
    )
    assert found is not None
    assert (found.is_over, found.message, found.problem) == (True, "error: no run", "")


def test_verification_without_a_message() -> None:
    """A container that was killed names its exit code; one without a place or image says so."""
    killed = _ended("judge", exitCode=137, reason="OOMKilled")
    found = verification_pod_from(_verification("Failed", containerStatuses=[killed]))
    assert found is not None
    assert found.message == "the container judge ended with 137 (OOMKilled)"

    image = {"name": "record", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}
    found = verification_pod_from(_verification("Pending", initContainerStatuses=[image]))
    assert found == VerificationPod("shop-verification-1", is_over=False, problem="no")
    scheduled = {"type": "PodScheduled", "reason": "Unschedulable", "message": "0 of 1 nodes"}
    found = verification_pod_from(_verification("Pending", conditions=[scheduled]))
    assert found is not None
    assert found.problem == "0 of 1 nodes"


def test_worker_is_no_verification() -> None:
    """Pods of other components are not read as verifications."""
    body = _verification("Running")
    body["metadata"]["labels"]["app.kubernetes.io/component"] = "worker"
    assert verification_pod_from(body) is None
