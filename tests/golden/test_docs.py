"""The derived parts of docs/ agree with the code; ``--update-golden`` writes them again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.metrics import METRICS
from pages import DOCS, PARTS, renewed
from process_parts import processes, undescribed

if TYPE_CHECKING:
    from pathlib import Path

_PAGES = sorted(DOCS.rglob("*.md"))
_NEED_A_DATABASE = {"tables", "proof"}


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_page_is_current(page: Path, request: pytest.FixtureRequest) -> None:
    """Each field, metric, command and variable is in its page as in the code."""
    text = page.read_text(encoding="utf-8")
    wanted = renewed(text, PARTS)
    if request.config.getoption("--update-golden"):
        page.write_text(wanted, encoding="utf-8")
        text = page.read_text(encoding="utf-8")

    assert text == wanted, "stale: run `make docs`"


def test_each_part_stands_in_one_place() -> None:
    """Each derived part has one place in the pages, and each marked place a derived part."""
    marked = [
        name
        for page in _PAGES
        for name in re.findall(
            r"^<!-- derived: (\S+) -->$", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]

    assert sorted(marked) == sorted({*PARTS, *_NEED_A_DATABASE})


def test_nothing_is_without_its_meaning() -> None:
    """No derived table has an empty meaning; every setting has a text."""
    for name, make in PARTS.items():
        heads = re.findall(r"^\| .*\|$", make(), re.MULTILINE)
        silent = [row for row in heads if re.search(r"\|\s+\|$", row)]
        if name != "resource-columns":  # its last column is a yes
            assert silent == [], name
    assert {name: undescribed(module) for name, module in processes().items()} == {
        name: [] for name in processes()
    }
    assert all(row.help for row in METRICS)


def test_a_stale_part_is_seen() -> None:
    """Only the text between the marks is compared and replaced."""
    page = "a\n<!-- derived: x -->\nold\n<!-- end -->\nb\n<!-- derived: y -->\nz\n<!-- end -->\n"

    assert renewed(page, {"x": lambda: "new"}) == page.replace("old", "new")
