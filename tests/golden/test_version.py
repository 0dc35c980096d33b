"""One version everywhere; ``--update-golden`` writes the root's into all other places."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from versions import PLACES, ROOT, VERSION, members, with_version


@pytest.mark.parametrize("place", PLACES)
def test_the_version_is_current(place: str, request: pytest.FixtureRequest) -> None:
    """Each file that names the version names that of the root's pyproject.toml."""
    file = ROOT / place
    wanted = with_version(file.read_text("utf-8"), PLACES[place], VERSION)
    if request.config.getoption("--update-golden"):
        file.write_text(wanted, encoding="utf-8")

    assert file.read_text("utf-8") == wanted, "stale: run `make docs`, then `uv lock`"


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
