"""Tables in Markdown, and the texts below attributes in the source.

Owns how what is derived is written down.
"""

from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Rows", "attribute_texts", "table"]

Rows = list[tuple[str, ...]]
"""What the parts of a page are made from."""


def table(head: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table; a bar in a cell is no border."""
    lines: list[Sequence[str]] = [head, ["---"] * len(head), *rows]
    return (
        "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
            for line in lines
        )
        .replace("| --- ", "|---")
        .replace("---|---", "---|---")
        .replace("--- |", "---|")
    )


def attribute_texts(owner: type) -> dict[str, str]:
    """Return the texts below a class's attributes, and below those it inherits."""
    package = owner.__module__.split("_", maxsplit=1)[0]
    ours = [one for one in owner.__mro__ if one.__module__.startswith(package)]
    found: dict[str, str] = {}
    for one in reversed(ours):
        (made,) = ast.parse(inspect.getsource(one)).body
        if isinstance(made, ast.ClassDef):
            found |= _texts_under(made.body)
    return found


def _texts_under(body: list[ast.stmt]) -> dict[str, str]:
    found = {}
    for before, after in pairwise(body):
        target: ast.expr | None = before.target if isinstance(before, ast.AnnAssign) else None
        if isinstance(before, ast.Assign):
            (target,) = before.targets
        if (
            isinstance(target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            found[target.id] = re.sub(r"\s+", " ", str(after.value.value)).replace("``", "`")
    return found
