"""The result of a verification: what the judge writes for the operator.

Owns its fields and its longest form: Kubernetes keeps 4,096 bytes of a container's message
(https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationError

from clickstream_contract.parts import Part

__all__ = ["LONGEST_TEXT", "VerificationResult", "read_result"]

LONGEST_TEXT = 700
"""Most characters of the text."""
_Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Minute = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:00Z$")]


class VerificationResult(Part):
    """What a verification found.

    Attributes:
        events: Events that the run had sent, in the verified minutes.
        rows: Rows of the table, in the same minutes.
        minutes: Number of minutes.
        until: The end of the verified minutes, RFC 3339; ``None`` for the whole run.
        differences: Number of differences; 0 if table and ledger agree.
        first_difference: The first minute with a difference; ``None`` if it has no time.
        text: The differences in words, with their minute.
    """

    events: _Count
    rows: _Count
    minutes: _Count
    until: _Minute | None
    differences: _Count
    first_difference: _Minute | None
    text: Annotated[str, Field(max_length=LONGEST_TEXT)]

    def to_json(self) -> str:
        """Return the result as one line."""
        return self.model_dump_json(by_alias=True)


def read_result(line: str) -> VerificationResult | None:
    """Return the result of a container's message, or ``None`` if it has none."""
    try:
        return VerificationResult.model_validate_json(line)
    except ValidationError:
        return None
