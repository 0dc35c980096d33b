"""The value of ``--output``."""

from __future__ import annotations

from dataclasses import dataclass

from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.file_forms import FORMS

__all__ = ["Output", "parse_output"]

_STDOUT, _KAFKA = "stdout", "kafka"


@dataclass(frozen=True)
class Output:
    """An output.

    Attributes:
        kind: ``stdout``, ``kafka``, or the format of the files in a folder.
        place: The folder, or Kafka's addresses; may be empty.
    """

    kind: str
    place: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether events go into files."""
        return self.kind in FORMS

    @property
    def is_kafka(self) -> bool:
        """Whether events go to Kafka."""
        return self.kind == _KAFKA

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}" if self.place else self.kind


def parse_output(text: str) -> Output:
    """Read ``stdout``, ``jsonl:DIR``, ``csv:DIR``, ``parquet:DIR`` or ``kafka[:SERVERS]``.

    Raises:
        SimulationInvalid: The text is another one.
    """
    kind, _, place = text.partition(":")
    if kind in FORMS and place:
        return Output(kind, place)
    if kind == _KAFKA or text == _STDOUT:
        return Output(kind, place)
    folders = ", ".join(f"{name}:FOLDER" for name in FORMS)
    raise SimulationInvalid("--output", text, f"it must be {_STDOUT}, {folders} or kafka:SERVERS")
