"""What a page of the documentation names, and whether it is there.

Owns links, anchors, files, commands and targets that a text names.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import typer.main
from clickstream_local.__main__ import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["anchors", "broken_links", "broken_names"]

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s\"[^\"]*\")?\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?<![\w./:@{-])((?:[\w.-]+/)+[\w.-]*[\w/])(?![\w{*}<:=])")
_COMMAND = re.compile(r"^(?:\$ |\.venv/bin/)?clickstream ([a-z][^\n#|;&]*)", re.MULTILINE)
_MADE = (".venv/", ".clickstream", ".tools/", "docs/images")
"""Folders that are made and not kept: what is named there cannot be looked up."""


def anchors(page: str) -> set[str]:
    """Return what a page's headings are called in a link, as GitHub does it."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+)$", _FENCE.sub("", page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        number, own = 0, name
        while own in found:
            number += 1
            own = f"{name}-{number}"
        found.add(own)
    return found


def broken_links(page: Path, root: Path) -> list[str]:
    """Return the links within the project that lead nowhere."""
    text = _SPAN.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))
    broken = []
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or not target.is_relative_to(root.resolve()):
            broken.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
            broken.append(f"{link}: no such heading")
    return broken


def broken_names(page: Path, root: Path) -> list[str]:
    """Return the files, commands, options and targets that a page names but that do not exist."""
    text = page.read_text(encoding="utf-8")
    code = [*_FENCE.findall(text), *_SPAN.findall(_FENCE.sub("", text))]
    return [problem for part in code for problem in _problems(part, root)]


def _problems(code: str, root: Path) -> Iterator[str]:
    tops = {entry.name for entry in root.iterdir()}
    for name in _PATH.findall(code):
        is_ours = name.split("/")[0] in tops and not name.startswith(_MADE)
        is_ours &= not re.search(r"\b[A-Z]{3,}\b(?!\.md)", name)  # a placeholder for any name
        if is_ours and not (root / name).exists():
            yield f"{name}: no such file"
    for target in re.findall(r"(?:^|\$ )make ([a-z0-9][a-z0-9-]*)", code, re.MULTILINE):
        if target not in _targets(root):
            yield f"make {target}: no such target"
    for line in re.findall(
        r"^(?:\$ |\.venv/bin/)?clickstream ([a-z][^\n#|;&]*)", code, re.MULTILINE
    ):
        yield from _wrong_command(line.split())


@cache
def _targets(root: Path) -> frozenset[str]:
    text = (root / "Makefile").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^([a-z0-9][a-z0-9-]*):", text, re.MULTILINE))


def _wrong_command(words: list[str]) -> Iterator[str]:
    """Yield what the command line does not have; ``|`` between names means either."""
    command: Any = typer.main.get_command(app)
    shown = "clickstream"
    while words and hasattr(command, "commands"):
        first = re.split(r"[\\|,]", words.pop(0))[0]
        shown += f" {first}"
        if first not in command.commands:
            yield f"{shown}: no such command"
            return
        command = command.commands[first]
    if hasattr(command, "commands"):
        return
    known = {name for row in command.params for name in row.opts}
    for option in re.findall(r"(?:^|[\s\[(])(--?[a-z][a-z-]*)", " ".join(words)):
        if option not in known:
            yield f"{shown} {option}: no such option"
