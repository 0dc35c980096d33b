"""The derived parts of docs/ are what the code says; ``--update-golden`` writes them anew."""

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
    """Each field, metric, command and variable stands in the page as the code has it."""
    text = page.read_text(encoding="utf-8")
    wanted = renewed(text, PARTS)
    if request.config.getoption("--update-golden"):
        page.write_text(wanted, encoding="utf-8")
        text = page.read_text(encoding="utf-8")

    assert text == wanted, "stale: run `make docs`"


def test_each_part_stands_in_one_place() -> None:
    """No part is left out, none stands twice, and none is marked that nobody makes."""
    marked = [
        name
        for page in _PAGES
        for name in re.findall(
            r"^<!-- derived: (\S+) -->$", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]

    assert sorted(marked) == sorted({*PARTS, *_NEED_A_DATABASE})


def test_nothing_is_without_its_meaning() -> None:
    """No cell of meaning is empty, in any derived table; no setting lacks its words."""
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
    """What stands between the marks is compared; what stands beside them is not touched."""
    page = "a\n<!-- derived: x -->\nold\n<!-- end -->\nb\n<!-- derived: y -->\nz\n<!-- end -->\n"

    assert renewed(page, {"x": lambda: "new"}) == page.replace("old", "new")
