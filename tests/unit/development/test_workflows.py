"""The workflows: pinned, without needless rights, and calling only targets that there are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
_WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
_TARGETS = set(
    re.findall(r"^([a-z0-9.][a-z0-9./]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
)
_INJECTED = """
on: issues
jobs:
  greet:
    runs-on: ubuntu-24.04
    steps:
      - run: echo "${{ github.event.issue.title }}"
"""


def _steps(file: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(file.read_text("utf-8"))["jobs"].values()
    return [step for job in jobs for step in job.get("steps", [])]


def _zizmor(*inputs: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "zizmor"
    return subprocess.run(
        [str(program), "--offline", "--no-progress", *map(str, inputs)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip


def test_zizmor_finds_nothing() -> None:
    """No injection, no right too many, no credential that stays behind."""
    done = _zizmor(*_WORKFLOWS)

    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_an_injection(tmp_path: Path) -> None:
    """A title that a stranger writes must not become a command."""
    file = tmp_path / "greet.yaml"
    file.write_text(_INJECTED, encoding="utf-8")

    done = _zizmor(file)

    assert done.returncode != 0
    assert "template-injection" in done.stdout


@pytest.mark.parametrize("file", _WORKFLOWS, ids=lambda file: file.stem)
def test_actions_are_pinned(file: Path) -> None:
    """Each action of others is named by its commit, with the version beside it."""
    used = re.findall(r"uses: (.+)$", file.read_text("utf-8"), re.MULTILINE)
    loose = [
        line
        for line in used
        if not line.startswith("./") and not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", line)
    ]

    assert used
    assert loose == []


@pytest.mark.parametrize("file", _WORKFLOWS, ids=lambda file: file.stem)
def test_called_targets_exist(file: Path) -> None:
    """What a workflow asks of make is a target of the Makefile."""
    called = [
        word
        for step in _steps(file)
        for line in re.findall(r"(?:^|\s)make ([^\n&|]+)", step.get("run", ""))
        for word in line.split()
        if "=" not in word
    ]

    assert called
    assert [word for word in called if word not in _TARGETS] == []


def test_every_image_is_released() -> None:
    """The release's matrix has each folder with an image."""
    release = yaml.safe_load((ROOT / ".github/workflows/release.yaml").read_text("utf-8"))
    folders = release["jobs"]["images"]["strategy"]["matrix"]["folder"]

    dockerfiles = [*ROOT.glob("apps/*/Dockerfile"), *ROOT.glob("operator/Dockerfile")]
    assert sorted(folders) == sorted(str(file.parent.relative_to(ROOT)) for file in dockerfiles)
