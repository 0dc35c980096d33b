"""The check of an answer: what is right, what is wrong, and what the words give away."""

from __future__ import annotations

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.answer import check_intervals, check_table
from clickstream_generator.core.exercise import Detection
from clickstream_generator.core.incident_score import Interval
from clickstream_generator.core.truth_table import Figure, Row, TruthTable, exact, share

FIGURE, WIDTH = share(0.5, 0.01)
SAMPLED = TruthTable(
    ("device",), ("conversion",), {("mobile",): Row({"conversion": FIGURE}, WIDTH)},
    has_intervals=True,
)  # fmt: skip
COUNTED = TruthTable(
    ("window",),
    ("events",),
    {
        ("2026-01-12T00:00:00Z",): Row({"events": exact(1_000.0)}),
        ("2026-01-12T01:00:00Z",): Row({"events": exact(5.0)}),
    },
)
WORDS = TruthTable(("experiment",), ("effect",), {("a",): Row({"effect": "no"})})
ONE = TruthTable((), ("sessions",), {(): Row({"sessions": exact(3.0)})})


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (SAMPLED, "device,conversion,low,high,n\nmobile,0.53,0.51,0.55,7\n"),
        (COUNTED, "events,window\n5,2026-01-12 01:00:00\n1000.0,2026-01-12T01:00:00+01:00\n"),
        (WORDS, "experiment,effect\na, No\n"),
        (ONE, "sessions\n3\n"),
    ],
)
def test_right_answer_has_no_problem(table: TruthTable, text: str) -> None:
    """Order, other columns, the form of numbers and times, and chance make no difference."""
    assert check_table(table, text, "a.csv").problems == ()


@pytest.mark.parametrize(
    ("table", "text", "problem"),
    [
        (SAMPLED, "mobile,0.57,0.55,0.59", "mobile, conversion: wrong by less than twice the"),
        (SAMPLED, "mobile,0.4,0.38,0.42", "mobile, conversion: wrong by 2 to 5 times the"),
        (SAMPLED, "mobile,0.9,0.88,0.92", "mobile, conversion: wrong by more than 5 times the"),
        (SAMPLED, "mobile,0.5,0.49,0.51", "mobile, low and high: too narrow"),
        (SAMPLED, "mobile,0.5,0.45,0.55", "mobile, low and high: too wide"),
        (SAMPLED, "mobile,0.5,0.51,0.55", "mobile, low and high: the estimate lies outside"),
        (SAMPLED, "mobile,nan,0.48,0.52", "mobile, conversion: wrong"),
        (SAMPLED, "tablet,0.5,0.48,0.52", "tablet: no such row"),
        (WORDS, "a,yes", "a, effect: wrong"),
        (ONE, "4", "the row, sessions: wrong by more than 10 %"),
    ],
)
def test_wrong_answer_has_its_problem(table: TruthTable, text: str, problem: str) -> None:
    """Each wrong cell has a sentence with its row and its column."""
    head = ",".join(table.answer_columns)

    verdict = check_table(table, f"{head}\n{text}\n", "a.csv")

    assert not verdict.is_right
    assert problem in verdict.problems[0]


@pytest.mark.parametrize(
    ("events", "words"),
    [(999, "less than 1 %"), (1_009, "less than 1 %"), (1_099, "1 to 10 %"), (500, "10 %")],
)
def test_problem_hides_the_direction(events: int, words: str) -> None:
    """The words have neither the truth nor the direction; other rows that lack are named."""
    text = f"window,events\n2026-01-12T00:00:00Z,{events}\n"

    wrong, missing = check_table(COUNTED, text, "a.csv").problems

    assert words in wrong
    assert "1000" not in wrong
    assert missing == "window=2026-01-12T01:00:00Z: missing"


@pytest.mark.parametrize(
    ("table", "text", "path"),
    [
        (COUNTED, "window\n2026-01-12\n", "a.csv, line 1"),
        (COUNTED, "window,events\nnoon,3\n", "a.csv, line 2, window"),
        (COUNTED, "window,events\n2026-01-12T00:00:00Z,many\n", "a.csv, line 2, events"),
        (ONE, "sessions\n3\n4\n", "a.csv, line 3"),
        (SAMPLED, "device,conversion,low,high\nmobile,0.5,,\n", "a.csv, line 2, low"),
    ],
)
def test_unusable_answer_is_refused(table: TruthTable, text: str, path: str) -> None:
    """The error names the file, the line and the column."""
    with pytest.raises(SimulationInvalid) as caught:
        check_table(table, text, "a.csv")

    assert caught.value.path == path


def test_long_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer has a largest number of rows."""
    monkeypatch.setattr("clickstream_generator.core.answer._MOST_ROWS", 1)

    with pytest.raises(SimulationInvalid, match="at most 1 rows"):
        check_table(WORDS, "experiment,effect\na,no\nb,no\n", "a.csv")


INCIDENTS = [
    Interval(3_600.0, 7_200.0, is_absolute=True),
    Interval(36_000.0, 39_600.0, is_absolute=True),
]
DETECTION = Detection.model_validate(
    {"kind": "Detection", "precision": 0.5, "recall": 0.9, "most": "3h"}
)
BOTH = (
    "from,until\n1970-01-01T01:30:00Z,1970-01-01T02:30:00Z\n"
    "1970-01-01T10:00:00Z,1970-01-01T11:00:00Z\n"
)


def test_detector_with_score_is_right() -> None:
    """Intervals that find every incident and are short enough are right."""
    verdict = check_intervals(INCIDENTS, DETECTION, BOTH, "a.csv")

    assert verdict.problems == ()
    assert verdict.checked == "intervals checked: 2"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOTH.rpartition("1970-01-01T10")[0], "recall 0.50 is below 0.90"),
        (
            BOTH
            + "".join(f"1970-01-01T2{hour}:00:00Z,1970-01-01T2{hour}:20:00Z\n" for hour in "012"),
            "precision 0.40 is below 0.50",
        ),
        ("from,until\n1970-01-01T00:00:00Z,1970-01-01T12:00:00Z\n", "12.0 hours"),
        ("from,until\n", "precision 0.00 is below 0.50"),
    ],
)
def test_detector_without_score_is_wrong(text: str, problem: str) -> None:
    """Precision, recall and the length in sum each have their sentence."""
    verdict = check_intervals(INCIDENTS, DETECTION, text, "a.csv")

    assert problem in " ".join(verdict.problems)


def test_nan_is_never_right() -> None:
    """A cell that is no finite number is wrong, also for an exact figure."""
    figure = Figure(1.0, 0.0, 2.0)
    table = TruthTable((), ("x",), {(): Row({"x": figure})})

    for text in ("nan", "inf", "-inf"):
        assert not check_table(table, f"x\n{text}\n", "a.csv").is_right
