"""Fixtures of the end-to-end test: one release on the cluster that KUBECONFIG names."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from release import Cluster, Figures, Release

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """What is measured; printed at the end, whatever happens."""
    found = Figures()
    yield found
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nmeasured on the cluster\n{found.table()}")  # noqa: T201  what people wait for


@pytest.fixture(scope="session")
def release(figures: Figures) -> Iterator[Release]:
    """Images built, namespace open, Kafka and PostgreSQL up."""
    if not os.environ.get("KUBECONFIG"):
        pytest.exit("NOT RUN: KUBECONFIG names no cluster", returncode=0)
    for program in ("kubectl", "helm"):
        if shutil.which(program) is None:
            pytest.exit(f"NOT RUN: there is no {program} on PATH", returncode=0)
    running = Release(Cluster())
    running.close()
    if not os.environ.get("CLICKSTREAM_E2E_TAG"):
        figures.note("images built, s", f"{running.timed_call(running.build):.0f}")
    try:
        running.open_namespace()
        figures.note(
            "Kafka and PostgreSQL up, s", f"{running.timed_call(running.start_services):.0f}"
        )
        yield running
    finally:
        running.keep_logs()
        if not os.environ.get("CLICKSTREAM_E2E_KEEP"):
            running.close()
