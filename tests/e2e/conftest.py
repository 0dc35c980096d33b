"""Fixtures of the end-to-end tests: releases on the cluster that KUBECONFIG names."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from connections import keeps_policies, opened, try_release
from pipeline import wait_until
from release import NAMESPACE, Cluster, Figures, Images, Release
from spark_operator import SparkOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_KIND = "sparkapplications.sparkoperator.k8s.io"
_DEFINITION = (
    Path(__file__).parents[3] / "shared" / "crds" / "spark-operator"
    / "sparkoperator.k8s.io_sparkapplications.yaml"
)  # fmt: skip


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """What is measured; printed at the end, whatever happens."""
    found = Figures()
    yield found
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nmeasured on the cluster\n{found.table()}")  # noqa: T201  what people wait for


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster, and the programs that ask it."""
    if not os.environ.get("KUBECONFIG"):
        pytest.exit("NOT RUN: KUBECONFIG names no cluster", returncode=0)
    for program in ("kubectl", "helm"):
        if shutil.which(program) is None:
            pytest.exit(f"NOT RUN: there is no {program} on PATH", returncode=0)
    return Cluster()


@pytest.fixture(scope="session")
def images(cluster: Cluster, figures: Figures) -> Images:
    """Images, built and in the cluster."""
    assert cluster
    found = Images()
    if not found.is_built:
        figures.note("images built, s", f"{figures.timed(found.build):.0f}")
    return found


_ELSEWHERE = "clickstream-e2e-elsewhere"


@pytest.fixture(scope="session")
def are_policies_kept(cluster: Cluster, images: Images, figures: Figures) -> bool:
    """Whether the cluster's network keeps policies; said once if it does not."""
    with opened(cluster, _ELSEWHERE):
        if keeps_policies(cluster, _ELSEWHERE, images.name("services")):
            return True
    figures.note("NOT RUN: connections; this cluster's network keeps no policies", "")
    return False


@pytest.fixture
def policies(are_policies_kept: bool) -> None:  # noqa: FBT001  a fixture's value
    """Leave a test out where nothing keeps policies."""
    if not are_policies_kept:
        pytest.skip("NOT RUN: this cluster's network keeps no policies")


@pytest.fixture
def try_connections(
    cluster: Cluster, figures: Figures, *, are_policies_kept: bool
) -> Iterator[Callable[[Release], None]]:
    """Try every connection of a release that runs, against the table."""
    with opened(cluster, _ELSEWHERE):

        def attempt(release: Release) -> None:
            if are_policies_kept:
                found = try_release(release, _ELSEWHERE)
                figures.note(f"connections with spark.mode={release.spark_mode}", found)

        yield attempt


@contextmanager
def _running(release: Release, figures: Figures) -> Iterator[Release]:
    """Open the namespace, with Kafka and PostgreSQL up; take it away at the end."""
    release.close()
    try:
        release.open_namespace()
        figures.note("Kafka and PostgreSQL up, s", f"{figures.timed(release.start_services):.0f}")
        yield release
    finally:
        release.keep_logs()
        if not os.environ.get("CLICKSTREAM_E2E_KEEP"):
            release.close()


@pytest.fixture
def release(cluster: Cluster, images: Images, figures: Figures) -> Iterator[Release]:
    """A namespace for a release whose driver is the chart's own."""
    with _running(Release(cluster, images, "driver"), figures) as running:
        yield running


@pytest.fixture
def operated_release(cluster: Cluster, images: Images, figures: Figures) -> Iterator[Release]:
    """A namespace for a release whose driver is the Spark operator's, or its stand-in's."""
    if _KIND in cluster.kubectl("get", "customresourcedefinitions", "-o", "name"):
        figures.note("Spark operator", "the cluster's own")
        with _running(Release(cluster, images, "operator"), figures) as running:
            yield running
        return
    if not _DEFINITION.is_file():
        text = f"NOT RUN: spark.mode=operator; neither the cluster nor {_DEFINITION} has {_KIND}"
        figures.note(text, "")
        pytest.skip(text)
    cluster.kubectl("apply", "--server-side", "-f", str(_DEFINITION))
    try:
        served = ("api-resources", "--api-group=sparkoperator.k8s.io", "-o", "name")
        wait_until(lambda: _KIND in cluster.kubectl(*served, check=False), f"{_KIND} is served", 60)
        with _running(Release(cluster, images, "operator"), figures) as running:
            operator = SparkOperator(NAMESPACE)
            try:
                yield running
            finally:
                operator.close()
                for problem in operator.problems[-5:]:
                    figures.note("the Spark operator's stand-in says", problem)
    finally:
        cluster.kubectl("delete", "crd", _KIND, "--timeout=60s")
