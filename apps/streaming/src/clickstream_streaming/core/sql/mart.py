"""What a mart is: its columns, and how its rows follow from events or sessions.

Owns the form of a definition, and which rows retention has left computable. A batch (its source is
the new events), a rebuild and the verification (their source is all of ``raw.events``) use the same
definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from clickstream_streaming.core.sql.columns import WRITER, combined, listed, names, selected

if TYPE_CHECKING:
    from clickstream_streaming.core.sql.columns import Column

__all__ = ["LINE", "Mart", "is_kept", "is_whole", "source_of"]

LINE = "(product_id text, category text, quantity integer, price_minor bigint)"
"""The columns of an order's line that marts read."""


@dataclass(frozen=True)
class Mart:
    """One relation of ``mart``.

    Several writers add to the same keys of a shared mart. Each writer has separate rows, which have
    its number, so no writer waits for another. A view of the mart's name puts the rows together.

    Attributes:
        table: The name of the table; of a shared mart the view.
        comment: What a row is.
        keys: The columns of the primary key.
        fields: The other columns.
        source: Which rows it follows from: events, orders, sessions, or days of visitors.
        time: The time that decides whether a row lies in a range, as SQL over a row ``one``; empty
            if a row follows from events of all times.
        query: The query for the rows; ``{source}`` is replaced by the source relation. If empty,
            the columns' values, grouped by the key.
        is_shared: Whether several writers add to one key; the columns' rules put rows together.
        kept_by: The time that decides whether a row can still be computed after retention has
            dropped days; empty if the row follows from tables that are kept for ever.
    """

    table: str
    comment: str
    keys: tuple[Column, ...]
    fields: tuple[Column, ...]
    source: Literal["events", "orders", "sessions", "user_day"]
    time: str
    query: str = ""
    is_shared: bool = False
    kept_by: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """Return the names of the key's columns."""
        return names(self.keys)

    @property
    def written_table(self) -> str:
        """Return the table that batches and rebuilds write."""
        return f"{self.table}_by_writer" if self.is_shared else self.table

    @property
    def written_key(self) -> tuple[str, ...]:
        """Return the columns of that table's primary key."""
        return (*self.key, WRITER.name) if self.is_shared else self.key

    @property
    def is_sum(self) -> bool:
        """Return whether the values are sums, to which batches add."""
        return self.is_shared and self.values == self.merged("sum")

    @property
    def view(self) -> str:
        """Return the query of a shared mart's view."""
        values = ",\n    ".join(f"{combined(one)} AS {one.name}" for one in self.fields)
        return (
            f"SELECT {listed(self.key)},\n    {values}\n"
            f"FROM {self.written_table}\nGROUP BY {listed(self.key)}"
        )

    @property
    def values(self) -> tuple[str, ...]:
        """Return the names of the other columns that are written."""
        return names(self._written)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of key and values."""
        return self.key + self.values

    @property
    def select(self) -> str:
        """Return the query for the rows, with the blank ``{source}``."""
        if self.query:
            return self.query
        places = ", ".join(str(place) for place, _ in enumerate(self.keys, start=1))
        columns = selected(self.keys + self._written)
        return f"\nSELECT {columns}\nFROM {{source}} GROUP BY {places}\n"

    def merged(self, *rules: str) -> tuple[str, ...]:
        """Return the names of the columns that merge by one of the rules."""
        return tuple(column.name for column in self.fields if column.merge in rules)

    @property
    def _written(self) -> tuple[Column, ...]:
        return tuple(column for column in self.fields if not column.computed)


_KEPT_SINCE = "(SELECT max_event_time FROM ops.progress WHERE query = 'retention')"


def is_kept(moment: str) -> str:
    """Return whether the events of a time are still stored, as SQL.

    Retention drops the table of a day as a whole.
    """
    return f"coalesce({moment} >= {_KEPT_SINCE}, true)"


def is_whole(mart: Mart) -> str:
    """Return whether a computed row ``one`` follows from all of its events, as SQL.

    Of a row that began before the first kept day, only a part of the events is left. The stored row
    of the mart shows when it began.
    """
    if not mart.kept_by:
        return "true"
    key, kept = ", ".join(mart.key), is_kept(mart.kept_by)
    return f"{kept} AND ({key}) NOT IN (SELECT {key} FROM {mart.table} AS one WHERE NOT {kept})"


_SOLD = """(
    SELECT bought.simulation, jsonb_agg(to_jsonb(line)) AS items, 1 AS weight
    FROM mart.fact_orders AS bought INNER JOIN mart.fact_order_items AS line USING (order_id)
    GROUP BY bought.order_id
)"""


def source_of(mart: Mart, events: str = "raw.events") -> str:
    """Return the relation from which a whole mart follows.

    Args:
        mart: The mart.
        events: The relation of the events, for a mart that follows from events.
    """
    return {
        "events": events,
        "orders": _SOLD,
        "sessions": "(SELECT *, 1 AS weight FROM mart.sessions)",
        "user_day": "mart.user_day",
    }[mart.source]
