"""The wording of docstrings, comments and documentation, against a list of words with limits.

Owns the list. It counts each row per 10,000 words of prose, over the whole project and per folder.
Prose is what a reader reads as sentences: code spans and code blocks of Markdown are left out.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from versions import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["ROWS", "Place", "Row", "main", "passages", "places", "report"]


@dataclass(frozen=True)
class Row:
    """Words that plain English needs seldom."""

    name: str
    pattern: re.Pattern[str]
    limit: float
    """The highest number per 10,000 words; the highest number of all where ``is_absolute``."""
    is_absolute: bool = False
    """Whether each occurrence counts for itself, as in a docstring's first words."""


def _row(name: str, pattern: str, limit: float, *, is_absolute: bool = False) -> Row:
    return Row(name, re.compile(pattern, re.IGNORECASE), limit, is_absolute)


ROWS = (
    _row("whoever, somebody, nobody, anybody", r"\b(?:whoever|(?:some|no|any)body)\b", 0.2),
    _row("tell, told", r"\b(?:tells?|told|telling)\b", 5.8),
    _row("goes on, went on, gone on", r"\b(?:go|goes|going|went|gone)\s+on\b(?!\s+\d)", 1.0),
    _row("stand, stands, stood", r"\b(?:stands?|stood)\b(?!-)", 0.5),
    _row("of ours, its own", r"\b(?:of\s+ours|its\s+own)\b", 0.3),
    _row("anew", r"\banew\b", 0.5),
    _row("Say whether ...", r"\A\W*says?\s+whether\b", 0, is_absolute=True),
    _row(
        "does not know, refuses to know",
        r"\b(?:does\s+not|doesn't|refuses\s+to)\s+know\b",
        0,
        is_absolute=True,
    ),
)
"""Each limit is the highest value that was found in nine well-written open-source projects."""

_WORD = re.compile(r"[A-Za-z][A-Za-z'\u2019-]*")
_LEFT_OUT = re.compile(
    r"\.(?:csv|lock|png|svg)$|/vendor/|(?:^|/)(?:LICENSE|NOTICE)$|^tests/golden/"
)
_HASH = (".cfg", ".importlinter", ".sh", ".tf", ".toml", ".yaml", ".yml")
_HASH_NAMES = ("Dockerfile", "Makefile", "Tiltfile", "run", "e2e")
_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_FENCE = re.compile(r"^\s*(?:```|~~~).*?^\s*(?:```|~~~)[ \t]*$", re.MULTILINE | re.DOTALL)
_BLOCKS = {
    ".css": r"/\*(.*?)\*/",
    ".go": r"/\*(.*?)\*/|(?<![:\"'])//([^\n]*)",
    ".html": r"<!--(.*?)-->",
    ".js": r"/\*(.*?)\*/|(?<![:\"'])//([^\n]*)",
    ".sql": r"/\*(.*?)\*/|--([^\n]*)",
    ".tpl": r"\{\{-?\s*/\*(.*?)\*/\s*-?\}\}",
}
_TEMPLATE = _BLOCKS[".tpl"]


@dataclass(frozen=True)
class Place:
    """Where one of the words is."""

    file: str
    line: int
    row: str
    words: str


def passages(name: str, text: str) -> list[tuple[int, str]]:
    """Return the prose of a file as passages, each with the line where it begins.

    Args:
        name: The file's path; its ending names the language.
        text: What is in the file.
    """
    path = Path(name)
    if path.suffix == ".py":
        return [*_docstrings(text), *_comments_of_python(text)]
    if path.suffix == ".md":
        return _paragraphs(_without_code(text))
    if path.suffix == ".ipynb":
        return _cells(text)
    if path.name == "NOTES.txt":
        return _paragraphs(re.sub(r"\{\{.*?\}\}", "", _without_code(text)))
    found = []
    if path.suffix in _BLOCKS:
        found += _matches(_BLOCKS[path.suffix], text)
    if path.suffix in _HASH or path.name in _HASH_NAMES:
        found += _matches(_TEMPLATE, text)
        found += _joined(_hashes(text))
    return [(line, _SPAN.sub(_blank, passage)) for line, passage in found]


def places(name: str, text: str) -> tuple[list[Place], int]:
    """Return where a file has words of the list, and how many words its prose has."""
    found, count = [], 0
    for first, passage in passages(name, text):
        count += len(_WORD.findall(passage))
        for row in ROWS:
            for match in row.pattern.finditer(passage):
                words = " ".join(match[0].split())
                line = first + passage.count("\n", 0, match.start())
                found.append(Place(name, line, row.name, words))
    return found, count


def report(found: Sequence[Place], words: dict[str, int]) -> tuple[str, list[str]]:
    """Return the table of all rows and folders, and the names of the rows above their limits.

    Args:
        found: The places in all files.
        words: The number of words of each folder.
    """
    total = max(sum(words.values()), 1)
    counts = Counter((_folder(place.file), place.row) for place in found)
    lines, above = [f"{'per 10,000 words':36}{'limit':>8}{'now':>8}{'count':>8}"], []
    for row in ROWS:
        count = sum(counts[folder, row.name] for folder in words)
        value = count if row.is_absolute else count * 10_000 / total
        if value > row.limit:
            above.append(row.name)
        mark = "  above" if value > row.limit else ""
        lines.append(f"{row.name:36}{row.limit:8g}{round(value, 1):8g}{count:8}{mark}")
    heads = [row.name.split()[0].strip(",") for row in ROWS]
    lines += ["", f"{'count in':20}" + "".join(f"{head:>9}" for head in [*heads, "words"])]
    for folder in sorted(words):
        numbers = [*(counts[folder, row.name] for row in ROWS), words[folder]]
        lines.append(f"{folder:20}" + "".join(f"{number:9}" for number in numbers))
    return "\n".join(lines), above


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Print the table, and each place if asked for; return 1 if a row is above its limit."""
    parser = argparse.ArgumentParser(description="Check the wording of the project's prose.")
    parser.add_argument("paths", nargs="*", default=["."], help="only these files and folders")
    parser.add_argument("--places", action="store_true", help="print each file and line")
    asked = parser.parse_args(arguments)
    found: list[Place] = []
    words: Counter[str] = Counter()
    for name in _files(root, asked.paths):
        of_file, count = places(name, (root / name).read_text("utf-8"))
        found += of_file
        if count:
            words[_folder(name)] += count
    table, above = report(found, words)
    if asked.places:
        listed = (f"{place.file}:{place.line}: {place.words}\n" for place in found)
        sys.stdout.write("".join(listed) + "\n")
    sys.stdout.write(f"{table}\n")
    if above:
        sys.stderr.write(
            f"error: too many of {'; '.join(above)}: write them in other words;"
            " `releasing/wording.py --places` prints each place\n"
        )
    return int(bool(above))


def _files(root: Path, paths: Sequence[str]) -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    names = [name for name in listed.splitlines() if not _LEFT_OUT.search(name)]
    return [name for name in names if (root / name).is_file()]


def _folder(name: str) -> str:
    """Return what a file is counted under: a component, a kind of tests, or a top-level folder."""
    parts = name.split("/")
    if len(parts) == 1:
        return name if name.endswith(".md") else "(root)"
    return "/".join(parts[: 2 if parts[0] in {"apps", "tests"} and len(parts) > 2 else 1])


def _docstrings(text: str) -> Iterator[tuple[int, str]]:
    """Yield strings that are statements: docstrings, also those of attributes."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            value = node.value.value
            if isinstance(value, str):
                yield node.lineno, _SPAN.sub(_blank, value)


def _comments_of_python(text: str) -> list[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return _joined(
        (token.start[0], token.string.lstrip("#: "))
        for token in tokens
        if token.type == tokenize.COMMENT
    )


def _hashes(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if number == 1 and line.startswith("#!"):
            continue
        comment = re.search(r"(?:^|\s)#+(?:\s(.*))?$", line)
        if comment:
            yield number, comment[1] or ""


def _joined(lines: Iterator[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return comments of consecutive lines as one passage: a sentence may break anywhere."""
    found: list[tuple[int, str]] = []
    last = -1
    for number, line in lines:
        if number == last + 1:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}")
        else:
            found.append((number, line))
        last = number
    return [(number, _SPAN.sub(_blank, passage)) for number, passage in found]


def _matches(pattern: str, text: str) -> list[tuple[int, str]]:
    found = re.finditer(pattern, text, re.MULTILINE | re.DOTALL)
    lines = (
        (text.count("\n", 0, match.start()) + 1, next(group for group in match.groups() if group))
        for match in found
        if any(match.groups())
    )
    return _joined(lines)


def _without_code(text: str) -> str:
    """Return Markdown without code blocks and spans; each line keeps its number."""
    return _SPAN.sub(_blank, _FENCE.sub(_blank, text))


def _blank(code: re.Match[str]) -> str:
    return "\n" * code[0].count("\n")


def _paragraphs(text: str) -> list[tuple[int, str]]:
    found, line = [], 1
    for part in re.split(r"(\n\s*\n)", text):
        if part.strip():
            found.append((line, part))
        line += part.count("\n")
    return found


def _cells(text: str) -> list[tuple[int, str]]:
    """Return a notebook's prose; a passage's line is the number of its cell."""
    found: list[tuple[int, str]] = []
    for number, cell in enumerate(json.loads(text)["cells"], start=1):
        source = "".join(cell["source"])
        name = "cell.md" if cell["cell_type"] == "markdown" else "cell.py"
        found += [(number, passage) for _, passage in passages(name, source)]
    return found


if __name__ == "__main__":
    sys.exit(main())
