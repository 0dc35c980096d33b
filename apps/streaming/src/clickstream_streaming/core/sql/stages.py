"""The staging tables of a transaction, and the columns that a batch writes.

All rows of a partition follow from ``new_events``, the events that ``raw.events`` did not have, so
a duplicate changes nothing.
"""

from __future__ import annotations

import re

from clickstream_contract.derive import postgres_columns
from clickstream_contract.events import EVENT_FIELDS

from clickstream_streaming.core.sql.columns import listed, names
from clickstream_streaming.core.sql.marts import SESSION_MARTS
from clickstream_streaming.core.sql.session_marts import DIM_USER, SESSIONS

__all__ = [
    "CLEAR_STAGES",
    "COLUMN_TYPES",
    "CREATE_STAGES",
    "DELETE_KNOWN",
    "FIND_KNOWN",
    "NEW_EVENT_COLUMNS",
    "RAW_COLUMNS",
    "REJECT_COLUMNS",
    "SESSION_DELTA_COLUMNS",
    "SHOWN",
]

_NOT_STAGED = {
    "sent_at", "schema_version", "shard_seq", "user_agent", "search_term", "quantity",
    "shipping_tier", "payment_type",
}  # fmt: skip
_TYPES = {column.name: column.type for column in postgres_columns(EVENT_FIELDS)}

RAW_COLUMNS = (*_TYPES, "flags", "kafka_partition", "kafka_offset")
"""The columns of ``raw.events``."""
NEW_EVENT_COLUMNS = (*(name for name in _TYPES if name not in _NOT_STAGED), "flags", "number")
"""The columns of an event that the marts need, and its number in the batch."""
REJECT_COLUMNS = (
    "topic", "kafka_partition", "kafka_offset", "kafka_timestamp", "reason", "detail", "key",
    "key_bytes", "payload", "payload_bytes",
)  # fmt: skip
"""The columns of a rejected record."""
COLUMN_TYPES = _TYPES | {
    "flags": "text",
    "number": "integer",
    "kafka_partition": "integer",
    "kafka_offset": "bigint",
    "topic": "text",
    "kafka_timestamp": "timestamp with time zone",
    "reason": "text",
    "detail": "text",
    "key": "bytea",
    "key_bytes": "integer",
    "payload": "bytea",
    "payload_bytes": "integer",
    "ledger": "jsonb",
}
"""The types of all columns that a batch writes."""

_READ_OF_SESSIONS = re.findall(r"\w+", " ".join(mart.select for mart in (DIM_USER, *SESSION_MARTS)))
SESSION_DELTA_COLUMNS = (
    *SESSIONS.key,
    *(name for name in names(SESSIONS.fields) if name in _READ_OF_SESSIONS),
)
"""What the marts that follow from sessions read of a session."""
SHOWN = tuple(name for name in DIM_USER.values if name != "first_seen_at")
"""What a user's first session shows of the user."""


def _columns(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {COLUMN_TYPES[name]}" for name in names)


CREATE_STAGES = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS new_events
    ({_columns(NEW_EVENT_COLUMNS)}) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS user_deltas ON COMMIT DELETE ROWS AS
    SELECT {listed((*DIM_USER.key, *SHOWN))}, started_at, true AS leaves
    FROM mart.sessions WITH NO DATA;
CREATE TEMPORARY TABLE IF NOT EXISTS order_deltas (
    order_id uuid, simulation text, items jsonb, weight integer
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS traffic_minutes
    (LIKE mart.traffic_minute) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_rejects
    ({_columns(REJECT_COLUMNS)}) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_ledger (ledger jsonb) ON COMMIT DELETE ROWS;
"""

CLEAR_STAGES = (
    "TRUNCATE new_events, user_deltas, order_deltas, traffic_minutes, staged_rejects, staged_ledger"
)
"""Runs between two portions of a transaction."""

# LATERAL with a limit makes one index look-up per event; a plain join could read a whole day.
FIND_KNOWN = """
SELECT number FROM new_events, LATERAL (
    SELECT FROM raw.events AS stored
    WHERE stored.event_id = new_events.event_id AND stored.event_time = new_events.event_time
    LIMIT 1
) AS known
"""
"""Returns the numbers of the events that are already stored."""
DELETE_KNOWN = "DELETE FROM new_events WHERE number = ANY(%s)"
