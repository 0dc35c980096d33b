"""What people see: the live view, the report, and one line where there is no terminal."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any

from clickstream_local.display import live_line, live_view, show_run, show_verification
from clickstream_local.figures import FunnelStep, LiveFigures, RunFigures
from clickstream_streaming.shell.verification import RejectScore, VerificationReport
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable

_LIVE = LiveFigures(
    1_000.4, 999.6, 20_000, 12_345, 67, 0.5, None, (FunnelStep("view_item", 1_234, 50.0),)
)
_KPIS: dict[str, Any] = {
    "visitors": 1_000, "sessions": 2_000, "orders": 30, "revenue": Decimal("4567.80"),
    "average_order_value": Decimal("152.26"), "conversion_percent": 1.5, "bounce_percent": 40,
    "abandonment_percent": None, "events_per_session": 6.1,
}  # fmt: skip


def _printed(show: Callable[[Console], None]) -> str:
    file = StringIO()
    show(Console(file=file, width=200))
    return file.getvalue()


def test_line_has_every_figure() -> None:
    """Without a terminal one line has what the live view has."""
    assert live_line(12.3, _LIVE) == (
        "  12 s  1,000 of 1,000 events/s  stored 12,345  rejected 67  lag 7,588  p50 0.50 s  p95 -"
    )


def test_view_has_every_figure() -> None:
    """The live view shows time, rate, rows, lag, latency, and the funnel as bars."""
    text = _printed(lambda console: console.print(live_view(12.3, _LIVE)))

    assert [line.rstrip() for line in text.splitlines()] == [
        "running  12 s",
        "rate     1,000 of 1,000 events/s",
        "stored   12,345 events, 67 rejected",
        "lag      7,588 records",
        "latency  p50 0.50 s, p95 -",
        f"view_item       {'█' * 20}{' ' * 20}     1,234   50.00 %",
    ]


def _run(kpis: dict[str, Any]) -> RunFigures:
    top = (("Tent", "Outdoor", 1_000, 20, Decimal("1999.80")),)
    return RunFigures(kpis, _LIVE.funnel, top, 0.5, 1.25, 0.0, 1.0, 998.04, 3)


def test_run_is_summed_up() -> None:
    """The report has visitors, orders, shares, products and latency in words."""
    text = _printed(lambda console: show_run(console, _run(_KPIS), 1_000.0))

    assert "1,000 visitors made 2,000 sessions and 30 orders" in text
    assert " orders worth 4,567.80 EUR (152.26 each)" in text
    assert "conversion 1.5 %, bounce 40 %, carts left 0 %, 6.1 events per session" in text
    assert "Tent     Outdoor   1,000      20  1,999.80" in text
    assert (
        "throughput 998.0 events/s of 1,000.0 wanted; latency from event to row p50 0.50 s,"
        " p95 1.25 s" in text
    )


def test_names_are_no_markup() -> None:
    """A product may be called like a tag of the terminal's library."""
    run = replace(_run(_KPIS), top_products=(("[/red]", ":tada: [b]", 1, 1, Decimal(1)),))

    text = _printed(lambda console: show_run(console, run, 1_000.0))

    assert "[/red]" in text
    assert ":tada: [b]" in text


def test_empty_run_has_no_shares() -> None:
    """A run without sessions has no key figures to show."""
    text = _printed(lambda console: show_run(console, _run({}), 1_000.0))

    assert "visitors" not in text
    assert "throughput" in text


def _report(lost: int = 0) -> VerificationReport:
    return VerificationReport(
        events_sent=1_001, events_acknowledged=1_001, events_stored=1_000, events_rejected=2,
        planted_losses=0, lost=lost, duplicated=0, phantom=0, altered=0, aggregate_mismatches=0,
        session_mismatches=0, illegal_transitions=0, examples=("lost [red]x",) if lost else (),
        rejects=(RejectScore("schema", 2, 2, 1), RejectScore("future", 0, 0, 0)),
    )  # fmt: skip


def test_clean_verification_says_so() -> None:
    """A verification without defects says that the tables agree, and how rejects were found."""
    text = _printed(lambda console: show_verification(console, _report()))

    assert "ledger: 1,001 events acknowledged, 1,000 stored, 2 records rejected" in text
    assert "schema           2 planted, 2 rejected, precision 0.500, recall 0.500" in text
    assert "future           0 planted, 0 rejected, precision -, recall -" in text
    assert text.splitlines()[-1] == "every table agrees with the ledger"


def test_defects_are_shown_as_they_are() -> None:
    """A defect is shown with its example, whose brackets are no markup."""
    text = _printed(lambda console: show_verification(console, _report(1)))

    assert "lost 1, duplicated 0, phantom 0, altered 0" in text
    assert "  lost [red]x\n" in text
    assert text.splitlines()[-1] == "NOT what was sent"
