"""When verifications begin, that never two run, and what the resource says about the last one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_contract.verification_result import VerificationResult
from clickstream_operator.core.database import Database
from clickstream_operator.core.destination import CREDENTIALS_LABEL
from clickstream_operator.core.observed import VerificationPod
from clickstream_operator.core.reasons import Reason
from clusters import NOW, SETTINGS, Cluster, resource

if TYPE_CHECKING:
    from clickstream_operator.core.plan import Plan

_OWN = Database.model_validate({"host": "own", "name": "clickstream", "secret": "reader"})
_SETTINGS = replace(SETTINGS, database=_OWN, allowed_servers=("elsewhere:9092", "db.data:5432"))
_EVERY = 600
_NAMED = {
    "host": "db.data", "name": "shop", "credentialsSecretRef": {"name": "user"},
    "caSecretRef": {"name": "ca"},
}  # fmt: skip
_AGREED = {"user": {CREDENTIALS_LABEL: "true"}}


def _cluster(**verification: Any) -> Cluster:  # noqa: ANN401  any value of YAML
    asked = {"every": f"{_EVERY}s", **verification}
    cluster = Cluster(resource(verification=asked), settings=_SETTINGS, secrets=dict(_AGREED))
    cluster.settle()
    return cluster


def _result(**fields: object) -> str:
    usual = {
        "events": 9, "rows": 9, "minutes": 2, "until": "2026-11-27T08:00:00Z", "differences": 0,
        "firstDifference": None, "text": "9 events agree",
    }  # fmt: skip
    return VerificationResult.model_validate(usual | fields).to_json()


_LOSS = _result(rows=8, differences=1, firstDifference="2026-11-27T07:58:00Z", text="1 lost")


def _wait(cluster: Cluster, seconds: float) -> Plan:
    cluster.now += seconds
    return cluster.reconcile()


def _verified(cluster: Cluster) -> tuple[str, str, str]:
    rows = cluster.resource["status"]["conditions"]
    row = next(row for row in rows if row["type"] == "Verified")
    return row["status"], row["reason"], row["message"]


def test_nothing_without_the_field() -> None:
    """A simulation that asks for no verification has no Job, no condition and no figures."""
    cluster = Cluster(resource(), settings=_SETTINGS)
    cluster.settle()
    _wait(cluster, 10 * _EVERY)

    assert cluster.jobs() == []
    assert "verification" not in cluster.resource["status"]
    assert all(row["type"] != "Verified" for row in cluster.resource["status"]["conditions"])


def test_first_waits_for_settled_minutes() -> None:
    """The first one begins when a minute is complete and settled, however short the period is."""
    cluster = _cluster()
    assert _verified(cluster)[:2] == ("Unknown", "VerificationPending")
    assert _wait(cluster, 100).is_under_way
    assert cluster.jobs() == []
    _wait(cluster, 80)
    assert len(cluster.jobs()) == 1

    quick = _cluster(every="1m")
    _wait(quick, 100)
    assert quick.jobs() == []


def test_result_is_the_condition() -> None:
    """A result becomes condition, figures and event; another one replaces all of them."""
    cluster = _cluster()
    _wait(cluster, 300)
    cluster.end_verification(_result())
    plan = _wait(cluster, 20)

    assert _verified(cluster) == ("True", "Agrees", "9 events agree")
    assert [(row.type, row.reason) for row in plan.notices] == [("Normal", Reason.AGREES)]
    found = cluster.resource["status"]["verification"]
    assert (found["events"], found["rows"], found["differences"]) == (9, 9, 0)
    assert found["until"] == "2026-11-27T08:00:00Z"
    assert found["startedAt"] < found["finishedAt"]

    _wait(cluster, _EVERY)
    cluster.end_verification(_LOSS)
    plan = _wait(cluster, 20)
    assert _verified(cluster) == ("False", "Differs", "1 lost")
    assert [(row.type, row.reason) for row in plan.notices] == [("Warning", Reason.DIFFERS)]
    found = cluster.resource["status"]["verification"]
    assert (found["differences"], found["firstDifference"]) == (1, "2026-11-27T07:58:00Z")

    _wait(cluster, _EVERY)
    cluster.end_verification(_result(until=None))
    _wait(cluster, 20)
    found = cluster.resource["status"]["verification"]
    assert found.keys() & {"until", "firstDifference"} == set()


def test_never_two_at_once() -> None:
    """However long one takes, and however often the operator looks, the next one waits for it."""
    cluster = _cluster()
    _wait(cluster, 300)
    (first,) = cluster.jobs()
    cluster.verifications[first] = VerificationPod(first, is_over=False)
    for _ in range(20):
        _wait(cluster, _EVERY)
        assert cluster.jobs() == [first]

    cluster.end_verification(_result())
    _wait(cluster, 1)
    assert _verified(cluster)[0] == "True"
    _wait(cluster, 1)
    assert len(cluster.jobs()) == 2


def test_present_job_is_left_alone() -> None:
    """Settings that change do not touch a Job, which Kubernetes would refuse to change."""
    cluster = _cluster()
    _wait(cluster, 300)
    cluster.settings = replace(_SETTINGS, image="registry.example/clickstream-generator:2.0.0")

    plan = _wait(cluster, 5)

    assert all(row["kind"] != "Job" for row in (*plan.apply, *plan.delete))


def test_lost_job_is_made_again() -> None:
    """A Job that was never made, or that a person deletes, begins again with the same name."""
    cluster = _cluster()
    _wait(cluster, 300)
    (name,) = cluster.jobs()
    del cluster.children["Job", name]

    _wait(cluster, 5)

    assert cluster.jobs() == [name]


def test_old_jobs_are_removed() -> None:
    """Only the newest Jobs stay, for their logs; another simulation's Job is no concern."""
    cluster = _cluster()
    for _ in range(8):
        _wait(cluster, _EVERY)
        cluster.end_verification(_result())
        _wait(cluster, 5)

    assert len(cluster.jobs()) == 3
    assert cluster.jobs()[-1] in cluster.verifications


def test_settled_verification_writes_nothing() -> None:
    """Between two verifications nothing is written."""
    cluster = _cluster()
    _wait(cluster, 300)
    cluster.end_verification(_result())
    _wait(cluster, 5)
    before = cluster.writes
    for _ in range(50):
        _wait(cluster, 5)

    assert cluster.writes == before


@pytest.mark.parametrize(
    ("pod", "message"),
    [
        ({"is_over": True, "message": "error: the topic cannot be read"}, "the topic cannot be"),
        ({"is_over": True}, "without a message"),
        ({"is_over": True, "message": '{"events": 1}'}, '{"events": 1}'),
    ],
)
def test_failed_verification_is_unknown(pod: dict[str, Any], message: str) -> None:
    """A verification that could not compare says why; the next one follows in time."""
    cluster = _cluster()
    _wait(cluster, 300)
    (name,) = cluster.jobs()
    cluster.verifications[name] = VerificationPod(name, **pod)
    plan = _wait(cluster, 5)

    status, reason, text = _verified(cluster)
    assert (status, reason) == ("Unknown", "VerificationFailed")
    assert message in text
    assert [row.type for row in plan.notices] == ["Warning"]
    assert "differences" not in cluster.resource["status"]["verification"]
    _wait(cluster, _EVERY)
    assert len(cluster.jobs()) == 2


@pytest.mark.parametrize("problem", ["", "Back-off pulling image"])
def test_late_job_is_unknown(problem: str) -> None:
    """A Job that Kubernetes ends has no result; what kept its pod from starting is named."""
    cluster = _cluster()
    _wait(cluster, 300)
    (name,) = cluster.jobs()
    if problem:
        cluster.verifications[name] = VerificationPod(name, is_over=False, problem=problem)
    _wait(cluster, 5)
    assert _verified(cluster)[1] == "VerificationPending"

    failed = {"type": "Failed", "status": "True", "message": "Job was active longer than specified"}
    cluster.children["Job", name]["status"] = {"conditions": [failed]}
    _wait(cluster, 5)

    status, reason, text = _verified(cluster)
    assert (status, reason) == ("Unknown", "VerificationFailed")
    assert text.startswith("Job was active longer than specified")
    assert problem in text


def test_refused_object_is_unknown() -> None:
    """What the API server refuses is in the condition, and workers are not affected."""
    cluster = _cluster()
    _wait(cluster, 300)
    cluster.memory = replace(cluster.memory, unverified="exceeded quota")
    _wait(cluster, 5)

    assert _verified(cluster) == ("Unknown", "VerificationFailed", "exceeded quota")
    assert cluster.condition("Ready") == ("True", "Running")


@pytest.mark.parametrize(
    ("spec", "settings", "secrets", "reason"),
    [
        ({}, {"database": None}, {}, Reason.NO_DATABASE),
        ({"database": _NAMED}, {"allowed_servers": ()}, _AGREED, Reason.DATABASE_REFUSED),
        ({"database": _NAMED}, {}, {}, Reason.DATABASE_REFUSED),
        ({"database": _NAMED}, {}, {"user": {}}, Reason.DATABASE_REFUSED),
        (
            {"database": {key: row for key, row in _NAMED.items() if key != "caSecretRef"}},
            {}, _AGREED, Reason.DATABASE_REFUSED,
        ),
    ],
)  # fmt: skip
def test_forbidden_database_is_not_asked(
    spec: dict[str, Any], settings: dict[str, Any], secrets: dict[str, Any], reason: Reason
) -> None:
    """Without a database that may be asked there is no Job, and a running one ends."""
    cluster = _cluster(**spec)
    _wait(cluster, 300)
    assert len(cluster.jobs()) == (0 if "caSecretRef" not in spec.get("database", _NAMED) else 1)

    cluster.settings, cluster.secrets = replace(_SETTINGS, **settings), secrets
    _wait(cluster, 5)

    assert _verified(cluster)[:2] == ("Unknown", reason.value)
    assert cluster.jobs() == []
    assert cluster.condition("Ready") == ("True", "Running")


def test_suspended_and_completed_runs_are_verified() -> None:
    """Verifications continue while there are no workers: tables can still change."""
    cluster = _cluster()
    cluster.resource["spec"]["suspend"] = True
    cluster.settle()
    assert _wait(cluster, 300).is_under_way
    assert len(cluster.jobs()) == 1
    cluster.end_verification(_LOSS)
    _wait(cluster, 5)
    assert _verified(cluster)[0] == "False"

    ready = next(r for r in cluster.resource["status"]["conditions"] if r["type"] == "Ready")
    ready["reason"] = "Completed"
    assert _wait(cluster, _EVERY).is_under_way
    assert len(cluster.jobs()) == 2


def test_refused_kafka_stops_verifications() -> None:
    """While the simulation may not use its Kafka nothing runs, and the last result stays."""
    cluster = _cluster()
    _wait(cluster, 300)
    cluster.end_verification(_LOSS)
    _wait(cluster, 5)
    cluster.resource["spec"]["kafka"] = {"bootstrapServers": "attacker:9092"}
    _wait(cluster, _EVERY)

    assert cluster.condition("Ready") == ("False", "ServersRefused")
    assert _verified(cluster)[0] == "False"
    assert cluster.resource["status"]["verification"]["differences"] == 1
    assert cluster.jobs() == []


def test_invalid_spec_keeps_the_result() -> None:
    """A spec that cannot be read changes nothing of the last result."""
    cluster = _cluster()
    _wait(cluster, 300)
    cluster.end_verification(_LOSS)
    _wait(cluster, 5)
    cluster.resource["spec"]["users"] = 0
    _wait(cluster, 5)

    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    assert _verified(cluster)[0] == "False"
    assert cluster.resource["status"]["verification"]["differences"] == 1


def test_field_can_be_removed() -> None:
    """Without the field the condition, the figures and all objects of verifications go."""
    cluster = _cluster(mapping={"inline": "result: {}"}, database=_NAMED)
    _wait(cluster, 300)
    assert len(cluster.jobs()) == 1
    assert ("ConfigMap", "shop-verification") in cluster.children
    del cluster.resource["spec"]["verification"]
    cluster.settle()

    assert not any("verification" in name for _, name in cluster.children)
    assert "verification" not in cluster.resource["status"]
    assert all(row["type"] != "Verified" for row in cluster.resource["status"]["conditions"])


def test_verification_is_no_revision() -> None:
    """A change of the verification is no change of the traffic, and restarts no worker."""
    cluster = _cluster()
    before = cluster.resource["status"]["revisions"]
    cluster.resource["spec"]["verification"]["every"] = "1h"
    plan = cluster.reconcile()

    assert cluster.resource["status"]["revisions"] == before
    assert all(row["kind"] != "Deployment" for row in plan.apply)
    assert cluster.now > NOW
