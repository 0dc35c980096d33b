"""The threat model's page names tests that exist."""

from __future__ import annotations

import re

import pytest
from pages import DOCS, ROOT

_PAGE = (DOCS / "threat-model.md").read_text(encoding="utf-8")
_BOUNDARIES = re.findall(r"^## (.+)$", _PAGE, re.MULTILINE)[1:-1]


def _defined() -> set[str]:
    """Return the names of all test functions."""
    files = (ROOT / "tests").rglob("test_*.py")
    texts = (file.read_text(encoding="utf-8") for file in files)
    return {name for text in texts for name in re.findall(r"^ *def (test_\w+)", text, re.MULTILINE)}


def test_named_tests_exist() -> None:
    """Each test that a measure is shown by is defined somewhere in tests/."""
    named = set(re.findall(r"`(test_\w+)`", _PAGE))

    assert len(named) > 30
    assert named - _defined() == set()


def _rows(boundary: str) -> list[list[str]]:
    section = _PAGE.split(f"\n## {boundary}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [line.strip("| ").split(" | ") for line in lines]


@pytest.mark.parametrize("boundary", _BOUNDARIES)
def test_each_threat_is_attacked(boundary: str) -> None:
    """Each row of a boundary has a threat, its measure, and at least one test."""
    rows = _rows(boundary)

    assert rows
    assert [row for row in rows if len(row) != 3 or not row[2].startswith("`test_")] == []


def test_each_boundary_has_its_threats() -> None:
    """The table of boundaries and the sections below are the same."""
    listed = [row[0] for row in _rows("Boundaries")]

    def short(name: str) -> str:
        return name.lower().removesuffix(" of the cluster")

    assert [short(name) for name in listed] == [short(name) for name in _BOUNDARIES]
