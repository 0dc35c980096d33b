CREATE OR REPLACE FUNCTION ops.arrival_of(
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
COMMENT ON FUNCTION ops.arrival_of IS
    'Returns what an event adds to its shard''s arrivals_checksum; the stream computes the same number.';
GRANT EXECUTE ON FUNCTION ops.arrival_of TO PUBLIC;
