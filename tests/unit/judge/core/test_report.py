"""The report: its exit code and its JSON."""

from __future__ import annotations

import json

from clickstream_judge.core.merging import Kind
from clickstream_judge.core.report import Report, minute_text
from clickstream_judge.core.verdict import Verdict

LOST = Verdict(Kind.LOST, "", 3, ((0, 2),), ((0, 1, 3),), 1, ("id1",), "offsets skipped")


def report(*verdicts: Verdict) -> Report:
    """Return a report of one minute."""
    return Report("run", "shop", "events", 5, 2, 1, 1, None, 0, verdicts, ("nothing",))


def test_exit_codes() -> None:
    """Without a difference the result agrees."""
    assert (report().agrees, report().exit_code) == (True, 0)
    assert (report(LOST).agrees, report(LOST).exit_code) == (False, 1)


def test_report_as_json() -> None:
    """JSON has times that people can read."""
    content = json.loads(json.dumps(report(LOST).to_json()))

    assert content["agrees"] is False
    assert content["verdicts"][0]["kind"] == "lost"
    assert content["verdicts"][0]["minutes"] == [["1970-01-01T00:00Z", "1970-01-01T00:02Z"]]


def test_minutes_are_utc() -> None:
    """A minute is written as ISO 8601."""
    assert minute_text(29_400_000) == "2025-11-24T16:00Z"


def test_minutes_outside_the_calendar() -> None:
    """A minute that no calendar has is a number."""
    assert minute_text(10**15) == "minute 1000000000000000"
