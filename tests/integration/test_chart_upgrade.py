"""Upgrades of the chart before a real API server: what cannot be changed in place is refused."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from charts import CLICKSTREAM
from control_plane import ROOT, ControlPlane
from go_programs import go_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(2400)

DEFINITIONS = ROOT.parent / "shared" / "crds"
DEV, PRODUCTION = (str(CLICKSTREAM / f"values-{name}.yaml") for name in ("dev", "production"))


class Helm:
    """Helm with the rights of an administrator of one API server."""

    def __init__(self, plane: ControlPlane) -> None:
        """Find the program."""
        self._environment = {"KUBECONFIG": str(plane.kubeconfig("admin"))}
        self._program = str(go_program("helm"))

    def run(self, verb: str, release: str, *options: str) -> None:
        """Install or upgrade a release in the namespace of its name; the plane has the definition.

        Raises:
            subprocess.CalledProcessError: Helm refused; ``stderr`` says why.
        """
        subprocess.run(
            [self._program, verb, release, str(CLICKSTREAM), "--namespace", release, *options,
             "--set", "definition.enabled=false"],
            check=True, capture_output=True, text=True, env=self._environment,
        )  # fmt: skip

    def refusal(self, release: str, *options: str) -> str:
        """Return why an upgrade is refused; empty if it is accepted."""
        try:
            self.run("upgrade", release, "--dry-run=server", *options)
        except subprocess.CalledProcessError as error:
            return str(error.stderr)
        return ""


@pytest.fixture(scope="module")
def helm_on_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helm]:
    """Two releases on one API server: ``dev`` by values-dev.yaml, ``team`` by the defaults."""
    found = sorted(DEFINITIONS.rglob("*.yaml"))
    if not found:
        pytest.skip(f"NOT RUN: the operators' definitions are not in {DEFINITIONS}")
    plane = ControlPlane(tmp_path_factory.mktemp("upgrade-plane"))
    try:
        plane.kubectl("apply", "--server-side", "-R", "-f", str(DEFINITIONS))
        plane.kubectl("wait", "crd", "--all", "--for=create", "--timeout=60s")
        plane.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")
        helm = Helm(plane)
        for name, options in (("dev", ("-f", DEV)), ("team", ())):
            plane.kubectl("create", "namespace", name)
            helm.run("install", name, *options)
        yield helm
    finally:
        plane.stop()


def _values(folder: Path, *files: str, **changes: object) -> tuple[str, ...]:
    """Return Helm's options for some values files and one more with the changes."""
    extra = folder / "changes.yaml"
    extra.write_text(yaml.safe_dump(changes), encoding="utf-8")
    return tuple(word for file in (*files, str(extra)) for word in ("-f", file))


def test_same_values_are_accepted(helm_on_plane: Helm) -> None:
    """An upgrade that changes nothing is refused for nothing."""
    assert helm_on_plane.refusal("dev", "-f", DEV) == ""


def test_defaults_grow_to_production(helm_on_plane: Helm) -> None:
    """The defaults can be upgraded to the production profile in place."""
    options = ("-f", PRODUCTION, "--set", "quota.enabled=false")
    assert helm_on_plane.refusal("team", *options) == ""


@pytest.mark.parametrize("profile", [(), ("-f", PRODUCTION)], ids=["defaults", "production"])
def test_separate_controllers_are_refused(helm_on_plane: Helm, profile: tuple[str, ...]) -> None:
    """Brokers that are controllers never lose that role, and the sentence says what to keep."""
    said = helm_on_plane.refusal("dev", *profile)

    assert "the brokers of this release are controllers too" in said
    assert "keep kafka.strimzi.controllers.replicas=0" in said
    assert 'docs/install.md, "Growing"' in said


def test_combined_controllers_are_refused(helm_on_plane: Helm) -> None:
    """Separate controllers cannot be taken away either."""
    options = ("--set", "kafka.strimzi.controllers.replicas=0")
    assert "this release has separate controllers" in helm_on_plane.refusal("team", *options)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kafka": {"strimzi": {"brokers": {"replicas": 3}}}},
         "kafka.strimzi.brokers.replicas is 3, but this release has 1, which are controllers"),
        ({"kafka": {"strimzi": {"brokers": {"storage": {"size": "4Gi"}}}}},
         "kafka.strimzi.brokers.storage.size is 4Gi, but this release's volumes have 5Gi"),
        ({"kafka": {"strimzi": {"brokers": {"storage": {"storageClass": "fast"}}}}},
         'kafka.strimzi.brokers.storage.storageClass is "fast"'),
        ({"kafka": {"strimzi": {"brokers": {"replicas": 1}, "replicationFactor": 1}},
          "streaming": {"eventsPartitions": 2}},
         "topic clickstream.events.v1 would have 2 partitions, but it has 4"),
        ({"postgres": {"cnpg": {"storage": {"size": "1Gi"}}}},
         "postgres.cnpg.storage.size is 1Gi, but this release's volumes have 5Gi"),
        ({"streaming": {"checkpoint": {"size": "500Mi"}}},
         "streaming.checkpoint.size is 500Mi, but this release's volumes have 1Gi"),
    ],
)  # fmt: skip
def test_fixed_value_is_refused(
    helm_on_plane: Helm, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    """Each value that the operators cannot change in place is named with what the cluster has."""
    said = helm_on_plane.refusal("dev", *_values(tmp_path, DEV, **change))

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
def test_fixed_default_is_refused(
    helm_on_plane: Helm, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    """So is each value that only a larger release has."""
    assert says in helm_on_plane.refusal("team", *_values(tmp_path, **change))


def test_growth_is_accepted(helm_on_plane: Helm, tmp_path: Path) -> None:
    """Larger volumes, more partitions and more databases need no new release."""
    change: dict[str, object] = {
        "kafka": {"strimzi": {"brokers": {"storage": {"size": "1Ti"}}}},
        "postgres": {"cnpg": {"storage": {"size": "6144Mi"}, "instances": 3}},
        "streaming": {"eventsPartitions": 12, "checkpoint": {"size": "2Gi"}},
    }
    assert helm_on_plane.refusal("dev", *_values(tmp_path, DEV, **change)) == ""
