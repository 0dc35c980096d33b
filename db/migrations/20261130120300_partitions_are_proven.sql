-- The checksum of arrivals covers the partition: it is computed again from all stored events.
DROP FUNCTION ops.arrival_of(bigint, timestamptz, timestamptz, bigint);
CREATE FUNCTION ops.arrival_of(
    shard_seq bigint, sent_at timestamptz, ingested_at timestamptz, kafka_partition integer,
    kafka_offset bigint
) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    (
        (timestamptz_send(sent_at)::bigint & 2147483647)
        + 3 * (timestamptz_send(ingested_at)::bigint & 2147483647)
        + 65537 * (kafka_offset & 2147483647)
        + 16777259 * kafka_partition::bigint
    ) & 2147483647
) * (2 * (shard_seq & 1073741823) + 1) & 4294967295;

SET LOCAL clickstream.seals = 'on';
UPDATE ops.shard_states AS known SET arrivals_checksum = arrived.checksum - coalesce((
    SELECT sum(counted.arrivals_checksum)::bigint FROM ops.shard_events_by_writer AS counted
    WHERE counted.run_id = known.run_id AND counted.shard = known.shard
), 0)
FROM (
    SELECT run_id, shard,
        sum(ops.arrival_of(shard_seq, sent_at, ingested_at, kafka_partition, kafka_offset))::bigint
            AS checksum
    FROM raw.events GROUP BY run_id, shard
) AS arrived
WHERE known.run_id = arrived.run_id AND known.shard = arrived.shard;
