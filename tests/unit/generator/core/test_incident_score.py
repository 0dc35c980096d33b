"""The score of a detector of incidents: by hand, and what is refused."""

from __future__ import annotations

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.incident_score import Interval, read_intervals, score

TRUTH = "from,until,incident\n1h,2h,a\n5h,5h30m,b\n9h,10h,c\n"


def _intervals(*spans: tuple[float, float]) -> list[Interval]:
    return [Interval(begin, end, is_absolute=False) for begin, end in spans]


def test_score_by_hand() -> None:
    """Two of three incidents are found by three of five intervals, 100 and 0 seconds late."""
    incidents = _intervals((1_000, 2_000), (5_000, 6_000), (8_000, 9_000))
    # Two in the first incident, one from before the second; one at an end; one far away.
    detections = _intervals((1_500, 1_600), (1_100, 1_200), (4_000, 5_001), (9_000, 9_500), (0, 9))

    found = score(incidents, detections)

    assert (found.incidents, found.detections) == (3, 5)
    assert (found.found, found.true_detections) == (2, 3)
    assert found.precision == pytest.approx(3 / 5)
    assert found.recall == pytest.approx(2 / 3)
    assert found.delays_seconds == (100.0, 0.0)
    assert found.median_delay_seconds == 50.0


def test_one_interval_finds_two() -> None:
    """An interval over two incidents finds both, and is one true detection."""
    found = score(_intervals((10, 20), (30, 40)), _intervals((12, 35)))

    assert (found.precision, found.recall, found.delays_seconds) == (1.0, 1.0, (2.0, 0.0))


def test_nothing_has_no_share() -> None:
    """Without detections there is no precision, and without a found incident no delay."""
    silent = score(_intervals((10, 20)), [])
    quiet = score([], _intervals((10, 20)))

    assert (silent.precision, silent.recall, silent.median_delay_seconds) == (None, 0.0, None)
    assert (quiet.precision, quiet.recall) == (0.0, None)


def test_times_have_two_forms() -> None:
    """Times are after the start, or have a time zone; other columns do not count."""
    assert read_intervals(TRUTH, "t.csv")[1] == Interval(18_000.0, 19_800.0, is_absolute=False)
    text = "note,until,from\nx,1970-01-01T01:01:00+01:00,1970-01-01T00:00:30Z\n"
    assert read_intervals(text, "t.csv") == [Interval(30.0, 60.0, is_absolute=True)]
    assert read_intervals("from,until\n0s,1m\n", "t.csv")[0].begin == 0.0


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "d.csv, line 1", "the column from is missing"),
        ("from,to\n", "d.csv, line 1", "the column until is missing"),
        ("from,until\n1h,2h\nsoon,2h\n", "d.csv, line 3, from", "a time after the start"),
        ("from,until\n1h,\n", "d.csv, line 2, until", "a time after the start"),
        ("from,until\n1h,2026-11-27T08:00:00\n", "d.csv, line 2, until", "such as 1h30m"),
        ("from,until\n2h,1h\n", "d.csv, line 2, until", "a time after 2h"),
        ("from,until\n1h,2026-11-27T08:00:00Z\n", "d.csv, line 2", "times of one form"),
        (
            "from,until\n2026-11-27T08:00:00Z,2026-11-27T09:00:00Z\n",
            "d.csv, line 2",
            "times of one form in both files",
        ),
        ('from,until\n"1h,2h\n', "d.csv, line 2", "it must be CSV"),
    ],
)
def test_wrong_file_is_refused(text: str, path: str, allowed: str) -> None:
    """The error names the file, the line and the column, and says what may be there."""
    with pytest.raises(SimulationInvalid) as caught:
        read_intervals(text, "d.csv", _intervals((1, 2)))

    assert caught.value.path == path
    assert allowed in caught.value.allowed


def test_intervals_are_bounded() -> None:
    """More intervals than a detector needs are refused, not compared."""
    rows = "1h,2h\n" * 10_001

    with pytest.raises(SimulationInvalid, match="at most 10,000 intervals"):
        read_intervals(f"from,until\n{rows}", "d.csv")
