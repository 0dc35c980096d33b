"""The comparison by counts alone, for a result without event ids.

Owns the differences per minute between ledger and result, and what such a comparison cannot show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.events import EVENT_NAMES

from clickstream_judge.core.merging import Kind
from clickstream_judge.core.report import minute_text
from clickstream_judge.core.verdict import MOST_RANGES, Verdict, minute_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clickstream_judge.core.ledger import MinuteFigures

__all__ = ["CANNOT_TELL", "compare_counts"]

CANNOT_TELL = (
    "without a column for event_id, a lost and an invented event in one minute cancel out",
    "without a column for event_id, rows too many may be duplicates or inventions",
    "without a column for event_id, altered values and moved events are not found",
)
_NAMES = len(EVENT_NAMES)


def compare_counts(
    truth: Mapping[int, MinuteFigures], rows: Iterable[Sequence[int]], most_examples: int
) -> list[Verdict]:
    """Return the differences between the ledger and the counts of the result.

    Args:
        truth: The ledger's figures, by minute.
        rows: Minute and rows; then, if mapped, the rows of each event name and the revenue.
        most_examples: Examples to keep of each kind.
    """
    found: dict[tuple[Kind, str], list[tuple[int | None, int, str]]] = {}

    def note(kind: Kind, column: str, minute: int | None, count: int, text: str) -> None:
        where = "no time" if minute is None else minute_text(minute)
        found.setdefault((kind, column), []).append((minute, count, f"{where}: {text}"))

    seen = set()
    for minute, count, *figures in rows:
        seen.add(minute)
        known = truth.get(minute)
        sent = 0 if known is None else known.events
        if count < sent:
            note(Kind.LOST, "", minute, sent - count, f"{sent} sent, {count} found")
        elif count > sent:
            kind = Kind.PHANTOM if not sent else Kind.DUPLICATED
            note(kind, "", minute, count - sent, f"{sent} sent, {count} found")
        if known is None or count != sent:
            continue
        for name, wanted, there in zip(EVENT_NAMES, known.by_name, figures, strict=False):
            if wanted != there:
                note(
                    Kind.ALTERED, "event_name", minute, abs(wanted - there),
                    f"{wanted} {name} sent, {there} found",
                )  # fmt: skip
        if len(figures) > _NAMES and figures[_NAMES] != known.revenue_minor:
            text = f"revenue of {known.revenue_minor} minor units sent, {figures[_NAMES]} found"
            note(Kind.ALTERED, "value_minor", minute, 1, text)
    for minute in truth.keys() - seen:
        sent = truth[minute].events
        note(Kind.LOST, "", minute, sent, f"{sent} sent, 0 found")
    order = list(Kind)
    return [
        Verdict(
            kind,
            column,
            sum(count for _, count, _ in notes),
            tuple(minute_ranges([m for m, _, _ in notes if m is not None][:MOST_RANGES])),
            examples=tuple(text for _, _, text in sorted(notes, key=str)[:most_examples]),
        )
        for (kind, column), notes in sorted(
            found.items(), key=lambda item: (order.index(item[0][0]), item[0][1])
        )
    ]
