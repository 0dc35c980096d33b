"""Rejects: listed, corrected and sent again.

Owns the format in which rejects are listed and read, one JSON object per line. A record is sent
again with its key to its topic; the stream validates it again.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_contract.quality import KEPT_BYTES
from clickstream_contract.topics import EVENTS, LEDGER, RejectReason
from confluent_kafka import Producer

from clickstream_local.errors import RejectUnknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg2.extensions import connection as Connection

__all__ = ["Reject", "list_rejects", "mended_from", "replay"]

_FLUSH_SECONDS = 30
_CLIENT = {"acks": "all", "partitioner": "murmur2_random", "message.max.bytes": 2_097_152}
_NOTE_REPLAY = """
UPDATE ops.rejected_events SET replayed_at = clock_timestamp()
WHERE (topic, kafka_partition, kafka_offset, kafka_timestamp) = (
    SELECT topic, kafka_partition, kafka_offset, kafka_timestamp FROM ops.rejected_events
    WHERE topic = %s AND kafka_partition = %s AND kafka_offset = %s AND replayed_at IS NULL
    ORDER BY kafka_timestamp DESC LIMIT 1
)
RETURNING key, octet_length(payload) < payload_bytes OR octet_length(key) < key_bytes
"""
"""Chooses the latest reject: a recreated topic has other records at the same offsets."""


@dataclass(frozen=True)
class Reject:
    """A rejected record, with its position in Kafka."""

    topic: str
    partition: int
    offset: int
    rule: str
    arrived_at: str
    payload: bytes | None
    payload_bytes: int | None = None
    """Length of the payload, if only its first bytes are kept."""

    def to_json(self) -> dict[str, Any]:
        """Return the reject as JSON values; bytes that are not UTF-8 as base64."""
        shown: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("topic", "partition", "offset", "rule", "arrived_at")
        }
        if self.payload_bytes is not None:
            shown["payload_bytes"] = self.payload_bytes
        try:
            text = None if self.payload is None else self.payload.decode()
        except UnicodeDecodeError:
            return shown | {"payload_base64": b64encode(self.payload or b"").decode()}
        return shown | {"payload": text}


def list_rejects(connection: Connection, reason: str | None, limit: int) -> list[Reject]:
    """Return rejects that can be sent again and were not, the latest first."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT topic, kafka_partition, kafka_offset, rule,"
            " to_char(kafka_timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
            " payload, nullif(payload_bytes, octet_length(payload))"
            " FROM ops.rejected_events WHERE replayed_at IS NULL"
            # The payloads of old rejects are removed.
            " AND (payload IS NOT NULL OR reason = %(without_value)s)"
            " AND (%(reason)s IS NULL OR reason = %(reason)s)"
            " ORDER BY kafka_timestamp DESC, kafka_partition, kafka_offset DESC LIMIT %(limit)s",
            {
                "reason": reason,
                "limit": limit,
                "without_value": RejectReason.NO_VALUE.value,
            },
        )
        return [
            Reject(topic, partition, offset, rule, at, _bytes(payload), size)
            for topic, partition, offset, rule, at, payload, size in cursor.fetchall()
        ]


def mended_from(lines: Iterable[str]) -> list[Reject]:
    """Return rejects in the format of :meth:`Reject.to_json`, one per line.

    Raises:
        RejectUnknown: A line has another format.
    """
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, coded = row.get("payload"), row.get("payload_base64")
            payload: bytes | None = None if text is None else text.encode()
            if coded:
                payload = b64decode(coded, validate=True)
            at = (str(row["topic"]), int(row["partition"]), int(row["offset"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RejectUnknown(f"line {number}", f"cannot be read: {error!r}") from None
        found.append(Reject(*at, "", "", payload))
    return found


def replay(connection: Connection, bootstrap_servers: str, rejects: list[Reject]) -> int:
    """Send rejects again, record that, and return their number.

    Raises:
        RejectUnknown: A record is not among the rejects, was sent again before, or is kept only
            in part.
    """
    producer = Producer({"bootstrap.servers": bootstrap_servers, **_CLIENT})
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL clickstream.seals = 'on'")
        for row in rejects:
            where = f"{row.topic}/{row.partition}@{row.offset}"
            cursor.execute(_NOTE_REPLAY, (row.topic, row.partition, row.offset))
            known = cursor.fetchone()
            if known is None or row.topic not in {EVENTS.name, LEDGER.name}:
                raise RejectUnknown(where, "is not among the rejects, or was sent again before")
            if known[1]:
                raise RejectUnknown(
                    where,
                    f"is longer than any event, so only its first {KEPT_BYTES} bytes are kept;"
                    " take it from Kafka",
                )
            producer.produce(row.topic, value=row.payload, key=_bytes(known[0]))
        # Record it only if Kafka has all of them; the stream recognises duplicates by their ids.
        left = producer.flush(_FLUSH_SECONDS)
        if left:
            raise RejectUnknown(f"{left} records", "were not acknowledged by Kafka; try again")
    return len(rejects)


def _bytes(value: memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)
