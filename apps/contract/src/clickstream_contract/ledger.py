"""The ledger: what a generator sent, told beside the data.

Owns the fields of a ledger record. One record per run, shard and minute of event time holds
absolute figures of what the broker has acknowledged, so that a record published twice
changes nothing. A shard's last record (``kind`` = ``shard_end``) says that no event follows; a
run may announce itself with ``run_start``, all figures 0.
It does not know how the ledger is checked.
"""

from __future__ import annotations

from enum import Enum

from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.naming import FULL_NAME_LENGTH
from clickstream_contract.topics import RejectReason

__all__ = ["FAULT_NAMES", "FAULT_REASONS", "LEDGER_FIELDS", "LedgerKind"]


class LedgerKind(Enum):
    """What a ledger record tells."""

    RUN_START = "run_start"
    MINUTE = "minute"
    SHARD_END = "shard_end"


FAULT_NAMES = (
    "duplicate_exact",
    "duplicate_conflicting",
    "late",
    "future",
    "lost",
    "corrupt_not_json",
    "corrupt_truncated",
    "corrupt_bad_encoding",
    "corrupt_nul",
    "corrupt_wrong_type",
    "corrupt_missing_field",
    "corrupt_unknown_value",
    "corrupt_unknown_version",
    "corrupt_oversized",
    "corrupt_no_value",
)
"""Faults that a simulation can plant, as the ledger names them."""

FAULT_REASONS: dict[str, RejectReason] = {
    "future": RejectReason.FUTURE_TIME,
    "corrupt_not_json": RejectReason.NOT_JSON,
    "corrupt_truncated": RejectReason.NOT_JSON,
    "corrupt_bad_encoding": RejectReason.BAD_ENCODING,
    "corrupt_nul": RejectReason.BAD_ENCODING,
    "corrupt_wrong_type": RejectReason.WRONG_TYPE,
    "corrupt_missing_field": RejectReason.MISSING_FIELD,
    "corrupt_unknown_value": RejectReason.UNKNOWN_VALUE,
    "corrupt_unknown_version": RejectReason.UNKNOWN_VERSION,
    "corrupt_oversized": RejectReason.OVERSIZED,
    "corrupt_no_value": RejectReason.NO_VALUE,
}
"""Why the stream must reject the record that each fault makes."""

_COUNT = FieldType.BIGINT

LEDGER_FIELDS: tuple[Field, ...] = (
    Field(
        "kind", FieldType.TEXT, "minute; run_start before a run; shard_end at the end of a shard."
    ),
    Field(
        "simulation",
        FieldType.TEXT,
        "Full name of the simulation: namespace/name, or its name if it has no namespace.",
        max_length=FULL_NAME_LENGTH,
    ),
    Field("run_id", FieldType.UUID, "The run."),
    Field("shard", FieldType.INTEGER, "The shard.", minimum=0),
    Field("shards", FieldType.INTEGER, "How many shards the simulation has.", minimum=1),
    Field("minute", FieldType.TIMESTAMP, "Minute of event time, its start."),
    Field("events", _COUNT, "Events acknowledged in this minute.", minimum=0),
    *(Field(f"{name}_events", _COUNT, f"Of these, {name}.", minimum=0) for name in EVENT_NAMES),
    Field("revenue_minor", _COUNT, "Value of the purchases.", unit="cents", minimum=0),
    Field(
        "content_checksum",
        _COUNT,
        "Sum of these events' checksums, which cover every field but sent_at.",
        minimum=0,
    ),
    Field("sessions_begun", _COUNT, "Sessions with their first event here.", minimum=0),
    Field("sessions_ended", _COUNT, "Sessions with their last event here.", minimum=0),
    *(
        Field(f"{name}_faults", _COUNT, f"Faults planted here: {name}.", minimum=0)
        for name in FAULT_NAMES
    ),
    Field("shard_seq", _COUNT, "Number of the shard's last event so far.", minimum=0),
    Field(
        "records_sent",
        _COUNT,
        "Kafka records handed to the client so far, faults included.",
        minimum=0,
    ),
    Field("records_acknowledged", _COUNT, "Of these, acknowledged by the broker.", minimum=0),
    Field("sessions_open", _COUNT, "Sessions under way after it.", minimum=0),
    Field(
        "target_milli_per_second",
        _COUNT,
        "Rate wanted of this shard.",
        minimum=0,
        unit="events per 1000 s",
    ),
)
