"""The report as JUnit XML and as one HTML page.

Owns both forms. Every text is escaped, and the page loads nothing.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, tostring

from clickstream_judge.core.merging import DEFECTS
from clickstream_judge.core.report import minute_text

if TYPE_CHECKING:
    from clickstream_judge.core.report import Report
    from clickstream_judge.core.verdict import Verdict

__all__ = ["html_page", "junit_xml", "place_lines"]

_SHOWN_PLACES = 5
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } td, th { border-bottom: 1px solid #999;
padding: .4rem; text-align: left; vertical-align: top } td.n { text-align: right }
code { overflow-wrap: anywhere } .bad { color: #b00020 } .good { color: #00662a }
@media (prefers-color-scheme: dark) { body { background: #111; color: #eee }
.bad { color: #ff8a80 } .good { color: #7ee2a8 } }
"""


def place_lines(verdict: Verdict) -> list[str]:
    """Return where a difference is, the first places of it."""
    lines = []
    if verdict.minutes:
        shown = [f"{minute_text(a)} to {minute_text(b)}" for a, b in verdict.minutes]
        lines.append("minutes " + _some(shown, len(shown)))
    if verdict.shard_ranges:
        shown = [f"shard {shard}: {first} to {last}" for shard, first, last in verdict.shard_ranges]
        lines.append("shard_seq of " + _some(shown, verdict.ranges))
    return lines


def _some(texts: list[str], count: int) -> str:
    more = count - _SHOWN_PLACES
    return "; ".join(texts[:_SHOWN_PLACES]) + (f"; {more:,} more" if more > 0 else "")


def junit_xml(report: Report) -> bytes:
    """Return the report as JUnit XML: one test case for each kind of difference."""
    cases = len(DEFECTS)
    failed = {row.kind for row in report.verdicts}
    suite = Element(
        "testsuite", name=_printable(f"clickstream judge {report.result}"), tests=str(cases),
        failures=str(len(failed)), errors="0", skipped="0",
    )  # fmt: skip
    for kind in DEFECTS:
        case = SubElement(suite, "testcase", classname="clickstream.judge", name=kind.value)
        found = [row for row in report.verdicts if row.kind is kind]
        if not found:
            continue
        count = sum(row.count for row in found)
        failure = SubElement(case, "failure", message=f"{count} {kind.value}", type=kind.value)
        failure.text = _printable("\n\n".join(_paragraph(row) for row in found))
    if report.cannot_tell:
        SubElement(suite, "system-out").text = _printable("\n".join(report.cannot_tell))
    return tostring(suite, encoding="utf-8", xml_declaration=True)


def _paragraph(verdict: Verdict) -> str:
    head = f"{verdict.count} {verdict.kind.value} {verdict.column}".rstrip()
    cause = [f"likely cause: {verdict.cause}"] if verdict.cause else []
    return "\n".join([head, *cause, *place_lines(verdict), *verdict.examples])


def _printable(text: str) -> str:
    """Return a text without the characters that XML forbids."""
    return "".join(char if char in "\t\n" or char.isprintable() else "\ufffd" for char in text)


def html_page(report: Report) -> str:
    """Return the report as one HTML page."""
    is_good = report.agrees
    rows = "".join(_row(verdict) for verdict in report.verdicts)
    table = (
        "<table><thead><tr><th>Difference<th>Count<th>Likely cause<th>Where and examples</thead>"
        f"<tbody>{rows}</tbody></table>"
        if rows
        else ""
    )
    notes = "".join(f"<li>{escape(text)}" for text in report.cannot_tell)
    until = f" until {escape(report.until)}" if report.until else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Judgement of {escape(report.result)}</title><style>{_STYLE}</style>"
        f"<h1>Judgement of {escape(report.result)}</h1>"
        f'<p class="{"good" if is_good else "bad"}"><strong>'
        f"{'The result agrees with the truth.' if is_good else 'The result differs.'}</strong></p>"
        f"<p>Run {escape(report.run_id)} of {escape(report.simulation)}{until}:"
        f" {report.events:,} events, {report.rows:,} rows, {report.minutes:,} minutes,"
        f" {report.allowed_missing:,} late events missing as allowed.</p>"
        f"{table}{f'<h2>What this cannot show</h2><ul>{notes}</ul>' if notes else ''}</html>\n"
    )


def _row(verdict: Verdict) -> str:
    where = "<br>".join(escape(line) for line in place_lines(verdict))
    examples = "".join(f"<br><code>{escape(text)}</code>" for text in verdict.examples)
    return (
        f"<tr><td>{escape(f'{verdict.kind.value} {verdict.column}'.strip())}"
        f'<td class="n">{verdict.count:,}<td>{escape(verdict.cause)}<td>{where}{examples}'
    )
