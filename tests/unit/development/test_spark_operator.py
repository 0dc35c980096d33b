"""The Spark operator's stand-in: what spark-submit is given, and when it runs again."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from charts import pods
from spark_admission import Denied
from spark_operator import Unsupported, decide, pod_template, submit_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

WAY = "all-on"
TEMPLATES = {role: Path(f"/templates/{role}.yaml") for role in ("driver", "executor")}
NOW = 1_795_766_400.0
"""2026-11-27T08:00:00Z."""
AT = "2026-11-27T08:00:00Z"
Rows = list[dict[str, Any]]


@pytest.fixture
def application(ways: dict[str, Rows]) -> dict[str, Any]:
    """The chart's SparkApplication as the API server has it."""
    row = next(row for row in ways[WAY] if row["kind"] == "SparkApplication")
    return {**row, "metadata": {**row["metadata"], "uid": "u-1"}, "spec": {**row["spec"]}}


def _settings(application: dict[str, Any]) -> dict[str, str]:
    """Return what spark-submit makes of the arguments: the last of a name wins."""
    words = submit_arguments(application, "s-1", "k8s://https://there:6443", TEMPLATES)
    return dict(value.split("=", 1) for flag, value in pairwise(words) if flag == "--conf")


def test_labels_are_the_roles(ways: dict[str, Rows], application: dict[str, Any]) -> None:
    """A role's pods have the labels that the chart's tests expect of the operator."""
    expected = {
        place.rpartition("/")[2]: pod["metadata"]["labels"]
        for place, pod in pods(ways[WAY])
        if place.startswith("SparkApplication/")
    }
    settings = _settings(application)
    for role, labels in expected.items():
        prefix = f"spark.kubernetes.{role}.label."
        given = {
            name.removeprefix(prefix): value
            for name, value in settings.items()
            if name.startswith(prefix)
        }
        assert labels.items() <= given.items()
        assert given["sparkoperator.k8s.io/launched-by-spark-operator"] == "true"


def test_settings_are_carried_over(application: dict[str, Any]) -> None:
    """Image, account, sizes and the chart's own configuration reach spark-submit."""
    spec = application["spec"]
    settings = _settings(application)
    words = submit_arguments(application, "s-1", "k8s://https://there:6443", TEMPLATES)

    assert words[:4] == ["--master", "k8s://https://there:6443", "--deploy-mode", "cluster"]
    assert words[-1] == "local:///opt/stream.py"
    assert spec["sparkConf"].items() <= settings.items()
    assert settings["spark.kubernetes.driver.container.image"] == spec["image"]
    account = settings["spark.kubernetes.authenticate.driver.serviceAccountName"]
    assert account == spec["driver"]["serviceAccount"]
    assert settings["spark.executor.instances"] == str(spec["executor"]["instances"])
    assert settings["spark.driver.memory"] == spec["driver"]["memory"]
    assert settings["spark.kubernetes.executor.podTemplateFile"] == "/templates/executor.yaml"


def test_pods_belong_to_application(application: dict[str, Any]) -> None:
    """A driver goes with its application; of an executor it is an owner among others."""
    (driver,) = pod_template(application, "driver")["metadata"]["ownerReferences"]
    (executor,) = pod_template(application, "executor")["metadata"]["ownerReferences"]

    assert driver["controller"] is True
    assert "controller" not in executor
    assert driver["uid"] == executor["uid"] == "u-1"


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("spec.volumes", lambda spec: spec.update(volumes=[])),
        ("spec.driver.secrets", lambda spec: spec.update(driver={**spec["driver"], "secrets": []})),
        (
            "spec.restartPolicy.onFailureRetries",
            lambda spec: spec.update(
                restartPolicy={**spec["restartPolicy"], "onFailureRetries": 3}
            ),
        ),
    ],
)
def test_unknown_field_is_refused(
    application: dict[str, Any], path: str, change: Callable[[dict[str, Any]], None]
) -> None:
    """What the stand-in does not carry over is named, never ignored."""
    change(application["spec"])
    with pytest.raises(Unsupported, match="teach") as refused:
        _settings(application)

    assert refused.value.path == path


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("spec.sparkConf.spark.master", {"spec": {"sparkConf": {"spark.master": "local"}}}),
        (
            "spec.sparkConf.spark.kubernetes.authenticate.driver.oauthTokenFile",
            {"spec": {"sparkConf": {"spark.kubernetes.authenticate.driver.oauthTokenFile": "/t"}}},
        ),
        (
            "spec.sparkConf.spark.kubernetes.namespace",
            {"spec": {"sparkConf": {"spark.kubernetes.namespace": "other"}}},
        ),
        ("metadata.name", {"metadata": {"name": "1-streaming"}}),
    ],
)
def test_denied_application_is_refused(
    application: dict[str, Any], part: str, change: dict[str, dict[str, Any]]
) -> None:
    """What the operator's webhook denies is never submitted."""
    for place, values in change.items():
        application[place] |= values
    with pytest.raises(Denied) as refused:
        _settings(application)

    assert refused.value.path == part


def _with(application: dict[str, Any], state: str, attempts: int = 1) -> dict[str, Any]:
    status = {
        "applicationState": {"state": state}, "submissionAttempts": attempts,
        "lastSubmissionAttemptTime": AT,
    }  # fmt: skip
    return {**application, "status": status}


def _pod(phase: str, code: int | None = None) -> dict[str, Any]:
    ended = {} if code is None else {"terminated": {"exitCode": code}}
    row = {"name": "spark-kubernetes-driver", "state": ended}
    return {"status": {"phase": phase, "containerStatuses": [row]}}


def test_new_application_is_submitted(application: dict[str, Any]) -> None:
    """An application without a status is submitted at once."""
    assert decide(application, None, NOW).does == "submit"


@pytest.mark.parametrize(
    ("pod", "state"),
    [
        (_pod("Running"), "RUNNING"),
        (_pod("Failed", 1), "FAILING"),
        (_pod("Running", 1), "FAILING"),
        (_pod("Succeeded", 0), "SUCCEEDING"),
        (_pod("Unknown"), "UNKNOWN"),
    ],
)
def test_state_follows_the_driver(
    application: dict[str, Any], pod: dict[str, Any], state: str
) -> None:
    """The state is that of the driver's pod and container."""
    status = decide(_with(application, "SUBMITTED"), pod, NOW).status

    assert status is not None
    assert status["applicationState"]["state"] == state


def test_missing_driver_has_a_moment(application: dict[str, Any]) -> None:
    """After a submission the pod may be missing for ten seconds; later it is a failure."""
    submitted = _with(application, "SUBMITTED")
    assert decide(submitted, None, NOW + 10).status is None
    late = decide(submitted, None, NOW + 11).status
    gone = decide(_with(application, "RUNNING"), None, NOW).status
    for status in (late, gone):
        assert status is not None
        assert status["applicationState"]["state"] == "FAILING"


def test_failure_waits_longer_each_time(application: dict[str, Any]) -> None:
    """The interval counts from the last submission and grows with the attempts."""
    interval = application["spec"]["restartPolicy"]["onFailureRetryInterval"]
    failing = _with(application, "FAILING", attempts=3)

    assert decide(failing, None, NOW + 3 * interval - 1).does == "nothing"
    assert decide(failing, None, NOW + 3 * interval).does == "delete the driver"


def test_new_driver_waits_for_the_old(application: dict[str, Any]) -> None:
    """There is never a second driver: its name must be free first."""
    pending = _with(application, "PENDING_RERUN")

    assert decide(pending, _pod("Running"), NOW).does == "nothing"
    assert decide(pending, None, NOW).does == "submit"


def test_changed_application_runs_again(application: dict[str, Any]) -> None:
    """Another specification ends the driver, and the attempts count from the beginning."""
    running = _with(application, "RUNNING", attempts=4)
    invalid = decide(running, _pod("Running"), NOW, is_changed=True).status
    assert invalid is not None
    assert invalid["applicationState"]["state"] == "INVALIDATING"

    again = decide({**application, "status": invalid}, _pod("Running"), NOW, is_changed=True)
    assert again.does == "delete the driver"
    assert again.status is not None
    assert again.status["submissionAttempts"] == 0
    assert again.status["applicationState"]["state"] == "PENDING_RERUN"
