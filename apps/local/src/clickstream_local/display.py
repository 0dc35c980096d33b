"""The output for people: the live view, the report, and single lines without a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from clickstream_streaming.api import VerificationReport
    from rich.console import Console, RenderableType

    from clickstream_local.figures import FunnelStep, LiveFigures, RunFigures

__all__ = ["live_line", "live_view", "show_run", "show_verification"]

_BAR_CELLS = 40


def live_view(elapsed_seconds: float, figures: LiveFigures) -> RenderableType:
    """Return the live view."""
    table = Table.grid(padding=(0, 2))
    table.add_row("running", f"{elapsed_seconds:.0f} s")
    table.add_row(
        "rate",
        f"{figures.achieved_per_second:,.0f} of {figures.target_per_second:,.0f} events/s",
    )
    table.add_row("stored", f"{figures.stored:,} events, {figures.rejected:,} rejected")
    table.add_row("lag", f"{figures.lag_events:,} records")
    table.add_row(
        "latency", f"p50 {_seconds(figures.p50_seconds)}, p95 {_seconds(figures.p95_seconds)}"
    )
    return Group(table, *_funnel(figures.funnel))


def live_line(elapsed_seconds: float, figures: LiveFigures) -> str:
    """Return the live view as one line."""
    return (
        f"{elapsed_seconds:4.0f} s  {figures.achieved_per_second:,.0f} of"
        f" {figures.target_per_second:,.0f} events/s  stored {figures.stored:,}"
        f"  rejected {figures.rejected:,}  lag {figures.lag_events:,}"
        f"  p50 {_seconds(figures.p50_seconds)}  p95 {_seconds(figures.p95_seconds)}"
    )


def show_run(console: Console, run: RunFigures, target_per_second: float) -> None:
    """Print the results of a run."""
    kpis = run.kpis
    if kpis:
        console.print(
            f"\n{kpis['visitors']:,} visitors made {kpis['sessions']:,} sessions and"
            f" {kpis['orders']:,} orders worth {kpis['revenue']:,} EUR"
            f" ({kpis['average_order_value'] or 0} each)"
        )
        console.print(
            f"conversion {kpis['conversion_percent']} %, bounce {kpis['bounce_percent']} %,"
            f" carts left {kpis['abandonment_percent'] or 0} %,"
            f" {kpis['events_per_session']} events per session\n"
        )
    for line in _funnel(run.funnel):
        console.print(line)
    table = Table(title="\nTop products", title_justify="left", box=None)
    for name in ("product", "category", "views", "bought", "revenue"):
        table.add_column(name, justify="left" if name in {"product", "category"} else "right")
    for product, category, views, pieces, revenue in run.top_products:
        # Text: names from data are not markup.
        names = Text(product), Text(category)
        table.add_row(*names, f"{views:,}", f"{pieces:,}", f"{revenue:,}")
    console.print(table)
    console.print(
        f"\nthroughput {run.achieved_per_second:,.1f} events/s of {target_per_second:,.1f} wanted;"
        f" latency from event to row p50 {run.p50_seconds:.2f} s, p95 {run.p95_seconds:.2f} s"
    )


def show_verification(console: Console, report: VerificationReport) -> None:
    """Print the results of a verification."""
    console.print(
        f"\nledger: {report.events_acknowledged:,} events acknowledged,"
        f" {report.events_stored:,} stored, {report.events_rejected:,} records rejected,"
        f" {report.under_way:,} events under way"
    )
    console.print(
        f"lost {report.lost}, duplicated {report.duplicated}, phantom {report.phantom},"
        f" altered {report.altered},"
        f" aggregate mismatches {report.aggregate_mismatches},"
        f" session mismatches {report.session_mismatches},"
        f" illegal transitions {report.illegal_transitions}"
    )
    if report.skipped_offsets:
        console.print(
            f"{report.skipped_offsets:,} offsets of Kafka have no committed record:"
            " ends of transactions, and records of aborted ones"
        )
    for score in report.rejects:
        console.print(
            f"  {score.reason:<16} {score.planted:,} planted, {score.rejected:,} rejected,"
            f" precision {_share(score.precision)}, recall {_share(score.recall)}"
        )
    for example in report.examples:
        console.print(f"  {example}", markup=False)
    verdict = "every table agrees with the ledger" if report.is_clean() else "NOT what was sent"
    console.print(Text(verdict, style="green" if report.is_clean() else "bold red"))


def _funnel(steps: tuple[FunnelStep, ...]) -> list[Text]:
    return [
        Text(
            f"{step.name:<15} {'█' * round(step.percent / 100 * _BAR_CELLS):<{_BAR_CELLS}}"
            f" {step.sessions:>9,}  {step.percent:6.2f} %"
        )
        for step in steps
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"
