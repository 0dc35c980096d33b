"""A stand-in for Kafka's own ``kafka-topics.sh``, which the laptop's jars lack.

It knows the words that ``compose/topics.sh`` uses, and no others.
"""

from __future__ import annotations

import argparse
import sys

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

_SECONDS = 20.0


def main(arguments: list[str]) -> None:
    """Create a topic that is not there."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--create", action="store_true", required=True)
    parser.add_argument("--if-not-exists", action="store_true", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--partitions", required=True, type=int)
    parser.add_argument("--replication-factor", required=True, type=int)
    parser.add_argument("--config", action="append", default=[])
    asked = parser.parse_args(arguments)
    admin = AdminClient({"bootstrap.servers": asked.bootstrap_server})
    if asked.topic in admin.list_topics(timeout=_SECONDS).topics:
        return
    settings = dict(one.split("=", 1) for one in asked.config)
    topic = NewTopic(asked.topic, asked.partitions, asked.replication_factor, config=settings)
    for made in admin.create_topics([topic], operation_timeout=_SECONDS).values():
        made.result(_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
