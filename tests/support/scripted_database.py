"""A database connection without PostgreSQL: it records statements and gives scripted answers.

Owns the stand-in for psycopg2's connection and cursor, as far as our code uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, cast

from psycopg2 import sql

if TYPE_CHECKING:
    from typing import IO

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

__all__ = ["Answer", "Rows", "ScriptedDatabase"]

Rows = Sequence[tuple[object, ...]]
Answer = Rows | Exception | Callable[[object], Rows]
"""Rows that a statement returns, an error that it raises, or a function of its values."""


@dataclass
class ScriptedDatabase:
    """One connection.

    Attributes:
        answers: The answer by a text that a statement contains; the first that fits counts.
            Other statements return no rows.
        statements: The statements that were executed, with their values.
        copied: The bytes that were handed over, by statement.
        ends: How each transaction has ended: ``commit`` or ``rollback``.
        sessions: The arguments of each ``set_session``.
        closed: How often the connection was closed.
    """

    answers: Mapping[str, Answer] = field(default_factory=dict)
    statements: list[tuple[str, object]] = field(default_factory=list)
    copied: list[tuple[str, bytes]] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    sessions: list[dict[str, object]] = field(default_factory=list)
    closed: int = 0
    encoding: str = "UTF8"

    def connection(self) -> Connection:
        """Return it as the connection that it replaces."""
        return cast("Connection", self)

    def cursor(self) -> Cursor:
        """Return a cursor; its transaction is the connection's."""
        return cast("Cursor", _Cursor(self))

    def executed(self, part: str) -> list[object]:
        """Return the values of each statement that contains a text."""
        return [values for text, values in self.statements if part in text]

    def set_session(self, **arguments: object) -> None:
        """Note the arguments."""
        self.sessions.append(arguments)

    def close(self) -> None:
        """Count."""
        self.closed += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.ends.append("commit" if kind is None else "rollback")


class _Cursor:
    """One cursor."""

    def __init__(self, database: ScriptedDatabase) -> None:
        self.connection = database
        self.rowcount = -1
        self._rows: list[tuple[object, ...]] = []

    def execute(self, statement: str | bytes | sql.Composable, values: object = None) -> None:
        text = _text_of(statement)
        self.connection.statements.append((text, values))
        found: Answer = ()
        for part, answer in self.connection.answers.items():
            if part in text:
                found = answer
                break
        if isinstance(found, Exception):
            raise found
        self._rows = list(found(values) if callable(found) else found)
        self.rowcount = len(self._rows)

    def copy_expert(self, statement: str | sql.Composable, file: IO[bytes]) -> None:
        self.connection.copied.append((_text_of(statement), b"".join(iter(file.read, b""))))

    def mogrify(self, template: str, values: object) -> bytes:
        return f"{template}{values!r}".encode()

    def fetchone(self) -> tuple[object, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int) -> Rows:
        found, self._rows = self._rows[:size], self._rows[size:]
        return found

    def fetchall(self) -> Rows:
        return self.fetchmany(len(self._rows))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Keep the transaction open, as psycopg2 does."""


def _text_of(statement: str | bytes | sql.Composable) -> str:
    """Return a statement's text; names are quoted as PostgreSQL does."""
    if isinstance(statement, bytes):
        return statement.decode()
    if isinstance(statement, sql.Composed):
        return "".join(map(_text_of, statement.seq))
    if isinstance(statement, sql.SQL):
        return statement.string
    if isinstance(statement, sql.Identifier):
        return ".".join('"{}"'.format(name.replace('"', '""')) for name in statement.strings)
    return str(statement)
