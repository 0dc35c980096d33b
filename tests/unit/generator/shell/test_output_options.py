"""Which options belong to which outputs: the table is complete, and holds in both directions."""

from __future__ import annotations

import re

import pytest
import typer
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.command import app
from clickstream_generator.shell.output import KINDS, Output
from clickstream_generator.shell.output_options import (
    OUTPUTS_OF,
    REGISTRY_OPTIONS,
    check_options,
)

PLACES = {"stdout": "", "http": "//h/a?k=1", "https": "//h/a?k=1"}
OUTPUTS = {name: Output(name, PLACES.get(name, "x")) for name in KINDS}
EVERYWHERE = {
    "file", "--run", "--events", "--catalog", "--for", "--rate", "--output", "--start", "--run-id",
    "--form", "--mapping", "--print-schema", "--paced", "--help",
}  # fmt: skip


@pytest.mark.parametrize("option", OUTPUTS_OF)
def test_option_belongs_to_its_outputs(option: str) -> None:
    """An option is taken with its outputs, and with another one the error names both."""
    for kind, output in OUTPUTS.items():
        if kind in OUTPUTS_OF[option]:
            check_options([option], output, has_registry=True)
            continue
        says = f"{option}: --output {output} does not use it; leave it out, or send to "
        with pytest.raises(SimulationInvalid, match=f"^{re.escape(says)}[^;]+$") as refused:
            check_options([option], output, has_registry=True)
        assert KINDS[OUTPUTS_OF[option][0]] in str(refused.value)
        assert "k=1" not in str(refused.value)


@pytest.mark.parametrize("option", REGISTRY_OPTIONS)
def test_registry_options_need_a_registry(option: str) -> None:
    """Without a registry, an option about it is refused."""
    with pytest.raises(SimulationInvalid, match=f"{option}: .* add --registry URL"):
        check_options([option], OUTPUTS["kafka"], has_registry=False)


def test_table_has_every_option() -> None:
    """Each option of the command is in the table, or belongs to every output."""
    command = typer.main.get_command(app)
    known = {max(parameter.opts, key=len) for parameter in command.params}

    assert known | {"--help"} == EVERYWHERE | {*OUTPUTS_OF}
    assert not EVERYWHERE & {*OUTPUTS_OF}
