"""The form that ``--form`` or ``--mapping`` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.form_tables import FORMS
from clickstream_generator.core.own_mapping import mapping_form
from clickstream_generator.shell.text_file import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_generator.core.form_rows import Form

__all__ = ["chosen_form"]

_MOST_BYTES = 1_000_000


def chosen_form(name: str | None, mapping: Path | None) -> Form | None:
    """Return a form by its name, or the form of a mapping file; ``None`` if neither is given.

    Raises:
        SimulationInvalid: There is no such form, or the file cannot be used.
    """
    if name is not None and name not in FORMS:
        raise SimulationInvalid("--form", name, f"it must be one of {', '.join(FORMS)}")
    if mapping is None:
        return None if name is None else FORMS[name]
    if name is not None:
        raise SimulationInvalid("--mapping", str(mapping), "give either --form or --mapping")
    return mapping_form(read_text("--mapping", mapping, _MOST_BYTES), str(mapping))
