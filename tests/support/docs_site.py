"""The documentation's site, as MkDocs builds it, and the links in it that lead nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["broken_links", "build_site"]

ROOT = Path(__file__).parents[2]


def build_site(configuration: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site strictly into a folder; ``--quiet`` would hide warnings from `--strict`."""
    command = [str(Path(sys.executable).parent / "mkdocs"), "build", "--strict",
               "--config-file", str(configuration), "--site-dir", str(folder)]  # fmt: skip
    # Material's advertisement for its successor is no warning of the build.
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )


def broken_links(site: Path) -> list[str]:
    """Return the links within a site whose file or anchor is not there.

    The page for errors is left out: it has absolute links, for it is shown at any path.
    """
    return [
        f"{page.relative_to(site)}: {link}"
        for page in sorted(site.rglob("*.html"))
        if page.name != "404.html"
        for link in _read(page)[0]
        if not _leads_somewhere(link, page)
    ]


def _leads_somewhere(link: str, page: Path) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return False
    return not parts.fragment or unquote(parts.fragment) in _read(target)[1]


class _Page(HTMLParser):
    """What a page leads to, and the anchors that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep links and anchors."""
        del tag
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.links.append(value)
            elif name in {"id", "name"} and value:
                self.anchors.add(value)


@cache
def _read(page: Path) -> tuple[list[str], set[str]]:
    parser = _Page()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.links, parser.anchors
