"""The conditions of a simulation: which is true, why, and in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from clickstream_operator.core.conditions import (
    Finding,
    Verdict,
    other_topic,
    reason_of,
    stamped,
    verdict,
)
from clickstream_operator.core.observed import Observed
from clickstream_operator.core.reasons import Reason
from clusters import SETTINGS, scrape
from workers import pod

if TYPE_CHECKING:
    from clickstream_operator.core.observed import Pod

_FILES = "/etc/kafka-user is the secret load"
_STARTING = Verdict(Reason.WORKERS_STARTING, "not every worker is ready yet", progressing=True)
_RUNNING = Verdict(Reason.RUNNING, "all workers run and send", ready=True)


def _judged(pods: tuple[Pod, ...], workers: int = 1, **more: Any) -> Verdict:  # noqa: ANN401  the verdict's keywords
    children = more.pop("children", ())
    figures = more.pop("figures", {})
    scrapes = {row.name: scrape(**figures) for row in pods}
    seen = Observed(children, pods, scrapes)
    return verdict(workers, seen, SETTINGS, **{"is_missed": False, **more})


def _refused(message: str | None, status: str = "True", kind: str = "Deployment") -> dict[str, Any]:
    row = {"type": "ReplicaFailure", "status": status}
    row |= {} if message is None else {"message": message}
    rows = [{"type": "Available", "status": "True", "message": "x"}, row]
    return {"kind": kind, "status": {"conditions": rows}}


def test_ready_workers_run() -> None:
    """A simulation is ready when every worker is, and nothing is wrong."""
    assert _judged((pod(),)) == _RUNNING
    assert _judged((pod(0), pod(1)), 2) == _RUNNING


def test_missing_workers_start() -> None:
    """While a worker is not ready the simulation is on its way."""
    assert _judged(()) == _STARTING
    assert _judged((pod(is_ready=False),)) == _STARTING
    assert _judged((pod(0),), 2) == _STARTING
    assert _judged((pod(0), pod(0, name="twin")), 2) == _STARTING


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (pod(1, is_leaving=True), _STARTING),
        (pod(2), _STARTING),
        (pod(-1), _STARTING),
        (pod(1), _RUNNING),
    ],
    ids=["leaves", "too many", "no worker", "stays"],
)
def test_only_staying_workers_count(other: Pod, expected: Verdict) -> None:
    """A pod that leaves, or whose number is not wanted, is none of the workers."""
    assert _judged((pod(0), other), 2) == expected


@pytest.mark.parametrize(
    ("fields", "reason", "message"),
    [
        (
            {"image_message": "no such image"},
            "ImagePullFailed",
            f"the node cannot pull the image {SETTINGS.image}: no such image",
        ),
        (
            {"unscheduled_message": "0/1 nodes"},
            "Unschedulable",
            "no node has room for a worker: 0/1 nodes",
        ),
        ({"exit_code": 1, "exit_message": "no"}, "WorkerCrashed", "no"),
        ({"exit_code": 2, "exit_message": "no"}, "WorkerMisconfigured", "no"),
        ({"exit_code": 3, "exit_message": "no"}, "BrokerUnreachable", "no"),
        ({"exit_code": 4, "exit_message": "no"}, "ShardsTaken", "no"),
        ({"exit_code": 5, "exit_message": "no"}, "WorldChanged", "no"),
        ({"exit_code": 6, "exit_message": "no"}, "RegistryUnreachable", "no"),
        ({"exit_code": 7}, "WorkerCrashed", "it wrote no message"),
        ({"exit_code": 138}, "WorkerCrashed", "it wrote no message"),
    ],
)
def test_pods_say_what_is_wrong(fields: dict[str, Any], reason: str, message: str) -> None:
    """Each trouble of a pod has its reason, and keeps the simulation on its way."""
    assert _judged((pod(is_ready=False, **fields),)) == Verdict(
        Reason(reason), message, progressing=True, degraded=Finding(Reason(reason), message)
    )


@pytest.mark.parametrize("fields", [{"exit_code": 0}, {"exit_code": 137}, {"exit_code": 143}])
def test_killed_workers_only_start(fields: dict[str, int]) -> None:
    """A process that was killed, or ended well, has nothing wrong with it."""
    assert _judged((pod(is_ready=False, **fields),)) == _STARTING


def test_ready_pod_has_recovered() -> None:
    """How a process ended once does not matter when its successor is ready."""
    assert _judged((pod(exit_code=1, exit_message="no"),)) == _RUNNING


def test_second_pod_is_asked_too() -> None:
    """Trouble of any pod is found, also behind one that is well."""
    for fields in ({"image_message": "x"}, {"unscheduled_message": "x"}, {"exit_code": 1}):
        assert _judged((pod(0), pod(1, is_ready=False, **fields)), 2).degraded is not None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (2, f"no ({_FILES})"),
        (3, f"no ({_FILES})"),
        (6, f"no ({_FILES})"),
        (1, "no"),
    ],
)
def test_secrets_are_named_where_they_matter(code: int, message: str) -> None:
    """A worker that cannot read or use its files is said to have them from these secrets."""
    bad = pod(is_ready=False, exit_code=code, exit_message="no")

    assert _judged((bad,), files=_FILES).message == message
    assert _judged((bad,)).message == "no"


@pytest.mark.parametrize(
    ("message", "reason", "shown"),
    [
        ("exceeded quota: q", "QuotaExceeded", "exceeded quota: q"),
        ("violates PodSecurity", "PodsRefused", "violates PodSecurity"),
        (None, "PodsRefused", ""),
        ("x" * 1_025, "PodsRefused", "x" * 1_024),
    ],
)
def test_refused_pods_are_named(message: str | None, reason: str, shown: str) -> None:
    """A Deployment says in a condition that its pods are refused; a quota has another reason."""
    judged = _judged((pod(is_ready=False),), children=({"kind": "Service"}, _refused(message)))

    assert judged.degraded == Finding(Reason(reason), shown)


@pytest.mark.parametrize(
    "child",
    [
        _refused("no", status="False"),
        _refused("no", kind="Service"),
        {"kind": "Deployment"},
        {"kind": "Deployment", "status": {"conditions": [{"type": "Other", "status": "True"}]}},
    ],
)
def test_other_conditions_refuse_nothing(child: dict[str, Any]) -> None:
    """Only a Deployment's true ReplicaFailure means that pods are refused."""
    assert _judged((pod(),), children=(child,)) == _RUNNING


@pytest.mark.parametrize(
    ("more", "reason", "message"),
    [
        (
            {"is_silent": True},
            "BrokerUnreachable",
            "the broker acknowledges nothing; events wait in the workers",
        ),
        (
            {"figures": {"refused_changes": 1.0}},
            "ChangeRefused",
            ("a worker rejects the changed spec and keeps the former one; its log names the field"),
        ),
        (
            {"figures": {"queue_records": 190_000.0}},
            "BrokerSlow",
            (
                "the broker takes fewer events than the workers send; more workers would not help, "
                "so the operator adds none"
            ),
        ),
        (
            {"is_unseen": True},
            "WorkersUnseen",
            (
                "a ready worker gives no metrics on port 9401, so its rate is unknown: look "
                "for a NetworkPolicy or a mesh between the operator and the worker"
            ),
        ),
        (
            {"is_missed": True},
            "RateNotReached",
            (
                "the workers send less than 95 % of the rate: allow more of them (spec.workers), "
                "give them more CPU, or lower the rate"
            ),
        ),
        ({"failure": Finding(Reason.CHILD_REFUSED, "no")}, "ChildRefused", "no"),
    ],
)
def test_ready_workers_may_be_degraded(more: dict[str, Any], reason: str, message: str) -> None:
    """What is wrong with workers that run is why the simulation is not ready."""
    problem = Finding(Reason(reason), message)

    assert _judged((pod(),), **more) == Verdict(Reason(reason), message, degraded=problem)


def test_fundamental_trouble_comes_first() -> None:
    """Of several troubles the one is named that the others may follow from."""
    troubles: list[tuple[dict[str, Any], str]] = [
        ({"failure": Finding(Reason.CHILD_REFUSED, "no")}, "ChildRefused"),
        ({"children": (_refused("no"),)}, "PodsRefused"),
        ({"image_message": "x"}, "ImagePullFailed"),
        ({"unscheduled_message": "x"}, "Unschedulable"),
        ({"exit_code": 1}, "WorkerCrashed"),
        ({"is_silent": True}, "BrokerUnreachable"),
        ({"figures": {"refused_changes": 1.0, "queue_records": 190_000.0}}, "ChangeRefused"),
        ({"is_unseen": True}, "WorkersUnseen"),
        ({"is_missed": True}, "RateNotReached"),
    ]
    of_pod = {"image_message", "unscheduled_message", "exit_code"}

    for at, (_, reason) in enumerate(troubles):
        fields: dict[str, Any] = {}
        for trouble, _ in troubles[at:]:
            fields |= trouble
        bad = pod(is_ready=False, **{name: fields[name] for name in fields.keys() & of_pod})
        more = {name: fields[name] for name in fields.keys() - of_pod}
        assert _judged((bad,), **more).reason == reason


def test_conditions_say_running() -> None:
    """Of a simulation that is well every condition says so."""
    assert stamped(_RUNNING, [], 3, "now") == [
        {
            "type": kind,
            "status": status,
            "observedGeneration": 3,
            "lastTransitionTime": "now",
            "reason": reason,
            "message": message,
        }
        for kind, status, reason, message in (
            ("Ready", "True", "Running", "all workers run and send"),
            ("Progressing", "False", "Settled", "nothing changes"),
            ("Degraded", "False", "AsExpected", "nothing is wrong"),
        )
    ]


def test_other_output_is_not_stored() -> None:
    """A simulation whose topic the stream does not read has a condition more, which names it."""
    rows = stamped(_RUNNING, [], 3, "now", "shop-events")

    assert [row["type"] for row in rows] == ["Ready", "Progressing", "Degraded", "Stored"]
    assert (rows[3]["status"], rows[3]["reason"]) == ("False", "OtherOutput")
    assert "the topic shop-events of spec.output" in rows[3]["message"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"output": {"topic": "shop-events"}}, "shop-events"),
        ({"output": {"topic": "clickstream.events.v1"}}, ""),
        ({"output": {}}, ""),
        ({"output": {"topic": 3}}, ""),
        ({"output": None}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_topic_comes_from_any_resource(spec: object, expected: str) -> None:
    """An invalid specification is looked at too, because its run may still send."""
    assert other_topic({"spec": spec}) == expected
    assert other_topic({}) == ""


def test_conditions_say_what_is_wrong() -> None:
    """Ready and Progressing take the verdict's words, Degraded the finding's."""
    judged = Verdict(
        Reason.WORKERS_STARTING,
        "in words",
        progressing=True,
        degraded=Finding(Reason.BROKER_SLOW, "worse"),
    )

    rows = stamped(judged, [], 3, "now")

    assert [(row["type"], row["status"], row["reason"], row["message"]) for row in rows] == [
        ("Ready", "False", "WorkersStarting", "in words"),
        ("Progressing", "True", "WorkersStarting", "in words"),
        ("Degraded", "True", "BrokerSlow", "worse"),
    ]


def test_moment_is_of_the_transition() -> None:
    """A condition keeps its moment while its status is the same, whatever its reason."""
    before = stamped(_STARTING, [], 1, "then")
    failed = Verdict(
        Reason.INVALID_SPEC, "x", progressing=True, degraded=Finding(Reason.BROKER_SLOW, "worse")
    )

    rows = stamped(failed, before, 2, "now")

    assert [row["lastTransitionTime"] for row in rows] == ["then", "then", "now"]
    assert [row["observedGeneration"] for row in rows] == [2, 2, 2]


def test_long_messages_are_cut() -> None:
    """A message holds at most 1,024 characters."""
    rows = stamped(Verdict(Reason.WORKERS_STARTING, "x" * 1_025), [], 1, "now")

    assert rows[0]["message"] == "x" * 1_024


def test_reason_is_of_ready() -> None:
    """The reason of a status is that of its condition Ready; a new one has none."""
    rows = [{"type": "Degraded", "reason": "Bad"}, {"type": "Ready", "reason": "Why"}]

    assert reason_of({"conditions": rows}) == "Why"
    assert reason_of({"conditions": rows[:1]}) == ""
    assert reason_of({}) == ""
