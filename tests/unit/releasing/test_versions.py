"""The places of the version."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from versions import PLACES, ROOT, VERSION, members, with_version


def test_every_package_is_a_place() -> None:
    """No package is left out."""
    files = {str(file.relative_to(ROOT)) for file in members().values()}

    assert len(files) >= 9
    assert files <= set(PLACES)


def test_packages_need_each_other_exactly() -> None:
    """A package of the project that another one needs is named with its version."""
    for name, file in members().items():
        needed = re.findall(
            r'^  "(clickstream[a-z-]*)(.*)",$', file.read_text("utf-8"), re.MULTILINE
        )
        assert [one for one, bound in needed if not bound.startswith("==")] == [], name


@pytest.mark.parametrize("name", members())
def test_packages_carry_the_version(name: str) -> None:
    """Each installed package says the same version as the root's pyproject.toml."""
    assert version(name) == VERSION


def test_the_changelog_knows_the_version() -> None:
    """The newest section below Unreleased is this version's, with its date."""
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(VERSION)} - \d{{4}}-\d\d-\d\d", headings[1])


def test_changelog_sections_are_short() -> None:
    """A released version has at most 40 bullets."""
    sections = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    lengths = {
        text.split("\n", 1)[0]: len(re.findall(r"^- ", text, re.MULTILINE))
        for text in sections[2:]  # after the introduction and Unreleased
    }

    assert len(lengths) >= 3
    assert {name: count for name, count in lengths.items() if not 0 < count <= 40} == {}


def test_a_stale_version_is_seen() -> None:
    """Only the version between a pattern's groups changes; a missing place is an error."""
    patterns = (r"(image:)\d+\.\d+\.\d+()",)

    assert with_version("image:0.0.1 1.2.3", patterns, "9.8.7") == "image:9.8.7 1.2.3"
    with pytest.raises(ValueError, match="no version is found"):
        with_version("image:latest", patterns, "9.8.7")
