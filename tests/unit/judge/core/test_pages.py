"""JUnit XML and HTML: every text is escaped, and nothing is loaded."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from xml.etree.ElementTree import Element, fromstring

from clickstream_judge.core.merging import DEFECTS, Kind
from clickstream_judge.core.pages import html_page, junit_xml, place_lines
from clickstream_judge.core.report import Report
from clickstream_judge.core.verdict import Verdict

NASTY = "<script>alert('&')</script>\x00[/red]"
RANGES = tuple((0, 10 * place, 10 * place + 1) for place in range(7))
VERDICTS = (
    Verdict(Kind.LOST, "", 14, ((0, 2),), RANGES, 9, (NASTY,), NASTY),
    Verdict(Kind.ALTERED, "city", 3, examples=(NASTY,)),
    Verdict(Kind.ALTERED, "country", 2),
)


def _report(*verdicts: Verdict, until: str | None = None) -> Report:
    return Report("run", NASTY, NASTY, 5, 2, 1, 1, until, 0, verdicts, (NASTY,))


def _suite(*verdicts: Verdict) -> Element:
    return fromstring(junit_xml(_report(*verdicts)))  # noqa: S314  our own


def test_junit_has_a_case_per_kind() -> None:
    """Each kind is a test case, which fails if there is a difference of it."""
    suite = _suite(*VERDICTS)

    assert suite.get("failures") == "2"
    assert [case.get("name") for case in suite.iter("testcase")] == [k.value for k in DEFECTS]
    failures = {case.get("name"): case.find("failure") for case in suite.iter("testcase")}
    altered = failures["altered"]
    assert altered is not None
    assert altered.get("message") == "5 altered"
    assert "alert('&')" in (altered.text or "")
    assert failures["phantom"] is None


def test_junit_of_agreement() -> None:
    """Without a difference, nothing fails."""
    assert _suite().get("failures") == "0"


def test_html_is_inert() -> None:
    """The page has no script, no link and no picture, whatever the texts hold."""
    tags = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.add(tag)
            assert not {name for name, _ in attrs} & {"src", "href", "onload"}

    Reader().feed(html_page(_report(*VERDICTS, until="2026-11-29T10:00Z")))

    assert not tags & {"script", "link", "img", "iframe"}
    assert "table" in tags
    assert "<table" not in html_page(_report())


def test_html_shows_the_outcome() -> None:
    """The first sentence and its colour say whether the result agrees."""
    assert '<p class="good"><strong>The result agrees' in html_page(_report())
    assert '<p class="bad"><strong>The result differs' in html_page(_report(*VERDICTS))


def test_places_are_few() -> None:
    """Only the first places are shown, with the number of all others."""
    minutes, ranges = place_lines(VERDICTS[0])

    assert minutes == "minutes 1970-01-01T00:00Z to 1970-01-01T00:02Z"
    assert ranges.startswith("shard_seq of shard 0: 0 to 1; ")
    assert ranges.endswith("; 4 more")
    assert place_lines(VERDICTS[2]) == []
    assert place_lines(replace(VERDICTS[0], ranges=6))[1].endswith("; 1 more")
    assert " more" not in place_lines(replace(VERDICTS[0], ranges=5))[1]
