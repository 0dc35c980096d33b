"""The exit codes of a worker, which the operator and people read."""

from __future__ import annotations

from pathlib import Path

from clickstream_contract.worker_exit import WorkerExit

_PAGE = Path(__file__).parents[3] / "docs" / "generator.md"


def test_page_names_every_code() -> None:
    """The generator's page gives the meaning of each code, and of no other."""
    text = _PAGE.read_text(encoding="utf-8")
    _, _, table = text.partition("| Exit code | Meaning |\n|---|---|\n")

    named = [int(row.split("|")[1]) for row in table.partition("\n\n")[0].splitlines()]

    assert sorted(named) == sorted(WorkerExit)


def test_codes_are_not_the_shells() -> None:
    """From 126 on a code is the shell's, or says which signal ended the process."""
    assert max(WorkerExit) < 126
