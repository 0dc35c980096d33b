"""The report of a judgement: what was judged, what differs, what could not be found.

Owns the exit code and the form for JSON.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clickstream_judge.core.verdict import Verdict

__all__ = ["Report", "minute_text"]


@dataclass(frozen=True)
class Report:
    """A judgement.

    Attributes:
        run_id, simulation: The run.
        result: The judged table or files.
        events: Events that the run has sent and that were judged.
        rows: Rows of the result that were judged.
        minutes: Minutes that were judged.
        differing_minutes: Minutes whose rows were read.
        until: The end of what was judged, ISO 8601; ``None`` for the whole run.
        allowed_missing: Late events that the policy allows to be missing, and that are missing.
        verdicts: Every kind of difference.
        cannot_tell: What this mapping cannot show.
    """

    run_id: str
    simulation: str
    result: str
    events: int
    rows: int
    minutes: int
    differing_minutes: int
    until: str | None
    allowed_missing: int
    verdicts: tuple[Verdict, ...]
    cannot_tell: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether there is no difference."""
        return not self.verdicts

    @property
    def exit_code(self) -> int:
        """0 if result and truth agree, 1 if they differ."""
        return 0 if self.agrees else 1

    def to_json(self) -> dict[str, Any]:
        """Return the report as values for JSON; minutes are ISO 8601."""
        content = asdict(self) | {"agrees": self.agrees}
        content["cannot_tell"] = list(self.cannot_tell)
        content["verdicts"] = [
            asdict(row)
            | {
                "kind": row.kind.value,
                "minutes": [[minute_text(first), minute_text(last)] for first, last in row.minutes],
            }
            for row in self.verdicts
        ]
        return content


def minute_text(minute: int) -> str:
    """Return a Unix minute as ISO 8601, UTC; far outside the calendar, as a number."""
    try:
        return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%MZ")
    except (ValueError, OverflowError, OSError):
        return f"minute {minute}"
