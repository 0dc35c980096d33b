"""Where the API server has each kind of object."""

from __future__ import annotations

import pytest
from clickstream_operator.core.kinds import CHILD_KINDS, POD, POD_MONITOR, SIMULATION, Kind


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (SIMULATION, "/apis/clickstream.dev/v1alpha1/namespaces/load/clickstreamsimulations/x"),
        (POD, "/api/v1/namespaces/load/pods/x"),
        (POD_MONITOR, "/apis/monitoring.coreos.com/v1/namespaces/load/podmonitors/x"),
        (CHILD_KINDS["ConfigMap"], "/api/v1/namespaces/load/configmaps/x"),
        (CHILD_KINDS["Service"], "/api/v1/namespaces/load/services/x"),
        (CHILD_KINDS["Deployment"], "/apis/apps/v1/namespaces/load/deployments/x"),
        (
            CHILD_KINDS["NetworkPolicy"],
            "/apis/networking.k8s.io/v1/namespaces/load/networkpolicies/x",
        ),
        (
            CHILD_KINDS["PodDisruptionBudget"],
            "/apis/policy/v1/namespaces/load/poddisruptionbudgets/x",
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Kind) else "",
)
def test_each_kind_has_its_path(kind: Kind, path: str) -> None:
    """The path names group, version, namespace, plural and object as Kubernetes does."""
    assert kind.path("load", "x") == path


def test_path_parts_are_optional() -> None:
    """Without a name the path is a list's; without a namespace it is the whole cluster's."""
    assert POD.path("") == "/api/v1/pods"
    assert POD.path("load") == "/api/v1/namespaces/load/pods"
    assert POD.path("load", "x", "status") == "/api/v1/namespaces/load/pods/x/status"
    assert CHILD_KINDS["Deployment"].path("") == "/apis/apps/v1/deployments"


def test_child_kinds_are_keyed_by_name() -> None:
    """A child's kind finds its row, and only children are in the table."""
    assert set(CHILD_KINDS) == {
        "ConfigMap", "Service", "Deployment", "Job", "NetworkPolicy", "PodDisruptionBudget",
        "PodMonitor",
    }  # fmt: skip
    assert all(name == row.kind for name, row in CHILD_KINDS.items())
    assert CHILD_KINDS["PodMonitor"] is POD_MONITOR
    assert SIMULATION.kind == "ClickstreamSimulation"
    assert POD.kind == "Pod"
