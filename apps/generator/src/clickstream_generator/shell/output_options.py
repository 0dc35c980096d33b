"""Which options of ``clickstream generate`` belong to which outputs.

Owns the table, and the error of an option that would have no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.file_formats import FILE_FORMATS
from clickstream_generator.shell.output import KINDS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from clickstream_generator.shell.output import Output

__all__ = ["OUTPUTS_OF", "REGISTRY_OPTIONS", "check_options"]

_FOLDERS: Final = tuple(FILE_FORMATS)
_KAFKA: Final = ("kafka",)
_HTTP: Final = ("http", "https")

REGISTRY_OPTIONS: Final = (
    "--registry-username",
    "--registry-password-file",
    "--registry-ca-file",
    "--registry-no-register",
    "--subject-strategy",
)
"""The options that have an effect only with a registry."""

OUTPUTS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "--part-events": _FOLDERS,
    "--truth": ("stdout", *_KAFKA, *_HTTP),
    "--topic": _KAFKA,
    "--ledger-topic": _KAFKA,
    "--create-topics": _KAFKA,
    "--append": _KAFKA,
    "--kafka-config": _KAFKA,
    "--security-protocol": _KAFKA,
    "--username": _KAFKA,
    "--password-file": _KAFKA,
    "--sasl-mechanism": _KAFKA,
    "--ca-file": (*_KAFKA, "https"),
    "--encoding": _KAFKA,
    "--registry": _KAFKA,
    **dict.fromkeys(REGISTRY_OPTIONS, _KAFKA),
    "--http-headers": _HTTP,
    "--http-query": _HTTP,
    "--http-batch": _HTTP,
    "--http-requests": _HTTP,
}
"""The kinds of output with which an option has an effect; other options have one with each."""


def check_options(given: Collection[str], output: Output, *, has_registry: bool) -> None:
    """Raise an error for an option that the output does not use.

    Args:
        given: The options of the command line, such as ``--topic``; those that come from the
            environment are not among them, because other commands may need them.
        output: The output for events.
        has_registry: Whether there is a schema registry, also from the environment.

    Raises:
        SimulationInvalid: Names the option, the output and what to do.
    """
    for option in given:
        kinds = OUTPUTS_OF.get(option)
        if kinds is not None and output.kind not in kinds:
            shapes = " or ".join(KINDS[kind] for kind in kinds)
            raise SimulationInvalid(
                option,
                None,
                f"--output {output} does not use it; leave it out, or send to {shapes}",
            )
        if option in REGISTRY_OPTIONS and not has_registry:
            raise SimulationInvalid(
                option, None, f"--output {output} uses it with a registry only; add --registry URL"
            )
