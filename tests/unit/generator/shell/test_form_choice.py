"""The form on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.output import Form
from clickstream_generator.core.form_tables import FORMS
from clickstream_generator.shell.form_choice import chosen_form

if TYPE_CHECKING:
    from pathlib import Path


def test_form_has_a_name() -> None:
    """Each form of the contract is found by its name; without a name there is none."""
    assert [chosen_form(name, None) for name in Form] == list(FORMS.values())
    assert chosen_form(None, None) is None


def test_mapping_file_is_a_form(tmp_path: Path) -> None:
    """A mapping file gives a form, and only without --form."""
    file = tmp_path / "own.yaml"
    file.write_text("id: event_id\n", encoding="utf-8")
    form = chosen_form(None, file)
    assert form is not None
    assert [row.target for row in form.rows] == ["id"]
    with pytest.raises(SimulationInvalid, match="give either --form or --mapping"):
        chosen_form("ga4", file)


def test_wrong_choice_is_named(tmp_path: Path) -> None:
    """An unknown form and a missing file are refused with what to do."""
    with pytest.raises(
        SimulationInvalid, match="--form: 'xml' is not allowed; it must be one of n"
    ):
        chosen_form("xml", None)
    with pytest.raises(SimulationInvalid, match=r"--mapping: .* it cannot be read"):
        chosen_form(None, tmp_path / "none.yaml")
