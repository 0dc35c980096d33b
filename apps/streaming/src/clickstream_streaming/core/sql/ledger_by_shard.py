"""The totals of the ledger by shard, so that live queries need not read the whole ledger.

Owns their columns, how stored ledger entries change them, how they follow from the ledger, and
their check. Only transactions of the ledger's topic write them, and a shard's entries are in one
partition of it, so no two writers share a row.
"""

from __future__ import annotations

from clickstream_contract.ledger import GROWING_FIGURES

from clickstream_streaming.core.sql.check import Check, differing
from clickstream_streaming.core.sql.columns import Column, combined, listed, names

__all__ = ["ADD_ENTRIES", "CHANGES", "COLUMNS", "LEDGER_BY_SHARD", "REPLACE_TOTALS", "WRONG_TOTALS"]

_KEYS = (
    Column("run_id", "uuid", "The run."),
    Column("shard", "integer", "The shard."),
)
_SUMS = (
    Column("events", "bigint", "Events acknowledged.", merge="sum"),
    Column("purchase_events", "bigint", "Of these, purchase.", merge="sum"),
    # One entry may claim any value, so a sum of 64 bits could overflow and stop the stream.
    Column("revenue_minor", "numeric", "Value of the purchases. Unit: minor units.", merge="sum"),
    *(
        Column(name, "bigint", f"Faults planted: {name.removesuffix('_faults')}.", merge="sum")
        for name in GROWING_FIGURES
        if name != "events"
    ),
)
_FIELDS = (
    Column(
        "simulation",
        "text",
        "Full name of the simulation: namespace/name, or its name if it has no namespace.",
        merge="least",
    ),
    Column("shard_seq", "bigint", "Number of the shard's last event so far.", merge="greatest"),
    Column("minute", "timestamptz", "Last minute of event time, its start.", merge="greatest"),
    *_SUMS,
)
COLUMNS = (*_KEYS, *_FIELDS)
"""The columns of ``ops.ledger_by_shard``."""
_KEY, _VALUES = names(_KEYS), names(_FIELDS)
_TOTALS = ", ".join(f"{combined(column)} AS {column.name}" for column in _FIELDS)

CHANGES = ", ".join(
    (
        listed((*_KEY, "simulation", "minute", "shard_seq"), "new."),
        "old.shard_seq > new.shard_seq AS is_lower",
        *(f"new.{name} - coalesce(old.{name}, 0) AS {name}" for name in names(_SUMS)),
    )
)
"""What ``RETURNING`` gives :data:`ADD_ENTRIES` of each stored entry: what it adds to the sums."""


def _added(column: Column) -> str:
    """Return the new value of a total as SQL."""
    name = column.name
    if column.merge == "sum":
        return f"known.{name} + excluded.{name}"
    return f"{column.merge}({_FORMER.get(name, f'known.{name}')}, excluded.{name})"


# An entry with more events may have a lower number than the one that it replaces, if a worker that
# lost its shard publishes last. Then the other entries of the shard are read, as they were before.
_FORMER = {
    "shard_seq": """CASE
        WHEN (known.run_id, known.shard) NOT IN (
            SELECT run_id, shard FROM stored WHERE is_lower
        ) THEN known.shard_seq
        ELSE (
            SELECT max(entry.shard_seq) FROM ops.ledger AS entry
            WHERE entry.run_id = known.run_id AND entry.shard = known.shard
                AND (entry.run_id, entry.shard, entry.minute) NOT IN (
                    SELECT run_id, shard, minute FROM stored
                )
        ) END"""
}

ADD_ENTRIES = f"""
INSERT INTO ops.ledger_by_shard AS known ({listed((*_KEY, *_VALUES))})
SELECT {listed(_KEY)}, {_TOTALS}
FROM stored GROUP BY {listed(_KEY)} ORDER BY {listed(_KEY)}
ON CONFLICT ({listed(_KEY)}) DO UPDATE SET
    {", ".join(f"{column.name} = {_added(column)}" for column in _FIELDS)}
"""
"""Adds the entries of the common table expression ``stored``; ends the statement with it."""


def _totals(condition: str) -> str:
    """Return the query for the totals of shards by their definition."""
    key = listed(_KEY)
    return f"SELECT {key}, {_TOTALS} FROM ops.ledger WHERE {condition} GROUP BY {key}"


def _different(shown: str) -> str:
    """Return the query for the shards whose totals do not follow from the ledger."""
    return f"""
WITH found AS (
    SELECT {listed((*_KEY, *_VALUES))} FROM ops.ledger_by_shard
), wanted AS ({_totals("true")}){differing(shown, listed(_KEY), listed(_VALUES))}"""


WRONG_TOTALS = _different(listed(_KEY))
"""The runs and shards whose totals are wrong; no batch changes which these are."""

_IS_ASKED = (
    f"({listed(_KEY)}) IN (SELECT * FROM unnest(%(run_ids)s::uuid[], %(shards)s::integer[]))"
)
REPLACE_TOTALS = f"""
LOCK TABLE ops.ledger_by_shard IN EXCLUSIVE MODE;
DELETE FROM ops.ledger_by_shard WHERE {_IS_ASKED};
INSERT INTO ops.ledger_by_shard ({listed((*_KEY, *_VALUES))}) {_totals(_IS_ASKED)}
"""
"""Computes the totals of some shards again; batches of the ledger wait meanwhile."""

LEDGER_BY_SHARD = Check(
    "ops.ledger_by_shard by its definition",
    "aggregate_mismatches",
    _different("format('totals of the ledger of run %%s shard %%s', run_id, shard)"),
)
"""The check that the totals follow from the ledger."""
