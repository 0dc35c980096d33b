"""The names of the truth's files."""

from __future__ import annotations

from pathlib import Path

from clickstream_generator.core.truth_layout import LEDGER_FOLDER, LEDGER_NAME, RECORD_NAME

PAGE = Path(__file__).parents[4] / "docs" / "generator.md"


def test_names_are_documented() -> None:
    """Users find each name on the generator's page."""
    text = PAGE.read_text(encoding="utf-8")

    for name in (RECORD_NAME, LEDGER_NAME, f"{LEDGER_FOLDER}/"):
        assert name in text, name
