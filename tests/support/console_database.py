"""A database for the console that answers from memory.

Owns which rows answer which question; what SQL makes of them is tested on PostgreSQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clickstream_console.core.questions import Question
    from clickstream_console.shell.database import Rows

__all__ = ["MemoryDatabase"]


class MemoryDatabase:
    """Rows by a part of the statement that asks for them.

    Attributes:
        rows: The answers; a question that none matches has no rows.
        failure: Raised instead of every answer, if there is one.
        asked: Every question so far.
    """

    def __init__(self, **rows: list[dict[str, Any]]) -> None:
        """Keep rows by view; ``mart_kpis`` is the view ``mart.kpis``."""
        self.rows = {name.replace("_", ".", 1): found for name, found in rows.items()}
        self.failure: Exception | None = None
        self.asked: list[Question] = []

    async def answer(self, question: Question) -> Rows:
        """Return the rows of the first view that the statement reads."""
        self.asked.append(question)
        if self.failure is not None:
            raise self.failure
        return next(
            (tuple(found) for view, found in self.rows.items() if f" {view} " in question.sql), ()
        )

    async def is_there(self) -> bool:
        """Return whether it answers."""
        return self.failure is None
