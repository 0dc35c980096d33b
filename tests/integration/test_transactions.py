"""Transactions of other producers, on the real Kafka, Spark and PostgreSQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from clickstream_contract.topics import EVENTS
from clickstream_streaming.core.sample import sample_event
from confluent_kafka import Producer

if TYPE_CHECKING:
    from uuid import UUID

    from pipeline import Pipeline

pytestmark = pytest.mark.services

_SKIPPED = "SELECT sum(skipped_offsets) FROM ops.batches WHERE topic = %s"
_STORED = "SELECT count(*) FROM raw.events WHERE run_id = %s"


def _events(run_id: str, first: int, count: int) -> list[bytes]:
    """Return events of a run that no ledger knows, each in a different session."""
    return [
        json.dumps(
            sample_event("view_item")
            | {
                "run_id": run_id,
                "event_id": str(uuid4()),
                "session_id": str(uuid4()),
                "shard_seq": number,
            }
        ).encode()
        for number in range(first, first + count)
    ]


def _transaction(producer: Producer, values: list[bytes], partition: int, *, commits: bool) -> None:
    producer.begin_transaction()
    for value in values:
        producer.produce(EVENTS.name, value, partition=partition)
    producer.flush(20)
    (producer.commit_transaction if commits else producer.abort_transaction)(20)


def test_aborted_records_are_not_stored(pipeline: Pipeline, stored_run: UUID) -> None:
    """Only committed records become events and rejects; offsets of the others are accounted for."""
    run_id = str(uuid4())
    before = pipeline.count(_SKIPPED, EVENTS.name)
    rejects = pipeline.count("SELECT count(*) FROM ops.rejected_events")
    producer = Producer(
        {"bootstrap.servers": pipeline.kafka.bootstrap_servers, "transactional.id": run_id}
    )
    producer.init_transactions(30)

    _transaction(producer, _events(run_id, 1, 3), 0, commits=False)
    _transaction(producer, [*_events(run_id, 1, 2), b"{"], 0, commits=True)
    _transaction(producer, [*_events(run_id, 3, 4), b"{"], 1, commits=False)  # nothing follows
    pipeline.drain(stored_run)

    try:
        assert pipeline.count(_STORED, run_id) == 2
        assert pipeline.count("SELECT count(*) FROM ops.rejected_events") == rejects + 1
        # Three and five aborted records, and a marker at the end of each transaction.
        assert pipeline.count(_SKIPPED, EVENTS.name) - before == 3 + 5 + 3
    finally:
        pipeline.forget(run_id)
    report = pipeline.verify()
    assert report.is_clean(), report.examples
    assert report.skipped_offsets >= 11
