"""The documentation as a site."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from docs_site import broken_links, build_site
from pages import DOCS, ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    """MkDocs finds no broken link, anchor or page; each link of the built pages leads somewhere."""
    done = build_site(ROOT / "mkdocs.yml", tmp_path / "site")

    assert done.returncode == 0, done.stderr
    pages = {str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")}
    assert len(list((tmp_path / "site").rglob("index.html"))) == len(pages)
    assert broken_links(tmp_path / "site") == []


def test_a_broken_link_stops_it(tmp_path: Path) -> None:
    """A page, an anchor and a picture that are not there are errors, by their names."""
    shutil.copytree(DOCS, tmp_path / "docs")
    (tmp_path / "releasing").symlink_to(ROOT / "releasing")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    with (tmp_path / "docs" / "console.md").open("a", encoding="utf-8") as page:
        page.write("\n[a](gone.md) [b](streaming.md#lost) ![c](images/away.png)\n")

    done = build_site(tmp_path / "mkdocs.yml", tmp_path / "site")

    assert done.returncode != 0
    assert all(name in done.stderr for name in ("gone.md", "#lost", "away.png")), done.stderr


def test_broken_link_is_found(tmp_path: Path) -> None:
    """Files and anchors that are not there are named; what is there, and other sites, are not."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text('<h1 id="x">a</h1>', encoding="utf-8")
    links = ["a/", "a/#x", "a/#y", "b/", "https://example.org/b", "#z"]
    text = "".join(f'<a href="{link}">it</a>' for link in links)
    (tmp_path / "index.html").write_text(text, encoding="utf-8")

    assert broken_links(tmp_path) == ["index.html: a/#y", "index.html: b/", "index.html: #z"]
