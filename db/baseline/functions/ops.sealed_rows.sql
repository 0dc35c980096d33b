-- Not SECURITY DEFINER: its callers may read every table that it reads.
CREATE OR REPLACE FUNCTION ops.sealed_rows(
    relation text, columns text[], since timestamptz, until timestamptz,
    OUT rows bigint, OUT checksum numeric
)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
    moment text := CASE relation
        WHEN 'mart.traffic_minute' THEN 'minute'
        WHEN 'mart.traffic_hour' THEN 'hour'
        WHEN 'mart.traffic_day' THEN 'day'
        WHEN 'mart.product_hour' THEN 'hour'
        WHEN 'mart.fact_orders' THEN 'ordered_at'
        WHEN 'mart.fact_order_items' THEN '(SELECT bought.ordered_at FROM mart.fact_orders AS bought'
            ' WHERE bought.order_id = one.order_id)'
        WHEN 'mart.sessions' THEN 'last_event_at'
        WHEN 'mart.user_day' THEN 'day::timestamp'
        -- Sessions that began on a dropped day may have events on the first day that is kept.
        WHEN 'mart.sessionization_day' THEN '(day - 1)::timestamp'
        WHEN 'mart.dim_product_versions' THEN 'first_seen_at'
        WHEN 'ops.quality_minute' THEN 'minute'
        WHEN 'ops.ledger' THEN 'minute'
    END;
    -- Retention of events does not delete rejects, so only the counts of flags are sealed.
    which text := CASE relation
        WHEN 'ops.quality_minute' THEN 'rule IN (SELECT known.rule FROM ops.quality_rules AS known'
            ' WHERE known.severity = ''flag'')'
        ELSE 'true'
    END;
BEGIN
    -- For an unknown table or column the result is NULL, which equals no seal.
    IF moment IS NULL OR EXISTS (
        SELECT FROM unnest(columns) AS wanted WHERE NOT EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = relation::regclass AND attname = wanted
        )
    ) THEN
        RETURN;
    END IF;
    EXECUTE format(
        'SELECT count(*), coalesce(sum(hashtextextended(row(%s)::text, 0)::numeric), 0)'
        ' FROM %s AS one WHERE %s >= $1 AND %s < $2 AND %s',
        (SELECT string_agg(quote_ident(name), ', ') FROM unnest(columns) AS name),
        relation, moment, moment, which
    ) INTO rows, checksum USING since, until;
END
$$;
COMMENT ON FUNCTION ops.sealed_rows IS
    'Returns the number of rows of some days in a table, and the sum of their hashes.';
GRANT EXECUTE ON FUNCTION ops.sealed_rows TO clickstream_writer, clickstream_reader;
