"""The SparkApplication: its driver can make executors, and no selector confuses the two."""

from __future__ import annotations

from typing import Any

import pytest
from charts import WAYS, pods

OPERATOR_WAYS = [way for way in WAYS if way.endswith("spark-operator")] + ["all-on"]
DRIVER_WAYS = [way for way in WAYS if way.endswith("/driver")]

Rows = list[dict[str, Any]]


def _pod(rows: Rows, role: str) -> dict[str, Any]:
    """Return the pod of the driver or of an executor, as the Spark operator makes it."""
    return next(pod for place, pod in pods(rows) if place.endswith(f"streaming/{role}"))


def _selected(rows: Rows, kind: str, name: str) -> list[str]:
    """Return which of driver and executor an object's selector matches."""
    row = next(row for row in rows if (row["kind"], row["metadata"]["name"]) == (kind, name))
    selector = row["spec"].get("podSelector") or row["spec"]["selector"]
    wanted = selector["matchLabels"].items()
    roles = ("driver", "executor")
    return [role for role in roles if wanted <= _pod(rows, role)["metadata"]["labels"].items()]


@pytest.mark.parametrize("way", OPERATOR_WAYS)
def test_only_driver_has_token(ways: dict[str, Rows], way: str) -> None:
    """The driver's pod gets an API token although the service account gives none by itself."""
    assert _pod(ways[way], "driver")["spec"]["automountServiceAccountToken"] is True
    assert _pod(ways[way], "executor")["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("way", OPERATOR_WAYS)
def test_driver_needs_no_readiness(ways: dict[str, Rows], way: str) -> None:
    """The operator's service publishes only ready drivers, so readiness must not need executors."""
    (driver,) = _pod(ways[way], "driver")["spec"]["containers"]

    assert "readinessProbe" not in driver
    assert driver["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert driver["livenessProbe"]["httpGet"]["path"] == "/healthz"


@pytest.mark.parametrize("way", DRIVER_WAYS)
def test_own_driver_reports_readiness(ways: dict[str, Rows], way: str) -> None:
    """The chart's own driver service publishes addresses that are not ready, so it has a probe."""
    rows = ways[way]
    (driver,) = (
        pod["spec"]["containers"][0]
        for place, pod in pods(rows)
        if place == "StatefulSet/shop-streaming"
    )
    (service,) = (
        row["spec"]
        for row in rows
        if (row["kind"], row["metadata"]["name"]) == ("Service", "shop-streaming")
    )

    assert driver["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert service["publishNotReadyAddresses"] is True


@pytest.mark.parametrize("way", OPERATOR_WAYS)
def test_executor_has_no_driver_label(ways: dict[str, Rows], way: str) -> None:
    """Name and component of driver and executor differ, whatever the operator copies."""
    driver, executor = (
        _pod(ways[way], role)["metadata"]["labels"] for role in ("driver", "executor")
    )

    for label in ("app.kubernetes.io/name", "app.kubernetes.io/component"):
        assert driver[label] != executor[label]
        assert executor[label].endswith("streaming-executor")


def test_selectors_match_their_role(ways: dict[str, Rows]) -> None:
    """Budget, policies and monitor select the pods that they are for."""
    rows = ways["all-on"]

    assert _selected(rows, "PodDisruptionBudget", "shop-streaming-executor") == ["executor"]
    assert _selected(rows, "NetworkPolicy", "shop-streaming-executor") == ["executor"]
    assert _selected(rows, "NetworkPolicy", "shop-streaming") == ["driver"]
    assert _selected(rows, "PodMonitor", "shop-streaming") == ["driver"]
