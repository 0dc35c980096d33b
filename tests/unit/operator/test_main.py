"""The operator's process: how it ends when it cannot begin."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import kubernetes
import pytest
from clickstream_operator.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _logging_is_restored() -> Iterator[None]:
    """Undo what the process sets for all of Python's logging."""
    loggers = [logging.getLogger(name) for name in ("", "asyncio", "kopf.objects")]
    before = [(list(row.handlers), row.level, row.propagate) for row in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide every cluster that this machine knows."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(
        kubernetes.config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none")
    )


def test_wrong_settings_end_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A setting that is missing is named, and the exit code is 2."""
    monkeypatch.delenv("CLICKSTREAM_OPERATOR_IMAGE", raising=False)

    assert main() == 2
    assert capsys.readouterr().err == (
        "error: CLICKSTREAM_OPERATOR_IMAGE is not set; it must be set\n"
    )


def test_missing_cluster_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a service account and a kubeconfig the exit code is 2."""
    monkeypatch.setenv("CLICKSTREAM_OPERATOR_IMAGE", "registry.example/generator:1.0")
    monkeypatch.setenv("CLICKSTREAM_OPERATOR_NAMESPACES", "load")

    assert main() == 2
    assert capsys.readouterr().err.startswith("error: Invalid kube-config file.")
