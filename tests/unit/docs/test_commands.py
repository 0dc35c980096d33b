"""The documented commands of a cluster, in their order: none asks for what is not there yet.

``tests/integration/test_documented_commands.py`` runs them all; these are the faults it has found.
"""

from __future__ import annotations

import re

from pages import DOCS

_PAGES = ("install.md", "cluster.md", "operations.md")


def _blocks() -> list[tuple[str, str]]:
    """Return each block of commands with the line before it."""
    texts = [(DOCS / page).read_text(encoding="utf-8") for page in _PAGES]
    return [
        found
        for text in texts
        for found in re.findall(r"([^\n]*)\n\n```sh\n(.*?)```", text, re.DOTALL)
    ]


def test_optional_kinds_are_apart() -> None:
    """Kinds that only backups bring are named in blocks for backups only."""
    named = [before for before, block in _blocks() if "objectstore" in block]

    assert len(named) == 1
    assert named[0].startswith("Only where `postgres.cnpg.backup.enabled`")


def test_logs_of_run_services_are_read() -> None:
    """A pod that is only being made has no log yet: the Job's end is waited for first."""
    for _, block in _blocks():
        for job in re.findall(r"kubectl logs .*?(job/\S+)", block):
            assert f"kubectl wait {job}" in block.partition("kubectl logs")[0]


def test_claims_go_after_their_pods() -> None:
    """Deleting a claim that a pod uses waits for the pod."""
    (block,) = (block for _, block in _blocks() if "delete pvc" in block)

    assert "kubectl wait pod" in block.partition("delete pvc")[0]


def test_tests_run_once_all_is_there() -> None:
    """After the first install Kafka, PostgreSQL and the migrations are waited for."""
    (block,) = (block for _, block in _blocks() if "helm install clickstream " in block)
    before = block.partition("helm test")[0]

    for what in ("kafka/", "cluster.postgresql.cnpg.io/", "job "):
        assert f"kubectl wait {what}" in before
