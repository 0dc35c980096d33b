"""The derived parts of the documentation."""

from __future__ import annotations

import re

from clickstream_contract.metrics import METRICS
from pages import DOCS, PARTS, renewed
from process_parts import processes, undescribed

_PAGES = sorted(DOCS.rglob("*.md"))
_NEED_A_DATABASE = {"tables", "proof"}


def test_each_part_has_one_place() -> None:
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
