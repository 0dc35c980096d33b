"""What a plan has found is used again while it holds, and no longer."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_operator.core import plan as planning
from clickstream_operator.core.plan import make_plan
from clickstream_operator.core.settled import read_simulation
from clusters import Cluster, resource

if TYPE_CHECKING:
    from collections.abc import Callable


def test_same_spec_is_read_once() -> None:
    """A status and a version are no change of the simulation; a spec or a label is one."""
    seen = resource()
    first = read_simulation(seen, None)
    later = copy.deepcopy(seen) | {"status": {"workers": 2}}
    later["metadata"]["resourceVersion"] = "2"

    assert read_simulation(later, first).simulation is first.simulation
    for changed in (resource(shards=4), resource("other")):
        assert (
            read_simulation(changed, first).simulation == read_simulation(changed, None).simulation
        )


def test_invalid_spec_is_refused_again() -> None:
    """A spec that was valid does not hide an invalid one."""
    first = read_simulation(resource(), None)

    with pytest.raises(SimulationInvalid):
        read_simulation(resource(shards=0), first)


def _settled() -> Cluster:
    cluster = Cluster(resource(workers={"count": 2}))
    cluster.settle()
    assert cluster.memory.settled is not None
    return cluster


def test_settled_children_are_not_derived(monkeypatch: pytest.MonkeyPatch) -> None:
    """New figures and a later time need no new children."""
    cluster = _settled()
    monkeypatch.setattr(planning, "children", None)
    cluster.scrapes = {
        name: replace(row, delivered=row.delivered + 1_000.0)
        for name, row in cluster.scrapes.items()
    }

    plan = make_plan(
        cluster.resource, cluster.observed(), cluster.memory, cluster.now + 90, cluster.settings
    )

    assert plan.status is not None
    assert plan.status["deliveredEvents"] == 2_000


def _change_spec(cluster: Cluster) -> None:
    cluster.resource["spec"]["rate"] = {"eventsPerSecond": 1}
    cluster.resource["metadata"]["generation"] += 1


def _lose_child(cluster: Cluster) -> None:
    del cluster.children["Service", "shop-workers"]


def _edit_child(cluster: Cluster) -> None:
    cluster.children["Deployment", "shop-worker-1"]["spec"]["replicas"] = 0


def _add_child(cluster: Cluster) -> None:
    service = copy.deepcopy(cluster.children["Service", "shop-workers"])
    service["metadata"]["name"] = "former"
    cluster.children["Service", "former"] = service


def _lose_status(cluster: Cluster) -> None:
    del cluster.resource["status"]


def _lose_pod(cluster: Cluster) -> None:
    cluster.pods.popitem()


def _learn_monitors(cluster: Cluster) -> None:
    cluster.has_pod_monitors = True


@pytest.mark.parametrize(
    "change",
    [_change_spec, _lose_child, _edit_child, _add_child, _lose_status, _lose_pod, _learn_monitors],
)
def test_changes_are_planned_again(change: Callable[[Cluster], None]) -> None:
    """After each change of an input, the plan is the one that an operator makes that has begun."""
    cluster = _settled()
    change(cluster)

    plan = cluster.reconcile()  # it compares the plan with that of an operator without memory

    assert plan.status or plan.apply or plan.delete


def test_lost_answer_writes_nothing() -> None:
    """A worker that gives no metrics once is no change; after half a minute its rate is unknown."""
    cluster = _settled()
    cluster.now += 5
    lost, cluster.scrapes = cluster.scrapes, {}
    cluster.reconcile()
    assert cluster.reconcile().status is None

    cluster.now += 31
    status = cluster.reconcile().status
    assert status is not None
    assert status["achievedEventsPerSecond"] == 0

    cluster.scrapes = lost
    status = cluster.reconcile().status
    assert status is not None
    assert status["achievedEventsPerSecond"] == 1_000
