"""A schema as a schema registry has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RegisteredSchema"]


@dataclass(frozen=True)
class RegisteredSchema:
    """A schema as a registry has it.

    Attributes:
        kind: ``AVRO``, ``PROTOBUF`` or ``JSON``.
        text: The schema.
        references: The texts of the schemas that it needs, by their names, inner ones first.
    """

    kind: str
    text: str
    references: Mapping[str, str] = field(default_factory=dict)
