"""When a worker may take up its shards."""

from __future__ import annotations

import pytest
from clickstream_operator.core.handover import Handover
from clickstream_operator.core.observed import Observed
from workers import deployment, pod


def _may_carry(worker: int, shards: set[int], observed: Observed) -> bool:
    return Handover(observed).can_start(worker, shards)


def test_free_shards_may_start() -> None:
    """Where nothing runs, nothing has to be waited for."""
    assert _may_carry(1, {1}, Observed())


@pytest.mark.parametrize(
    ("other", "is_free"),
    [
        (pod(0, shards=frozenset({1, 2})), False),
        (pod(0, shards=frozenset({2, 3})), True),
        (pod(0, shards=frozenset({1}), is_over=True), True),
        (pod(0, shards=frozenset({1}), is_leaving=True), False),
        (pod(1, shards=frozenset({1})), True),
    ],
    ids=["carries one of them", "carries others", "has ended", "is leaving", "its own"],
)
def test_pods_hold_their_shards(other: object, *, is_free: bool) -> None:
    """A pod of another worker holds its shards until its process has ended."""
    assert _may_carry(1, {0, 1}, Observed(pods=(other,))) is is_free  # type: ignore[arg-type]


def test_one_pod_of_several_blocks() -> None:
    """Each pod is asked, not only the first one."""
    pods = (pod(0, shards=frozenset({5})), pod(2, shards=frozenset({1})))

    assert not _may_carry(1, {1}, Observed(pods=pods))


@pytest.mark.parametrize(
    ("other", "is_free"),
    [
        (deployment(0, "0-1"), False),
        (deployment(0, "2-3"), True),
        (deployment(0, "0-1", replicas=0), True),
        (deployment(0, "2", generation=2, seen=1), False),
        (deployment(0, "2", generation=2, seen=2), True),
        (deployment(0, "2", generation=2, seen=3), True),
        (deployment(0, "0-1", replicas=0, generation=2, seen=1), False),
    ],
    ids=["wants them", "wants others", "scaled to none", "outdated", "seen", "ahead", "not yet"],
)
def test_deployments_hold_their_shards(other: dict[str, object], *, is_free: bool) -> None:
    """Another Deployment blocks while it makes pods with them, or may still make old pods."""
    assert _may_carry(1, {0, 1}, Observed((other,))) is is_free


def test_every_deployment_must_agree() -> None:
    """One Deployment that has released the shards does not speak for the others."""
    rows = (deployment(0, "2"), deployment(2, "1"))

    assert not _may_carry(1, {1}, Observed(rows))


def test_running_worker_keeps_its_shards() -> None:
    """A Deployment that already runs these shards does not wait for the others."""
    other = deployment(0, "0", generation=2)

    assert _may_carry(1, {1}, Observed((other, deployment(1, "1"))))
    assert not _may_carry(1, {1}, Observed((other, deployment(1, "1-2"))))
    assert not _may_carry(1, {1}, Observed((other, deployment(1, "1", replicas=0))))


def test_own_deployment_never_blocks() -> None:
    """The worker's Deployment ends its former pod first, by its strategy."""
    assert _may_carry(1, {1}, Observed((deployment(1, "1-2", generation=2),)))


def test_pods_block_running_worker() -> None:
    """Another pod with one of the shards blocks even a Deployment that runs them."""
    assert not _may_carry(1, {1}, Observed((deployment(1, "1"),), (pod(0, shards=frozenset({1})),)))


def test_other_kinds_do_not_block() -> None:
    """Only Deployments make pods."""
    other = {**deployment(0, "1"), "kind": "ConfigMap"}

    assert _may_carry(1, {1}, Observed((other,)))


def test_missing_replicas_mean_one() -> None:
    """Kubernetes takes one replica where the Deployment names none."""
    other = deployment(0, "1")
    del other["spec"]["replicas"]

    assert not _may_carry(1, {1}, Observed((other,)))
    assert _may_carry(1, {2}, Observed((other,)))


def test_bare_deployment_carries_nothing() -> None:
    """A Deployment without labels, annotations, generation and status is seen and empty."""
    empty = {"kind": "Deployment", "metadata": {}, "spec": {"template": {}}}
    without = {**empty, "spec": {"template": {"metadata": {"annotations": None}}}}

    assert _may_carry(1, {0}, Observed((empty, without)))


def test_missing_status_is_unseen() -> None:
    """A new Deployment without a status has not been seen by its controller."""
    other = deployment(0, "2")
    del other["status"]

    assert not _may_carry(1, {1}, Observed((other,)))
