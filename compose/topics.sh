#!/bin/bash
# Creates missing topics, with the settings of the contract.
set -euo pipefail

topic() { # NAME PARTITIONS SETTING...
  local name=$1 partitions=$2 settings=()
  shift 2
  for setting; do settings+=(--config "$setting"); done
  "${KAFKA_HOME:-/opt/kafka}/bin/kafka-topics.sh" --bootstrap-server "$BOOTSTRAP_SERVERS" \
    --create --if-not-exists --topic "$name" --partitions "$partitions" --replication-factor 1 \
    "${settings[@]}"
}

topic clickstream.events.v1 4 max.message.bytes=2097152 retention.ms=604800000 \
  message.timestamp.type=LogAppendTime
# The ledger keeps its records for this time, also if the broker's limit is shorter.
topic clickstream.ledger.v1 1 retention.ms=2592000000 message.timestamp.type=LogAppendTime \
  retention.bytes=-1
topic clickstream.shards.v1 17 cleanup.policy=compact segment.bytes=33554432 \
  min.cleanable.dirty.ratio=0.1
