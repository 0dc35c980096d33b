"""What images are built from: pinned by hash, or by an argument that takes a digest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = [
    *sorted(ROOT.glob("apps/*/Dockerfile")),
    ROOT / "operator" / "Dockerfile",
    ROOT / "tests" / "e2e" / "images" / "services" / "Dockerfile",
]
INSTALL = "--require-hashes --only-binary :all: -r"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_base_can_be_a_digest(file: Path) -> None:
    """Each stage begins with the argument or another stage, so that a digest can be named."""
    text = file.read_text(encoding="utf-8")

    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", text, re.MULTILINE)
    assert stages
    assert {base for base, _ in stages} <= {"${BASE}", *(name for _, name in stages)}
    assert stages[0][0] == "${BASE}"
    assert re.search(r"^ARG BASE=docker\.io/library/python:[\d.]+-slim-\w+$", text, re.MULTILINE)


@pytest.mark.parametrize(
    "file", [*FILES, ROOT / "Makefile"], ids=lambda file: str(file.relative_to(ROOT))
)
def test_uv_is_pinned_by_hash(file: Path) -> None:
    """Pip installs uv and nothing else, and takes only files whose hashes are known."""
    text = re.sub(r"\\\n\s*", "", file.read_text(encoding="utf-8"))

    installs = re.findall(r"(?<!uv )pip install .*", text)
    assert installs
    assert all(INSTALL in line for line in installs), installs


def test_one_version_of_uv_has_hashes() -> None:
    """The file names one version, with the hashes of wheels for both kinds of processors."""
    text = (ROOT / "requirements-uv.txt").read_text(encoding="utf-8")

    assert len(re.findall(r"^uv==[\d.]+ ", text, re.MULTILINE)) == 1
    assert len(set(re.findall(r"--hash=sha256:[0-9a-f]{64}", text))) >= 4


def test_licences_stay_in_image() -> None:
    """The stream's image removes what it does not load, and no licence."""
    text = (ROOT / "apps" / "streaming" / "Dockerfile").read_text(encoding="utf-8")

    removed = re.findall(r"rm -rf (.*?)(?:&&|$)", re.sub(r"\\\n\s*", "", text), re.MULTILINE)
    assert removed
    assert not re.search("licen[cs]e|NOTICE", "".join(removed), re.IGNORECASE)
