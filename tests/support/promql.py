"""What a PromQL expression asks for.

Owns the walk over its tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import promql_parser

__all__ = ["Selector", "labels_named", "ranges", "selectors"]


@dataclass(frozen=True)
class Selector:
    """One selector of series.

    Attributes:
        name: The series' name; where the name is matched, what it is matched with.
        matchers: By label, the kind of match and the value.
        function: The function that is called on its range; empty if there is none.
    """

    name: str
    matchers: dict[str, tuple[promql_parser.MatchOp, str]]
    function: str


def _walk(expr: str) -> list[tuple[Any, list[Any]]]:
    """Return each node with those above it, the outermost first."""
    found: list[tuple[Any, list[Any]]] = []
    path: list[Any] = []

    def enter(node: Any) -> None:  # noqa: ANN401  nodes of many kinds
        found.append((node, list(path)))
        path.append(node)

    def leave(_node: Any) -> None:  # noqa: ANN401
        path.pop()

    promql_parser.walk(promql_parser.parse(expr), enter, leave)
    return found


def selectors(expr: str) -> list[Selector]:
    """Return what series the expression asks for."""
    found = []
    for node, above in _walk(expr):
        if isinstance(node, promql_parser.VectorSelector):
            matchers = {row.name: (row.op, row.value) for row in node.matchers.matchers}
            name = node.name or matchers["__name__"][1]
            is_ranged = len(above) > 1 and isinstance(above[-1], promql_parser.MatrixSelector)
            called = is_ranged and isinstance(above[-2], promql_parser.Call)
            found.append(Selector(name, matchers, above[-2].func.name if called else ""))
    return found


def ranges(expr: str) -> list[tuple[str, float]]:
    """Return the seconds of each range, with the function that is called on it."""
    return [
        (above[-1].func.name if isinstance(above[-1], promql_parser.Call) else "", seconds)
        for node, above in _walk(expr)
        if isinstance(node, promql_parser.MatrixSelector)
        for seconds in [node.range.total_seconds()]
    ]


def labels_named(expr: str) -> set[str]:
    """Return the labels by which the expression groups and joins."""
    named: set[str] = set()
    for node, _ in _walk(expr):
        modifier = getattr(node, "modifier", None)
        if isinstance(node, promql_parser.AggregateExpr) and modifier is not None:
            named.update(modifier.labels)
        elif isinstance(node, promql_parser.BinaryExpr) and modifier is not None:
            named.update(modifier.matching.labels if modifier.matching else ())
            named.update(modifier.group_labels or ())
    return named
