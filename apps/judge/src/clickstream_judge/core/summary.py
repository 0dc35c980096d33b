"""The summary of a report: the counts, and the differences in words, for ``--summary``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clickstream_contract.verification_result import LONGEST_TEXT, VerificationResult

if TYPE_CHECKING:
    from clickstream_judge.core.report import Report
    from clickstream_judge.core.verdict import Verdict

__all__ = ["summary"]

_YEAR_10000 = 253_402_300_800


def summary(report: Report) -> VerificationResult:
    """Return the summary of a report."""
    firsts = [row.minutes[0][0] for row in report.verdicts if row.minutes]
    return VerificationResult.model_validate(
        {
            "events": report.events,
            "rows": report.rows,
            "minutes": report.minutes,
            "until": None if report.until is None else report.until.replace("Z", ":00Z"),
            "differences": sum(row.count for row in report.verdicts),
            "firstDifference": _moment(min(firsts)) if firsts else None,
            "text": _text(report),
        }
    )


def _text(report: Report) -> str:
    """Return a sentence part: what differs, or that nothing does."""
    if report.agrees:
        minutes = "1 minute" if report.minutes == 1 else f"{report.minutes:,} minutes"
        return f"{report.events:,} events of {minutes} agree with {report.result}"
    text = f"{report.result} differs: {'; '.join(map(_difference, report.verdicts))}"
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."


def _difference(row: Verdict) -> str:
    name = f"{row.kind.value} {row.column}".strip()
    moment = _moment(row.minutes[0][0]) if row.minutes else None
    where = f", first at {moment}" if moment else ""
    cause = f" ({row.cause})" if row.cause else ""
    return f"{row.count:,} {name}{where}{cause}"


def _moment(minute: int) -> str | None:
    """Return a Unix minute as RFC 3339; ``None`` outside the calendar."""
    if not 0 <= 60 * minute < _YEAR_10000:
        return None
    return datetime.fromtimestamp(60 * minute, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
