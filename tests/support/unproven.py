"""What the verification cannot find, each with its reason: the mutation test allows no other.

Owns the list. A line names a relation, the states of a run in square brackets, and then columns;
``(add)`` and ``(delete)`` are rows.
"""

from __future__ import annotations

import re

__all__ = ["OPEN", "unproven"]

_LINE = re.compile(r"^(\S+) \[([a-z ]*)\]: (.+)$", re.MULTILINE)

OPEN: dict[str, str] = {
    "When it happened, or how long it took, was measured once.": """
raw.events [dropped ended running]: sent_at ingested_at
ops.batches []: committed_at
ops.boards []: computed_at seconds
ops.latency_buckets [dropped ended running]: bucket
ops.ledger [dropped ended running]: read_at
ops.rejected_events []: kafka_timestamp rejected_at replayed_at
ops.runs [dropped ended running]: first_seen_at
ops.runs [dropped ended]: closed_at
""",
    "A run is announced before its first event, and may end before it.": """
ops.runs [running]: (add)
""",
    "Only Kafka knows its leaders; both are empty where it was not asked.": """
ops.batches []: topic_id leader_epoch
""",
    "The watermark's delay is a setting; one that is ahead of the events is found.": """
ops.shards [dropped ended running]: watermark
""",
    "A generator's reading when it last published the minute; only the newest is compared.": """
ops.ledger [dropped running]: shard_seq records_acknowledged
ops.ledger [dropped ended running]: records_sent sessions_open target_milli_per_second
""",
    "A planted loss may have been the last event of a session; a running one may go on.": """
ops.ledger [ended running]: sessions_ended
""",
    "A late event is stored like any other; a loss shows once the shard has ended.": """
ops.ledger [ended running]: late_faults
ops.ledger [running]: lost_faults
""",
    "A batch proves that its records are there, not at which of its offsets.": """
raw.events [dropped ended running]: kafka_offset
""",
    "The bytes of a record that is no event; its batch proves that it is there, not where.": """
ops.rejected_events []: kafka_offset key payload
""",
    "Empty in rows of a stream that did not count them.": """
ops.rejected_events []: key_bytes payload_bytes
""",
    "Null and an empty text both mean the whole record.": """
ops.rejected_events []: detail
""",
    "What earlier verifications found is a history; nothing follows from it.": """
ops.verifications []: (delete) (add) verified_at events_sent events_acknowledged events_stored
ops.verifications []: events_rejected planted_losses lost duplicated phantom aggregate_mismatches
ops.verifications []: session_mismatches illegal_transitions examples altered
""",
}
"""By reason, what is not found."""


def unproven() -> dict[str, tuple[str, str]]:
    """Return the states of a run and the reason, by what is falsified."""
    return {
        f"{relation}{' ' if name.startswith('(') else '.'}{name}": (states, reason)
        for reason, lines in OPEN.items()
        for relation, states, names in _LINE.findall(lines)
        for name in names.split()
    }
