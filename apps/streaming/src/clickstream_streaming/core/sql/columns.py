"""The columns of marts: name, type, comment, value, and how the values of two rows become one.

Owns the columns that several marts have, such as one counter for each event name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clickstream_contract.events import EVENT_NAMES

__all__ = [
    "CHANNEL",
    "COUNTERS",
    "COUNTRY",
    "DEVICE",
    "DIMENSIONS",
    "REVENUE",
    "RUN",
    "SESSION",
    "SIMULATION",
    "USER",
    "WRITER",
    "Column",
    "combined",
    "counters",
    "listed",
    "names",
    "revenue",
    "selected",
    "start_of",
]


@dataclass(frozen=True)
class Column:
    """One column of a mart or of a view.

    Attributes:
        name: The name.
        type: The type in PostgreSQL; empty for a column of a view.
        comment: What the column holds, with its unit.
        value: How the value follows from the rows of one key, as SQL; the column of this name if
            empty.
        merge: How the values of two rows with one key become one: the sum, the least, the greatest,
            or the value of the row that is first or last; empty if the mart has another rule.
        computed: How PostgreSQL computes the value from the other columns when it reads the row, as
            SQL; empty if it is written.
        constraint: The constraint behind the type; empty if the value may be null.
    """

    name: str
    type: str
    comment: str
    value: str = ""
    merge: Literal["", "sum", "least", "greatest", "first", "last"] = ""
    computed: str = ""
    constraint: str = "NOT NULL"


def names(columns: tuple[Column, ...]) -> tuple[str, ...]:
    """Return the names of columns."""
    return tuple(column.name for column in columns)


def listed(names: tuple[str, ...], prefix: str = "") -> str:
    """Return names as a list of SQL, each with a prefix such as ``known.``."""
    return ", ".join(prefix + name for name in names)


def combined(column: Column) -> str:
    """Return the value of a column for all rows of a key, as SQL.

    Args:
        column: A column that merges as a sum, the least or the greatest.
    """
    function = {"sum": "sum", "least": "min", "greatest": "max"}[column.merge]
    cast = f"::{column.type}" if column.merge == "sum" else ""
    return f"{function}({column.name}){cast}"


def selected(columns: tuple[Column, ...]) -> str:
    """Return the columns as a list of a ``SELECT``."""
    return ",\n    ".join(
        f"{column.value} AS {column.name}" if column.value else column.name for column in columns
    )


def start_of(unit: str, moment: str) -> str:
    """Return the start of a timestamp's minute, hour or day in UTC, as SQL.

    The result equals ``date_trunc`` with a time zone, which looks the zone up for each row.
    """
    return f"date_bin('1 {unit}', {moment}, timestamptz '2000-01-01 00:00:00+00')"


def counters(kind: str) -> tuple[Column, ...]:
    """Return a counter for each event name of the contract.

    Args:
        kind: The type of the counters, ``integer`` or ``bigint``.
    """
    return tuple(
        Column(
            f"{name}_events",
            kind,
            f"Events named {name}.",
            f"(count(*) FILTER (WHERE event_name = '{name}'))::{kind}",
            merge="sum",
        )
        for name in EVENT_NAMES
    )


def revenue(comment: str) -> Column:
    """Return the column of the purchases' value.

    Args:
        comment: What the column holds.
    """
    value = "coalesce(sum(value_minor) FILTER (WHERE event_name = 'purchase'), 0)::bigint"
    return Column("revenue_minor", "bigint", f"{comment} Unit: minor units.", value, merge="sum")


COUNTERS = counters("bigint")
REVENUE = revenue("Value of the purchases.")
WRITER = Column(
    "writer",
    "integer",
    "Number of the writer: no two transactions that ran at the same time had the same. Only all"
    " writers' rows of a key together mean something.",
)
SIMULATION = Column(
    "simulation",
    "text",
    "Full name of the simulation: namespace/name, or its name if it has no namespace.",
)
RUN = Column("run_id", "uuid", "The run.")
SESSION = Column("session_id", "uuid", "The session.")
USER = Column("user_id", "text", "The user.")
COUNTRY = Column("country", "text", "The user's country.")
DEVICE = Column("device", "text", "The user's device.")
CHANNEL = Column("channel", "text", "How the user first found the shop.")
DIMENSIONS = (
    SIMULATION,
    Column("country", "text", "The users' country."),
    Column("device", "text", "Their device."),
    Column("channel", "text", "How they first found the shop."),
)
"""What sums over many users are divided by."""
