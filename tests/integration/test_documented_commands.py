"""The commands of docs: install.md, cluster.md, operations.md, as they are written, in their order.

They run against a real API server, with the real kubectl and the real helm. The operators' part is
played here: what they would say of their resources, and what a node would say of pods. Left out is
what needs another network or a node: fetching charts, and the logs of pods.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from charts import printing_copy
from clickstream_bench.control_plane import ROOT, ControlPlane, find_programs
from clickstream_bench.go_programs import go_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

DEFINITIONS = ROOT.parent / "shared" / "crds"
_OPTIONAL = "postgres.cnpg.backup.enabled"
_MOMENT = "2026-11-29T00:00:00Z"
_READY = {
    "type": "Ready", "status": "True", "reason": "Ready", "message": "",
    "lastTransitionTime": _MOMENT,
}  # fmt: skip
_DONE: dict[str, Any] = {
    "succeeded": 1, "startTime": _MOMENT, "completionTime": _MOMENT,
    "conditions": [
        {"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"},
    ],
}  # fmt: skip
_SAID: dict[str, dict[str, Any]] = {
    "kafkas.kafka.strimzi.io": {"conditions": [_READY]},
    "clusters.postgresql.cnpg.io": {"conditions": [_READY], "readyInstances": 3},
    "jobs.batch": _DONE,
    "pods": {"phase": "Succeeded"},
}
_HELM = """\
case "$*" in
  "dependency update "* | *" oci://"*) echo "LEFT OUT: helm $*" ;;
  *) exec {program} "$@" ;;
esac
"""
_KUBECTL = """\
case "$1" in
  logs) echo "LEFT OUT: kubectl $*" ;;
  *) exec {program} "$@" ;;
esac
"""


def _blocks(page: str, heading: str) -> Iterator[tuple[str, bool]]:
    """Return each ``sh`` block below a heading, with whether it belongs to the optional backups."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    section = re.split(rf"^#+ {heading}$", text, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, flags=re.MULTILINE)[0]
    for before, block in re.findall(r"([^\n]*)\n\n *```sh\n(.*?)```", section, re.DOTALL):
        yield block, _OPTIONAL in before or heading == "Backups"


def _definition(group: str, version: str, kind: str) -> dict[str, Any]:
    """Return a definition that takes anything, of a kind whose own is not at hand."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [
                {"name": version, "served": True, "storage": True,
                 "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }  # fmt: skip


@contextmanager
def _operators(plane: ControlPlane) -> Iterator[None]:
    """Say of every new resource that it is ready, until the tests are done."""
    stopping = threading.Event()

    def play() -> None:
        while not stopping.wait(0.3):
            for kind, status in _SAID.items():
                try:
                    rows = plane.get(kind, "-n", "clickstream")["items"]
                    for row in rows:
                        if not status.items() <= row.get("status", {}).items():
                            plane.kubectl(
                                "patch", kind, row["metadata"]["name"], "-n", "clickstream",
                                "--subresource=status", "--type=merge",
                                "-p", json.dumps({"status": status}),
                            )  # fmt: skip
                except subprocess.CalledProcessError:
                    continue  # it has gone meanwhile, or is done already

    playing = threading.Thread(target=play)
    playing.start()
    try:
        yield
    finally:
        stopping.set()
        playing.join()


class _Machine:
    """Where the commands run: kubectl and helm on PATH, a checkout's charts and manifests."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.plane = plane
        programs = folder / "programs"
        programs.mkdir()
        real = folder / "real"
        real.mkdir()
        kubectl = find_programs(real) / "kubectl"
        for name, text, program in (
            ("helm", _HELM, go_program("helm")), ("kubectl", _KUBECTL, kubectl),
        ):  # fmt: skip
            path = programs / name
            path.write_text("#!/bin/sh\n" + text.format(program=program), encoding="utf-8")
            path.chmod(0o755)
        shutil.copytree(ROOT / "k8s", self.folder / "k8s")
        shutil.copytree(ROOT / "helm" / "clickstream", self.folder / "helm" / "clickstream")
        printing_copy(ROOT / "helm" / "clickstream-operators", self.folder / "helm")
        (self.folder / "s3.env").write_text(
            "ACCESS_KEY_ID=a\nACCESS_SECRET_KEY=b\n", encoding="utf-8"
        )
        self._environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "KUBECONFIG": str(folder / "kubeconfig"),
            "HOME": str(folder),
        }
        access = yaml.safe_load(plane.kubeconfig("admin").read_text(encoding="utf-8"))
        access["contexts"][0]["context"]["namespace"] = "clickstream"
        (folder / "kubeconfig").write_text(yaml.safe_dump(access), encoding="utf-8")

    def run(self, block: str) -> None:
        """Run a block; each of its commands must succeed, and say no error."""
        for name, value in (("RELEASE", "clickstream"), ("NAMESPACE", "clickstream")):
            block = re.sub(rf"\b{name}\b", value, block)
        done = subprocess.run(
            ["/bin/bash", "-euxo", "pipefail", "-c", block], cwd=self.folder,
            env=self._environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert not done.returncode, f"{block}\n{done.stdout}\n{done.stderr}"
        assert not re.search(r"(?i)^error", done.stderr, re.MULTILINE), done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[_Machine]:
    """An API server that knows the operators' kinds, but not those of backups."""
    if not list(DEFINITIONS.rglob("*.yaml")):
        pytest.skip(f"NOT RUN: the operators' definitions are not in {DEFINITIONS}")
    plane = ControlPlane(tmp_path)
    try:
        plane.serve(DEFINITIONS)
        # The chart brings it.
        plane.kubectl("delete", "crd", "clickstreamsimulations.clickstream.dev")
        with _operators(plane):
            yield _Machine(plane, tmp_path)
    finally:
        plane.stop()


@pytest.mark.parametrize("has_backups", [False, True], ids=["without backups", "with backups"])
def test_commands_run_as_written(machine: _Machine, *, has_backups: bool) -> None:
    """From the first install to the last claim every command succeeds."""
    if has_backups:
        rows = [
            _definition("cert-manager.io", "v1", "Certificate"),
            _definition("barmancloud.cnpg.io", "v1", "ObjectStore"),
        ]
        machine.plane.kubectl("apply", "--server-side", "-f", "-", text=yaml.safe_dump_all(rows))
        machine.plane.kubectl("wait", "crd", "--all", "--for=condition=Established")
    seen = []
    for page, heading in (
        ("install.md", "Install"), ("install.md", "Backups"),
        ("cluster.md", "The stream on a cluster"), ("operations.md", "Scaling"),
        ("install.md", "Upgrade"), ("install.md", "Removal"),
    ):  # fmt: skip
        blocks = [
            row for row, is_optional in _blocks(page, heading) if has_backups or not is_optional
        ]
        if heading == "The stream on a cluster":
            blocks = blocks[:1]  # the second one is the removal again
        for block in blocks:
            machine.run(block)
            seen.append(block)

    assert len(seen) == (9 if has_backups else 7)
    names = machine.plane.get("namespaces")["items"]
    assert not {row["metadata"]["name"] for row in names} & {"clickstream", "clickstream-operators"}
