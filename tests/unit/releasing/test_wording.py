"""The words that plain English needs seldom."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from wording import ROWS, Place, main, passages, places, report

if TYPE_CHECKING:
    from pathlib import Path

_PLANTED = "nobody"
_CODE = f'"""A module."""\n\nx: str = "{_PLANTED}"\n'


def _words(name: str, text: str) -> list[tuple[int, str]]:
    found, _ = places(name, text)
    return [(place.line, place.words) for place in found]


def _project(root: Path, text: str) -> Path:
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)  # noqa: S607
    (root / "docs").mkdir()
    (root / "docs" / "page.md").write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.py", f'"""A module {_PLANTED} reads."""\n', 1),
        ("a.py", f'def f():\n    """Return it.\n\n    To {_PLANTED}.\n    """\n', 4),
        ("a.py", f'x = 1\n"""Read by {_PLANTED}."""\n', 2),
        ("a.py", f"x = 1\n\n# Read by\n# {_PLANTED}.\n", 4),
        ("a.md", f"# A page\n\nText\nfor {_PLANTED}.\n", 4),
        ("a.sql", f"SELECT 1;  -- for {_PLANTED}\n", 1),
        ("a.sql", f"/* one\n   {_PLANTED} */\n", 2),
        ("a.yaml", f"a: 1\nb: 2  # for {_PLANTED}\n", 2),
        ("a.yaml", f"{{{{- /* for {_PLANTED} */}}}}\n", 1),
        ("a.tpl", f"x\n{{{{- /*\nfor {_PLANTED}\n*/ -}}}}\n", 3),
        ("a.sh", f"#!/bin/sh\n# for {_PLANTED}\n", 2),
        ("a.toml", f"# for {_PLANTED}\n", 1),
        ("a.js", f'const a = "https://b.c/";  // for {_PLANTED}\n', 1),
        ("a.css", f"/* for {_PLANTED} */\n", 1),
        ("a.html", f"<p></p>\n<!-- for {_PLANTED} -->\n", 2),
        ("Makefile", f"all: ## for {_PLANTED}\n", 1),
        ("NOTES.txt", f"{{{{ .Values.a }}}}\n\nFor {_PLANTED}.\n", 3),
    ],
)
def test_planted_words_are_found(name: str, text: str, line: int) -> None:
    """A planted word is found in each language, with its line."""
    assert _words(name, text) == [(line, _PLANTED)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", _CODE),
        ("a.py", f'"""A module with ``{_PLANTED}``."""\n'),
        ("a.md", f"Text with `{_PLANTED}`\n\n```sh\necho {_PLANTED}\n```\n"),
        ("a.sql", f"SELECT '{_PLANTED}'\n"),
        ("a.yaml", f"a: {_PLANTED}\n"),
        ("a.js", f'const a = "//{_PLANTED}";\n'),
    ],
)
def test_code_is_no_prose(name: str, text: str) -> None:
    """Values, code spans and code blocks are not read."""
    assert _words(name, text) == []


@pytest.mark.parametrize(
    ("words", "row"),
    [
        ("Whoever", "whoever, somebody, nobody, anybody"),
        ("told", "tell, told"),
        ("went on", "goes on, went on, gone on"),
        ("stands", "stand, stands, stood"),
        ("its own", "of ours, its own"),
        ("anew", "anew"),
        ("Say whether", "Say whether ..."),
        ("does not know", "does not know, refuses to know"),
    ],
)
def test_rows_match_their_words(words: str, row: str) -> None:
    """Each row finds its words, also over the end of a line."""
    text = '"""{}."""\n'.format(words.replace(" ", "\n    "))

    found, _ = places("a.py", text)

    assert [(place.row, place.words) for place in found] == [(row, words)]


def test_standard_is_no_stand() -> None:
    """Only whole words count, and a stand-in is another word."""
    assert _words("a.md", "A standard, an understanding, a renewal, a stand-in.\n") == []


def test_notebook_cells() -> None:
    """In a notebook the text and the comments of the code are read, the results are not."""
    cells = [
        {"cell_type": "markdown", "source": ["For\n", _PLANTED], "outputs": []},
        {"cell_type": "code", "source": ["x = 1  # for\n", f"# {_PLANTED}"], "outputs": [_PLANTED]},
    ]

    found = passages("a.ipynb", json.dumps({"cells": cells}))

    assert found == [(1, f"For\n{_PLANTED}"), (2, f"for\n{_PLANTED}")]


def test_limit_of_a_rate() -> None:
    """A row passes up to its limit per 10,000 words, over all folders."""
    row = next(row for row in ROWS if row.name == "anew")
    once = [Place("docs/a.md", 1, row.name, "anew")]

    assert report(once, {"docs": 10_000, "apps/local": 10_000})[1] == []
    assert report(once, {"docs": 10_000, "apps/local": 9_000})[1] == ["anew"]


def test_limit_of_none() -> None:
    """One occurrence is too many where the limit is none, in however much text."""
    once = [Place("docs/a.md", 1, "Say whether ...", "Say whether")]

    assert report(once, {"docs": 10_000_000})[1] == ["Say whether ..."]


def test_folders_are_counted() -> None:
    """The table has the count of each component."""
    found = [Place("apps/local/a.py", 1, "anew", "anew"), Place("docs/a.md", 1, "anew", "anew")]

    table, _ = report(found, {"apps/local": 7, "docs": 9})

    assert [line.split()[::8] for line in table.splitlines()[-2:]] == [
        ["apps/local", "0"],
        ["docs", "0"],
    ]
    assert [line.split()[6] for line in table.splitlines()[-2:]] == ["1", "1"]


def test_main_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check fails above a limit, names the row, and lists the places if asked."""
    root = _project(tmp_path, f"Read this\nfor {_PLANTED}.\n")

    assert main(["--places"], root) == 1

    output = capsys.readouterr()
    assert "docs/page.md:2: nobody" in output.out
    assert "too many of whoever, somebody, nobody, anybody" in output.err


def test_main_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Plain text passes."""
    assert main([], _project(tmp_path, "The worker reads the file.\n")) == 0
    assert capsys.readouterr().err == ""
