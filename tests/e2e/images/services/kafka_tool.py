"""What the end-to-end test asks of its broker, beside it: topics made, offsets by time.

kafka_tool.py topics JSON             [[name, partitions, settings], ...]
kafka_tool.py offset TOPIC MILLIS     records that the broker had taken by then
"""

from __future__ import annotations

import json
import sys

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

_SERVERS: dict[str, str | int | float | bool] = {"bootstrap.servers": "127.0.0.1:9094"}
_SECONDS = 30


def _topics(text: str) -> None:
    wanted = [NewTopic(name, count, 1, config=config) for name, count, config in json.loads(text)]
    admin = AdminClient(_SERVERS)
    for future in admin.create_topics(wanted).values():
        future.result(_SECONDS)


def _offset(topic: str, milliseconds: int) -> int:
    consumer = Consumer({**_SERVERS, "group.id": "test"})
    numbers = consumer.list_topics(topic, _SECONDS).topics[topic].partitions
    asked = [TopicPartition(topic, number, milliseconds) for number in numbers]
    total = 0
    for row in consumer.offsets_for_times(asked, _SECONDS):
        # Nothing since then: what it has is what it had.
        end = consumer.get_watermark_offsets(TopicPartition(topic, row.partition), _SECONDS)[1]
        total += row.offset if row.offset >= 0 else end
    consumer.close()
    return total


if __name__ == "__main__":
    if sys.argv[1] == "topics":
        _topics(sys.argv[2])
    else:
        sys.stdout.write(f"{_offset(sys.argv[2], int(sys.argv[3]))}\n")
