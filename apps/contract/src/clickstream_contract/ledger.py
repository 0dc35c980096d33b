"""The ledger: what a generator has sent, published beside the events.

Owns the fields of a ledger entry. One entry per run, shard and minute of event time holds absolute
figures of acknowledged records, so that a repeated entry changes nothing. A shard's last entry
(``kind`` = ``shard_end``) marks its end. A run may begin with an entry ``run_start``. The entries
``revision`` have the run record, one revision in each. Both kinds have all figures 0.
"""

from __future__ import annotations

from enum import Enum

from clickstream_contract.events import (
    EVENT_NAMES,
    HIGHEST_COUNT,
    MAX_EVENT_BYTES,
    MAX_SHARDS,
)
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.naming import FULL_NAME, FULL_NAME_LENGTH
from clickstream_contract.topics import RejectReason

__all__ = [
    "FAULT_NAMES",
    "FAULT_REASONS",
    "GROWING_FIGURES",
    "LEDGER_COLUMNS",
    "LEDGER_FIELDS",
    "MOST_REVISIONS",
    "LedgerKind",
]


class LedgerKind(Enum):
    """The kinds of ledger entries."""

    RUN_START = "run_start"
    REVISION = "revision"
    MINUTE = "minute"
    SHARD_END = "shard_end"


MOST_REVISIONS = 1_000
"""Most revisions in a run record: a worker that sheds makes about one each second. A record of
workers with one more says that there were others."""

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
"""The faults that a simulation can plant, by their names in the ledger."""

GROWING_FIGURES = ("events", *(f"{name}_faults" for name in FAULT_NAMES))
"""The figures of a minute that only grow; of two entries, the one with the larger sum counts.

Two workers can publish entries for one minute, and the worker that lost the shard may publish last.
``records_acknowledged`` decides only between equal entries, because it counts all minutes."""

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
"""The reason with which the stream must reject the record of each fault."""


def _count(name: str, doc: str, unit: str = "") -> Field:
    return Field(name, FieldType.BIGINT, doc, minimum=0, maximum=HIGHEST_COUNT, unit=unit)


LEDGER_FIELDS: tuple[Field, ...] = (
    Field(
        "kind",
        FieldType.TEXT,
        "minute; run_start before a run; revision with the run record; shard_end at a shard's end.",
        values=tuple(kind.value for kind in LedgerKind),
    ),
    Field(
        "simulation",
        FieldType.TEXT,
        "Full name of the simulation: namespace/name, or its name if it has no namespace.",
        max_length=FULL_NAME_LENGTH,
        pattern=FULL_NAME,
    ),
    Field("run_id", FieldType.UUID, "The run."),
    Field("shard", FieldType.INTEGER, "The shard.", minimum=0, maximum=MAX_SHARDS - 1),
    Field(
        "shards",
        FieldType.INTEGER,
        "How many shards the simulation has.",
        minimum=1,
        maximum=MAX_SHARDS,
    ),
    Field("minute", FieldType.TIMESTAMP, "Minute of event time, its start."),
    _count("events", "Events acknowledged in this minute."),
    *(_count(f"{name}_events", f"Of these, {name}.") for name in EVENT_NAMES),
    Field(
        "revenue_minor", FieldType.BIGINT, "Value of the purchases.", unit="minor units", minimum=0
    ),
    Field(
        "content_checksum",
        FieldType.BIGINT,
        "Sum of these events' checksums, which cover every field but sent_at.",
        minimum=0,
    ),
    _count("sessions_begun", "Sessions with their first event here."),
    _count("sessions_ended", "Sessions with their last event here."),
    *(_count(f"{name}_faults", f"Faults planted here: {name}.") for name in FAULT_NAMES),
    _count("shard_seq", "Number of the shard's last event so far."),
    _count("records_sent", "Kafka records handed to the client so far, faults included."),
    _count("records_acknowledged", "Of these, acknowledged by the broker."),
    _count("sessions_open", "Sessions under way after it."),
    _count("target_milli_per_second", "Rate wanted of this shard.", unit="events per 1000 s"),
    Field(
        "run_record",
        FieldType.TEXT,
        "Only in a revision: the run record as JSON, with this revision or, at the start, none.",
        required=False,
        max_length=MAX_EVENT_BYTES,
    ),
)

LEDGER_COLUMNS = tuple(row for row in LEDGER_FIELDS if row.name not in {"kind", "run_record"})
"""The fields of a minute's entry in ``ops.ledger``."""
