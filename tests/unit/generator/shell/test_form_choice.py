"""The form on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.form_tables import FORMS, NATIVE
from clickstream_generator.shell.form_choice import chosen_form

if TYPE_CHECKING:
    from pathlib import Path


def test_form_has_a_name() -> None:
    """Each form is found by its name."""
    assert [chosen_form(name, None) for name in FORMS] == list(FORMS.values())


def test_mapping_file_is_a_form(tmp_path: Path) -> None:
    """A mapping file gives a form, and only without --form."""
    file = tmp_path / "own.yaml"
    file.write_text("id: event_id\n", encoding="utf-8")
    assert [row.target for row in chosen_form(NATIVE.name, file).rows] == ["id"]
    with pytest.raises(SimulationInvalid, match="give either --form or --mapping"):
        chosen_form("ga4", file)


def test_wrong_choice_is_named(tmp_path: Path) -> None:
    """An unknown form and a missing file are refused with what to do."""
    with pytest.raises(
        SimulationInvalid, match="--form: 'xml' is not allowed; it must be one of n"
    ):
        chosen_form("xml", None)
    with pytest.raises(SimulationInvalid, match=r"--mapping: .* it cannot be read"):
        chosen_form(NATIVE.name, tmp_path / "none.yaml")
