"""Ways in which Kafka's log becomes another one than the one that was read.

Owns how a topic is created again and how a broker loses the end of its logs; both keep at least as
many records as before, so that offsets alone cannot show it.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from clickstream_contract.topics import EVENTS
from clickstream_local.kafka import create_topics
from confluent_kafka.admin import AdminClient
from pipeline import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline import Pipeline

__all__ = ["keep_logs", "put_back_logs", "read_from_the_beginning", "remake_topic"]


def remake_topic(pipeline: Pipeline) -> None:
    """Delete the events' topic and create it again, empty."""
    servers = pipeline.kafka.bootstrap_servers
    admin = AdminClient({"bootstrap.servers": servers})
    for deleted in admin.delete_topics([EVENTS.name]).values():
        deleted.result(20)
    wait_until(lambda: EVENTS.name not in admin.list_topics(timeout=5).topics, "it is deleted")
    create_topics(servers)


def read_from_the_beginning(pipeline: Pipeline) -> None:
    """Do what the refusal advises: remove the checkpoint, and empty ``ops.batches``."""
    shutil.rmtree(pipeline.state.folder("checkpoints") / "events")
    pipeline.change("DELETE FROM ops.batches")


def keep_logs(pipeline: Pipeline, folder: Path) -> None:
    """Copy the logs of the events' topic, as a broker that falls behind has them."""
    pipeline.kill_kafka()
    for log in _logs(pipeline):
        shutil.copytree(log, folder / log.name)
    pipeline.restart_kafka()


def put_back_logs(pipeline: Pipeline, folder: Path) -> None:
    """Let the broker lead with the logs that were kept: what came later is lost."""
    pipeline.kill_kafka()
    for log in _logs(pipeline):
        shutil.rmtree(log)
        shutil.copytree(folder / log.name, log)
    pipeline.restart_kafka()


def _logs(pipeline: Pipeline) -> Iterator[Path]:
    yield from sorted((pipeline.state.folder("kafka") / "data").glob(f"{EVENTS.name}-*"))
