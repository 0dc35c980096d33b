"""The report in the terminal.

Owns its table. Nothing in it is markup: texts of the result may contain anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from clickstream_judge.core.pages import place_lines

if TYPE_CHECKING:
    from rich.console import Console

    from clickstream_judge.core.report import Report

__all__ = ["show_report"]


def show_report(console: Console, report: Report) -> None:
    """Print a report."""
    until = f" until {report.until}" if report.until else ""
    console.print(
        f"run {report.run_id} of {report.simulation}{until}\n"
        f"{report.events:,} events sent, {report.rows:,} rows in {report.result},"
        f" {report.minutes:,} minutes, {report.differing_minutes:,} compared event by event"
    )
    if report.verdicts:
        table = Table("difference", "count", "likely cause", "where and examples")
        for row in report.verdicts:
            table.add_row(
                Text(f"{row.kind.value} {row.column}".strip()),
                Text(f"{row.count:,}", justify="right"),
                Text(row.cause),
                Text("\n".join([*place_lines(row), *row.examples])),
            )
        console.print(table)
    if report.allowed_missing:
        console.print(f"{report.allowed_missing:,} late events are missing, as the policy allows")
    for text in report.cannot_tell:
        console.print(f"note: {text}")
    console.print("the result agrees with the truth" if report.agrees else "the result differs")
