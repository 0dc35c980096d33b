"""The statements that the judge asks an engine: counts per minute, rows in order, groups.

Owns how a column becomes a field's canonical text. Statements only read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_contract.events import EVENT_NAMES

from clickstream_judge.core.dialect import Dialect, Family, quoted, text_literal
from clickstream_judge.core.fields import FIELDS, IDENTITY, UUIDS, Comparison
from clickstream_judge.core.mapping import TIME_KEYS, KeyName, MeasureName
from clickstream_judge.errors import ResultUnfit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickstream_judge.core.mapping import AggregateTable, Column

__all__ = ["Source", "Statements", "aggregate_statement", "rejected_ids", "value_sql"]

_SEPARATOR, _NULL = "chr(31)", "chr(30)"


@dataclass(frozen=True)
class Source:
    """A table or files as the engine describes them.

    Attributes:
        sql: What follows FROM.
        name: Its name for messages.
        types: The engine's type of each column.
    """

    sql: str
    name: str
    types: Mapping[str, str]


def value_sql(
    dialect: Dialect, source: Source, path: str, column: Column, comparison: Comparison
) -> str:
    """Return a column's value as SQL: a text, or a whole number for times.

    Args:
        dialect: The engine's SQL.
        source: The table.
        path: The mapping's field, for the error.
        column: The column.
        comparison: How it is compared.

    Raises:
        ResultUnfit: There is no such column, or its type cannot be compared.
    """
    if column.column not in source.types:
        there = ", ".join(source.types)
        raise ResultUnfit(
            path, f"{source.name} has no column {column.column!r}", f"name one of {there}"
        )
    family = dialect.family(source.types[column.column])
    name = quoted(column.column)
    sql = {
        Comparison.TEXT: _text,
        Comparison.INTEGER: _whole,
        Comparison.MONEY: _money,
        Comparison.TIME: _time,
    }[comparison](dialect, name, family, column)
    if sql is None:
        raise ResultUnfit(
            path,
            f"column {column.column!r} of {source.name} has the type {source.types[column.column]},"
            f" which cannot be compared with {comparison.value}",
            "map a view that casts it, or name its unit if it is a number",
        )
    return sql


def _text(_dialect: Dialect, name: str, family: Family, _column: Column) -> str | None:
    if family is Family.TEXT:
        return f"CAST({name} AS varchar)"
    return f"lower(CAST({name} AS varchar))" if family is Family.UUID else None


def _whole(dialect: Dialect, name: str, family: Family, _column: Column) -> str | None:
    if family is Family.INTEGER:
        return f"CAST({name} AS varchar)"
    number = _decimal(dialect, name, family)
    return None if number is None else _number_text(number, name)


def _decimal(dialect: Dialect, name: str, family: Family) -> str | None:
    """Return a column as a decimal; it is null where the value is no number."""
    if family is Family.TEXT:
        return dialect.text_to_decimal.format(f"CAST({name} AS varchar)")
    return dialect.decimal.format(name) if family in {Family.INTEGER, Family.FRACTION} else None


def _money(dialect: Dialect, name: str, family: Family, column: Column) -> str | None:
    if column.unit != "major":
        return _whole(dialect, name, family, column)
    number = _decimal(dialect, name, family)
    return None if number is None else _number_text(f"({number} * 100)", name)


def _time(dialect: Dialect, name: str, family: Family, column: Column) -> str | None:
    if family is Family.TIMESTAMP:
        return dialect.milliseconds.format(name)
    if family is Family.TEXT and column.unit is None:
        return dialect.milliseconds.format(dialect.text_to_time.format(name))
    number = _decimal(dialect, name, family)
    if column.unit is None or number is None:
        return None
    factor = {"s": "* 1000", "ms": "", "us": "/ 1000"}[column.unit]
    return f"CAST(floor({number} {factor}) AS bigint)"


def _number_text(number: str, name: str) -> str:
    """Return a number as text, without a fraction if it is whole; another value as it is."""
    whole = f"CAST(floor({number}) AS varchar)"
    text = f"CASE WHEN {number} = floor({number}) THEN {whole} ELSE CAST({number} AS varchar) END"
    return f"coalesce({text}, CAST({name} AS varchar))"


def aggregate_statement(
    dialect: Dialect, source: Source, path: str, table: AggregateTable
) -> tuple[str, bool]:
    """Return the statement for an aggregate table, and whether its day is a date.

    Args:
        dialect: The engine's SQL.
        source: The table.
        path: The mapping's field, for errors.
        table: The table's mapping.

    Raises:
        ResultUnfit: A column is missing, or has a type that cannot be compared.
    """
    parts, is_date = [], False
    for key, column in table.keys.items():
        place = f"{path}.keys.{key}"
        if key is KeyName.DAY and source.types.get(column.column, "").lower() == "date":
            days = f"({quoted(column.column)} - DATE '1970-01-01')"
            parts.append(f"CAST({days} AS bigint) * 86400000")
            is_date = True
        else:
            kind = Comparison.TIME if key in TIME_KEYS else Comparison.TEXT
            parts.append(value_sql(dialect, source, place, column, kind))
    for measure, column in table.measures.items():
        kind = Comparison.MONEY if measure is MeasureName.REVENUE else Comparison.INTEGER
        value = value_sql(dialect, source, f"{path}.measures.{measure}", column, kind)
        parts.append(dialect.text_to_decimal.format(f"({value})"))
    return f"SELECT {', '.join(parts)} FROM {source.sql}", is_date


def rejected_ids(
    dialect: Dialect, source: Source, columns: Mapping[str, Column], prefix: str
) -> str:
    """Return the statement for id and reason of rejected events, one row each, ordered by id.

    Args:
        dialect: The engine's SQL.
        source: The table of rejects.
        columns: The columns of ``event_id`` and ``reason``.
        prefix: Only ids that begin with it.

    Raises:
        ResultUnfit: A column is missing, or is no text.
    """
    id_, reason = (
        value_sql(dialect, source, f"rejects.columns.{name}", columns[name], Comparison.TEXT)
        if name in columns
        else "CAST(NULL AS varchar)"
        for name in ("event_id", "reason")
    )
    return (
        f"SELECT id, min(reason) FROM (SELECT lower({id_}) AS id, {reason} AS reason"
        f" FROM {source.sql}) AS read WHERE id LIKE {text_literal(prefix + '%')}"
        f" GROUP BY id ORDER BY {dialect.order.format('id')}"
    )


class Statements:
    """The statements about the table of events.

    Args:
        dialect: The engine's SQL.
        source: The table.
        columns: The column of each field.
        until_ms: Only rows before this moment, Unix milliseconds; ``None`` for all.
        since_ms: Only rows from this moment on, in the same way.
        prefix: Only rows whose event id begins with it; empty for all.

    Attributes:
        fields: The compared fields besides id and time, in the order of the statements.

    Raises:
        ResultUnfit: A column is missing, or has a type that cannot be compared.
    """

    def __init__(
        self,
        dialect: Dialect,
        source: Source,
        columns: Mapping[str, Column],
        until_ms: int | None = None,
        prefix: str = "",
        since_ms: int | None = None,
    ) -> None:
        self.fields = tuple(name for name in columns if name not in IDENTITY)
        self._dialect, self._source = dialect, source
        self._values = {
            name: value_sql(dialect, source, f"result.columns.{name}", column, FIELDS[name])
            for name, column in columns.items()
        }
        for name in UUIDS & set(columns):
            self._values[name] = f"lower({self._values[name]})"
        conditions = []
        if until_ms is not None:
            conditions.append(f"(ms < {int(until_ms)} OR ms IS NULL)")
        if since_ms is not None:
            conditions.append(f"(ms >= {int(since_ms)} OR ms IS NULL)")
        if prefix:
            conditions.append(f"id LIKE {text_literal(prefix + '%')}")
        self._conditions = conditions

    def minutes(self) -> str:
        """Return the statement for rows and sum of checksums of each minute."""
        parts = [f"coalesce({part}, {_NULL})" for part in ("id", "CAST(ms AS varchar)")]
        parts += [f"coalesce({name}, {_NULL})" for name in self._aliases()]
        number = self._dialect.hash_number.format(f" || {_SEPARATOR} || ".join(parts))
        inner = f"SELECT {self._minute()} AS minute, {number} AS checksum"
        return (
            f"SELECT minute, count(*), sum(checksum) FROM ({inner} FROM ({self._rows()}) AS read"
            f"{self._where()}) AS counted GROUP BY minute"
        )

    def rows(self, ranges: Sequence[tuple[int, int]], *, has_timeless: bool) -> str:
        """Return the statement for rows in the order of their ids.

        Args:
            ranges: Ranges of minutes, the last one excluded.
            has_timeless: Whether to read rows without a time, too.
        """
        inside = [f"(ms >= {60000 * first} AND ms < {60000 * last})" for first, last in ranges]
        if has_timeless:
            inside.append("ms IS NULL")
        names = ", ".join(["coalesce(id, '') AS id", "ms", *self._aliases()])
        where = self._where(f"({' OR '.join(inside)})")
        return (
            f"SELECT {names} FROM ({self._rows()}) AS read{where}"
            f" ORDER BY {self._dialect.order.format('coalesce(id, ' + chr(39) * 2 + ')')}"
        )

    def minutes_of(self, rejected: str) -> str:
        """Return the statement for the minutes of rows whose event was also rejected.

        Args:
            rejected: The statement of :func:`rejected_ids`.
        """
        where = self._where(f"id IN (SELECT id FROM ({rejected}) AS rejected)")
        return f"SELECT DISTINCT {self._minute()} FROM ({self._rows()}) AS read{where}"

    def counts(self) -> str:
        """Return the statement for counts of each minute, for a result without ids.

        After the minute and the rows come the rows of each event name, if it is mapped, and the
        revenue, if the value is mapped too.
        """
        figures = []
        aliases = dict(zip(self.fields, self._aliases(), strict=True))
        if "event_name" in aliases:
            is_name = f"{aliases['event_name']} ="
            figures = [f"count(*) FILTER (WHERE {is_name} '{name}')" for name in EVENT_NAMES]
            if "value_minor" in aliases:
                value = self._dialect.text_to_decimal.format(aliases["value_minor"])
                figures.append(f"coalesce(sum({value}) FILTER (WHERE {is_name} 'purchase'), 0)")
        names = ", ".join([f"{self._minute()} AS minute", "count(*)", *figures])
        return f"SELECT {names} FROM ({self._rows()}) AS read{self._where()} GROUP BY 1"

    def _minute(self) -> str:
        """Return the minute of a row; one before 1970 is rounded down, too."""
        return f"(ms - (ms % 60000 + 60000) % 60000) {self._dialect.divide} 60000"

    def _aliases(self) -> list[str]:
        return [f"f{place}" for place in range(len(self.fields))]

    def _rows(self) -> str:
        """Return the statement for the mapped columns of all rows, as canonical texts."""
        named = [f"{self._values['event_time']} AS ms"]
        if "event_id" in self._values:
            named.append(f"{self._values['event_id']} AS id")
        named += [
            f"{self._values[name]} AS {alias}"
            for name, alias in zip(self.fields, self._aliases(), strict=True)
        ]
        return f"SELECT {', '.join(named)} FROM {self._source.sql}"

    def _where(self, *more: str) -> str:
        conditions = [*self._conditions, *more]
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""
