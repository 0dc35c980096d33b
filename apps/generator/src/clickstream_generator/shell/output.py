"""The value of ``--output``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.file_formats import FILE_FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KINDS", "Output", "parse_output"]

_STDOUT, _KAFKA, _HTTP = "stdout", "kafka", ("http", "https")

KINDS: Final[Mapping[str, str]] = {
    _STDOUT: _STDOUT,
    **{name: f"{name}:FOLDER" for name in FILE_FORMATS},
    _KAFKA: "kafka:SERVERS",
    **{name: f"{name}://HOST/PATH" for name in _HTTP},
}
"""The shape of ``--output`` for each kind of output."""


@dataclass(frozen=True)
class Output:
    """An output.

    Attributes:
        kind: One of :data:`KINDS`: ``stdout``, ``kafka``, ``http``, ``https``, or the format of the
            files in a folder.
        place: The folder, Kafka's addresses, or the rest of the URL; may be empty.
    """

    kind: str
    place: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether events go into files."""
        return self.kind in FILE_FORMATS

    @property
    def is_kafka(self) -> bool:
        """Whether events go to Kafka."""
        return self.kind == _KAFKA

    @property
    def is_http(self) -> bool:
        """Whether events are posted to an HTTP receiver."""
        return self.kind in _HTTP

    def __str__(self) -> str:
        if self.is_http:
            # A query may hold secrets.
            return f"{self.kind}:{self.place.partition('?')[0]}"
        return f"{self.kind}:{self.place}" if self.place else self.kind


def parse_output(text: str) -> Output:
    """Read ``stdout``, ``jsonl:DIR``, ``csv:DIR``, ``parquet:DIR``, ``kafka[:SERVERS]`` or a URL.

    Raises:
        SimulationInvalid: The text is another one.
    """
    kind, _, place = text.partition(":")
    if (kind in FILE_FORMATS and place) or kind in _HTTP:
        return Output(kind, place)
    if kind == _KAFKA or text == _STDOUT:
        return Output(kind, place)
    raise SimulationInvalid("--output", text, f"it must be one of {', '.join(KINDS.values())}")
