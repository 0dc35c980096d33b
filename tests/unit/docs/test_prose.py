"""The documentation names only what is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from pages import DOCS, ROOT
from process_parts import processes
from prose import anchors, broken_links, broken_names

if TYPE_CHECKING:
    from pathlib import Path

_PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
_PYTHON = ("apps", "bench", "operator", "dashboards", "tests/e2e", "tests/support")
"""Where variables are read; unit tests make some up."""


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link has its file, and each anchor its heading."""
    assert broken_links(page, ROOT) == []


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_what_is_named_is_there(page: Path) -> None:
    """Each file, command, option and target in code exists."""
    assert broken_names(page, ROOT) == []


def test_each_page_can_be_found() -> None:
    """From the project's README, over links, one comes to every page."""
    seen: set[Path] = set()
    next_ones = [ROOT / "README.md"]
    while next_ones:
        page = next_ones.pop().resolve()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        next_ones += [page.parent / link for link in links if ":" not in link]

    assert [_name(page) for page in _PAGES if page.resolve() not in seen] == []


def test_each_variable_is_documented() -> None:
    """docs/environment.md has each variable that the code reads outside of settings."""
    prefixes = tuple(module.PREFIX for module in processes().values())
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    named = {
        name
        for folder in _PYTHON
        for file in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"\bCLICKSTREAM_[A-Z][A-Z0-9_]*[A-Z0-9]\b", file.read_text("utf-8"))
        if not name.startswith(prefixes)
    }

    assert sorted(name for name in named if f"`{name}`" not in text) == []


def test_the_index_of_commands_is_whole() -> None:
    """README.md names each command that docs/commands.md has."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    headings = re.findall(
        r"^## clickstream ([a-z]+)", (DOCS / "commands.md").read_text("utf-8"), re.MULTILINE
    )

    assert sorted({name for name in headings if f"`clickstream {name}" not in readme}) == []


def test_no_placeholder_is_left() -> None:
    """No page waits for a figure."""
    waiting = r"\b(FIGURES?|TODO|TBD|FIXME|XXX)\b"

    assert [_name(page) for page in _PAGES if re.search(waiting, page.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("[a](gone.md)", ["gone.md: no such file"]),
        ("[a](#nowhere)", ["#nowhere: no such heading"]),
        ("[a](page.md#a-heading-and-more)", []),
        ("![a](gone.png)", ["gone.png: no such file"]),
        ("[a](/etc/passwd)", ["/etc/passwd: no such file"]),
        ("`[a](gone.md)`", []),
        ("`k8s/gone.yaml`", ["k8s/gone.yaml: no such file"]),
        ("`k8s/kept.yaml`", []),
        ("```\nkubectl apply -f k8s/gone.yaml\n```", ["k8s/gone.yaml: no such file"]),
        ("`make coffee`", ["make coffee: no such target"]),
        ("`make demo`", []),
        ("`make demo-check`", []),
        ("`make demo-coffee`", ["make demo-coffee: no such target"]),
        ("`clickstream fly`", ["clickstream fly: no such command"]),
        ("`clickstream verify --jason`", ["clickstream verify --jason: no such option"]),
        ("`clickstream rejects list --json`", []),
        ("`clickstream rejects lost`", ["clickstream rejects lost: no such command"]),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, text: str, problems: list[str]) -> None:
    """Each kind of broken name is found, and a right one is left alone."""
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s" / "kept.yaml").touch()
    (tmp_path / "Makefile").write_text("demo: x\ndemo-check: x\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(f"# A heading, and more\n\n{text}\n", encoding="utf-8")

    assert [*broken_links(page, tmp_path), *broken_names(page, tmp_path)] == problems


def test_heading_anchors_match_github() -> None:
    """Small letters, hyphens, no other marks; what comes twice gets a number."""
    page = "# A `b` c: d!\n## A simulation's life\n```\n# none\n```\n## Twice\n## Twice\n"

    assert anchors(page) == {"a-b-c-d", "a-simulations-life", "twice", "twice-1"}
