"""The report in the terminal: texts are shown as they are."""

from __future__ import annotations

from clickstream_judge.core.merging import Kind
from clickstream_judge.core.report import Report
from clickstream_judge.core.verdict import Verdict
from clickstream_judge.shell.display import show_report
from rich.console import Console


def test_nothing_is_markup() -> None:
    """Brackets in texts of the result stay what they are."""
    verdict = Verdict(Kind.PHANTOM, "", 3, examples=("id '[/red]:tada:'",), cause="none")
    report = Report("run", "shop", "a", 5, 2, 1, 1, "2026-11-29T10:00Z", 4, (verdict,), ("a note",))
    console = Console(markup=False, emoji=False, width=200)

    with console.capture() as captured:
        show_report(console, report)

    text = captured.get()
    assert "id '[/red]:tada:'" in text
    assert "run run of shop until 2026-11-29T10:00Z" in text
    assert "4 late events are missing, as the policy allows" in text
    assert "note: a note" in text
    assert text.endswith("the result differs\n")
