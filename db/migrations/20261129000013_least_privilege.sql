-- migrate:up
-- The writer may change the tables that the stream fills, and no other. A simple view is as good as its table: who may
-- update mart.ga4_events changes raw.events.
ALTER DEFAULT PRIVILEGES IN SCHEMA ops, mart
    REVOKE INSERT, UPDATE ON TABLES FROM clickstream_writer;
REVOKE INSERT, UPDATE ON ALL TABLES IN SCHEMA ops, mart FROM clickstream_writer;
GRANT INSERT ON mart.fact_order_items, mart.fact_orders, ops.rejected_events
TO clickstream_writer;
GRANT INSERT, UPDATE ON
    mart.dim_product_versions, mart.dim_user, mart.pages_day, mart.product_hour,
    mart.product_pairs, mart.sessions_hour, mart.traffic_day, mart.traffic_hour,
    mart.traffic_minute, mart.user_day, mart.visitors_hour, mart.visits,
    ops.batches, ops.latency_buckets, ops.ledger, ops.quality_minute, ops.quality_rules,
    ops.runs, ops.shards
TO clickstream_writer;

-- The verification judges what the stream wrote: it may not change it. Its login is also a member of clickstream_reader.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clickstream_verifier') THEN
        CREATE ROLE clickstream_verifier NOLOGIN;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA ops TO clickstream_verifier;
GRANT INSERT ON ops.verifications TO clickstream_verifier;

-- migrate:down
REVOKE INSERT ON ops.verifications FROM clickstream_verifier;
REVOKE USAGE ON SCHEMA ops FROM clickstream_verifier;
GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA ops, mart TO clickstream_writer;
ALTER DEFAULT PRIVILEGES IN SCHEMA ops, mart
    GRANT INSERT, UPDATE ON TABLES TO clickstream_writer;
