"""The summary of a report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from clickstream_contract.verification_result import LONGEST_TEXT, read_result
from clickstream_judge.core.merging import Kind
from clickstream_judge.core.report import Report
from clickstream_judge.core.summary import summary
from clickstream_judge.core.verdict import Verdict

_REPORT = Report(
    "run", "shop", "raw.events", 1_500, 1_500, 3, 0, "2026-11-27T08:00Z", 0, (), ()
)  # fmt: skip
_MINUTE = 29_929_440
"""2026-11-27T08:00Z."""
_LAST_MINUTE = int(datetime(9999, 12, 31, 23, 59, tzinfo=UTC).timestamp()) // 60


def _verdict(kind: Kind, count: int, *minutes: int, column: str = "", cause: str = "") -> Verdict:
    ranges = tuple((minute, minute + 1) for minute in minutes)
    return Verdict(kind, column, count, ranges, cause=cause)


def test_agreement_has_counts() -> None:
    """Without a difference the text says what was compared."""
    found = summary(_REPORT)

    assert (found.events, found.rows, found.minutes, found.differences) == (1_500, 1_500, 3, 0)
    assert (found.until, found.first_difference) == ("2026-11-27T08:00:00Z", None)
    assert found.text == "1,500 events of 3 minutes agree with raw.events"
    assert summary(replace(_REPORT, until=None)).until is None
    assert "of 1 minute agree" in summary(replace(_REPORT, minutes=1)).text


def test_differences_name_their_minute() -> None:
    """Each kind has its count and first minute; the first of all is a field."""
    verdicts = (
        _verdict(Kind.LOST, 2, _MINUTE + 5, _MINUTE + 7, cause="skipped offsets"),
        _verdict(Kind.ALTERED, 1, _MINUTE + 3, column="city"),
    )

    found = summary(replace(_REPORT, verdicts=verdicts))

    assert (found.differences, found.first_difference) == (3, "2026-11-27T08:03:00Z")
    assert found.text == (
        "raw.events differs: 2 lost, first at 2026-11-27T08:05:00Z (skipped offsets);"
        " 1 altered city, first at 2026-11-27T08:03:00Z"
    )


def test_first_range_is_named() -> None:
    """Of several ranges of minutes the first one counts."""
    verdict = replace(
        _verdict(Kind.LOST, 2), minutes=((_MINUTE + 1, _MINUTE + 2), (_MINUTE + 9, _MINUTE + 10))
    )

    found = summary(replace(_REPORT, verdicts=(verdict,)))
    assert found.first_difference == "2026-11-27T08:01:00Z"


def test_rows_without_a_time() -> None:
    """A difference without a minute, or with one outside the calendar, names none."""
    verdicts = (_verdict(Kind.PHANTOM, 1), _verdict(Kind.PHANTOM, 1, -(10**9)))

    found = summary(replace(_REPORT, verdicts=verdicts))

    assert (found.differences, found.first_difference) == (2, None)
    assert found.text == "raw.events differs: 1 phantom; 1 phantom"


@pytest.mark.parametrize(
    ("minute", "named"),
    [
        (-1, None),
        (0, "1970-01-01T00:00:00Z"),
        (_LAST_MINUTE, "9999-12-31T23:59:00Z"),
        (_LAST_MINUTE + 1, None),
    ],
)
def test_calendar_has_ends(minute: int, named: str | None) -> None:
    """A minute has a name from 1970 to the year 9999."""
    found = summary(replace(_REPORT, verdicts=(_verdict(Kind.PHANTOM, 1, minute),)))

    assert found.first_difference == named


def test_many_differences_are_cut() -> None:
    """However many columns differ, the summary is a result that the operator reads."""
    verdicts = tuple(
        _verdict(Kind.ALTERED, 1, _MINUTE, column=f"column{place}") for place in range(100)
    )

    found = summary(replace(_REPORT, verdicts=verdicts))

    assert len(found.text) == LONGEST_TEXT
    assert found.text.endswith("...")
    assert read_result(found.to_json()) == found
