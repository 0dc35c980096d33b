"""Upgrades of the chart before a real API server: what cannot be changed in place is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from charts import CLICKSTREAM
from clickstream_bench.control_plane import ROOT, ControlPlane
from helm_engine import Releases, merged_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

DEFINITIONS = ROOT.parent / "shared" / "crds"
DEV, PRODUCTION = (CLICKSTREAM / f"values-{name}.yaml" for name in ("dev", "production"))


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server that knows the operators' kinds."""
    found = sorted(DEFINITIONS.rglob("*.yaml"))
    if not found:
        pytest.skip(f"NOT RUN: the operators' definitions are not in {DEFINITIONS}")
    started = ControlPlane(tmp_path_factory.mktemp("upgrade-plane"))
    try:
        started.serve(DEFINITIONS)
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def releases(plane: ControlPlane) -> Releases:
    """Two releases on one API server: ``dev`` by values-dev.yaml, ``team`` by the defaults."""
    found = Releases(plane.kubeconfig("admin"))
    for name, values in (("dev", _values(DEV)), ("team", _values())):
        plane.kubectl("create", "namespace", name)
        found.install(name, values)
    return found


def _values(*parts: Path | dict[str, Any]) -> dict[str, Any]:
    """Return merged values; the API server of these tests has our definition already."""
    return merged_values(*parts, {"definition": {"enabled": False}})


def test_same_values_are_accepted(releases: Releases) -> None:
    """An upgrade that changes nothing is refused for nothing."""
    assert releases.refusal("dev", _values(DEV)) == ""


def test_defaults_grow_to_production(releases: Releases) -> None:
    """The defaults can be upgraded to the production profile in place."""
    assert releases.refusal("team", _values(PRODUCTION)) == ""


@pytest.mark.parametrize("profile", [(), (PRODUCTION,)], ids=["defaults", "production"])
def test_separate_controllers_are_refused(releases: Releases, profile: tuple[Path, ...]) -> None:
    """Brokers that are controllers never lose that role, and the sentence says what to keep."""
    said = releases.refusal("dev", _values(*profile))

    assert "the brokers of this release are controllers too" in said
    assert "keep kafka.strimzi.controllers.replicas=0" in said
    assert 'docs/install.md, "Growing"' in said


def test_combined_controllers_are_refused(releases: Releases) -> None:
    """Separate controllers cannot be taken away either."""
    values = _values({"kafka": {"strimzi": {"controllers": {"replicas": 0}}}})
    assert "this release has separate controllers" in releases.refusal("team", values)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kafka": {"strimzi": {"brokers": {"replicas": 3}}}},
         "kafka.strimzi.brokers.replicas is 3, but this release has 1, which are controllers"),
        ({"kafka": {"strimzi": {"brokers": {"storage": {"size": "4Gi"}}}}},
         "kafka.strimzi.brokers.storage.size is 4Gi, but this release's volumes have 5Gi"),
        ({"kafka": {"strimzi": {"brokers": {"storage": {"storageClass": "fast"}}}}},
         'kafka.strimzi.brokers.storage.storageClass is "fast"'),
        ({"streaming": {"eventsPartitions": 2}},
         "topic clickstream.events.v1 would have 2 partitions, but it has 4"),
        ({"generator": {"statePartitions": 2}},
         "topic clickstream.shards.v1 would have 2 partitions, but it has 17"),
        ({"postgres": {"cnpg": {"storage": {"size": "1Gi"}}}},
         "postgres.cnpg.storage.size is 1Gi, but this release's volumes have 5Gi"),
        ({"streaming": {"checkpoint": {"size": "500Mi"}}},
         "streaming.checkpoint.size is 500Mi, but this release's volumes have 1Gi"),
    ],
)  # fmt: skip
def test_fixed_value_is_refused(releases: Releases, change: dict[str, Any], says: str) -> None:
    """Each value that the operators cannot change in place is named with what the cluster has."""
    said = releases.refusal("dev", _values(DEV, change))

    assert "this release cannot be changed in place" in said
    assert says in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kafka": {"strimzi": {"replicationFactor": 2}}}, "has 3 copies"),
        ({"kafka": {"strimzi": {"controllers": {"replicas": 5}}}},
         "kafka.strimzi.controllers.replicas is 5, but this release has 3"),
        ({"postgres": {"cnpg": {"walStorage": {"size": ""}}}},
         "postgres.cnpg.walStorage.size is empty"),
    ],
)  # fmt: skip
def test_fixed_default_is_refused(releases: Releases, change: dict[str, Any], says: str) -> None:
    """So is each value that only a larger release has."""
    assert says in releases.refusal("team", _values(change))


def test_growth_is_accepted(releases: Releases) -> None:
    """Larger volumes, more partitions and more databases need no new release."""
    change = {
        "kafka": {"strimzi": {"brokers": {"storage": {"size": "1024Gi"}}}},
        "postgres": {"cnpg": {"storage": {"size": "6144Mi"}, "instances": 3}},
        "streaming": {"eventsPartitions": 12, "checkpoint": {"size": "2Gi"}},
    }
    assert releases.refusal("dev", _values(DEV, change)) == ""


def _ready(plane: ControlPlane, count: int) -> None:
    """Write how many instances are ready into the status of the database of ``dev``."""
    status = f'{{"status": {{"readyInstances": {count}}}}}'
    plane.kubectl(
        "patch", "cluster.postgresql.cnpg.io/dev-postgres", "--namespace", "dev",
        "--subresource=status", "--type=merge", "--patch", status,
    )  # fmt: skip


@pytest.mark.parametrize("ready", [1, 2])
def test_unready_replicas_are_not_required(
    plane: ControlPlane, releases: Releases, ready: int
) -> None:
    """Batches never wait for instances that are only being copied: these come first."""
    _ready(plane, ready)
    more: dict[str, Any] = {"instances": 3, "synchronous": {"number": ready}}
    said = releases.refusal("dev", _values(DEV, {"postgres": {"cnpg": more}}))
    assert f"number is {ready} and required, but this release has {ready - 1} ready beside" in said
    assert "first upgrade with postgres.cnpg.synchronous.dataDurability=preferred" in said

    more["synchronous"]["dataDurability"] = "preferred"
    assert releases.refusal("dev", _values(DEV, {"postgres": {"cnpg": more}})) == ""


def test_ready_replicas_may_be_required(plane: ControlPlane, releases: Releases) -> None:
    """Once the other instances are ready, batches may wait for them."""
    _ready(plane, 3)
    more = {"postgres": {"cnpg": {"instances": 3, "synchronous": {"number": 2}}}}
    assert releases.refusal("dev", _values(DEV, more)) == ""


def test_kept_requirement_is_accepted(releases: Releases) -> None:
    """A release that already waits for others can be upgraded while they are away."""
    change = {"postgres": {"cnpg": {"resources": {"limits": {"memory": "2Gi"}}}}}
    assert releases.refusal("team", _values(change)) == ""
