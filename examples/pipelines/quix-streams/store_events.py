# /// script
# requires-python = ">=3.11"
# dependencies = ["quixstreams[postgresql]==3.28.1"]
# ///
"""Stores events from Kafka in PostgreSQL with Quix Streams and its sink.

Quix Streams commits offsets once per second, after the sink's transaction: at least once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from quixstreams import Application
from quixstreams.sinks.community.postgresql import PostgreSQLSink

COLUMNS = (
    "event_id", "event_time", "session_id", "user_id", "event_name", "country", "city", "campaign",
    "product_id", "value_minor",
)  # fmt: skip


def row(event: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of an event; what it does not have is NULL."""
    return {name: event.get(name) for name in COLUMNS}


def main() -> None:
    """Store events until SIGTERM."""
    application = Application(
        broker_address=os.environ["KAFKA_SERVERS"],
        consumer_group=os.environ["KAFKA_GROUP"],
        auto_offset_reset="earliest",
        # So that a restart need not wait for the dead member.
        consumer_extra_config={"group.instance.id": "one"},
        commit_interval=1.0,
    )
    sink = PostgreSQLSink(
        host=os.environ["PGHOST"],
        port=int(os.environ["PGPORT"]),
        dbname=os.environ["PGDATABASE"],
        user=os.environ["PGUSER"],
        password=Path(os.environ["PGPASSWORD_FILE"]).read_text(encoding="utf-8"),
        table_name="events",
        include_metadata=False,
    )
    events = application.dataframe(application.topic(os.environ["KAFKA_TOPIC"]))
    events.apply(row).sink(sink)
    application.run()


if __name__ == "__main__":
    main()
