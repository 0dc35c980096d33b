CREATE OR REPLACE FUNCTION ops.seal_days(first timestamptz, before timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO ops.seals (relation, since, until, columns, rows, checksum)
    SELECT part.name, first, before, part.columns, sealed.rows, sealed.checksum
    FROM (
        SELECT tables.name, array_agg(attname::text ORDER BY attnum) AS columns
        FROM unnest(ARRAY[
            'mart.traffic_minute', 'mart.traffic_hour', 'mart.traffic_day', 'mart.product_hour',
            'mart.fact_orders', 'mart.fact_order_items', 'mart.sessions', 'mart.user_day',
            'mart.sessionization_day', 'mart.dim_product_versions', 'ops.quality_minute',
            'ops.ledger'
        ]) AS tables (name)
        INNER JOIN pg_attribute ON attrelid = tables.name::regclass AND attnum > 0
            AND NOT attisdropped
        -- These columns change later: a product is seen again, and a generator that resumes sends
        -- old minutes again, with its current totals beside them.
        WHERE (tables.name, attname) NOT IN (
            ('mart.dim_product_versions', 'last_seen_at'), ('ops.ledger', 'shard_seq'),
            ('ops.ledger', 'records_sent'), ('ops.ledger', 'records_acknowledged'),
            ('ops.ledger', 'sessions_open'), ('ops.ledger', 'target_milli_per_second'),
            ('ops.ledger', 'read_at'), ('ops.ledger', 'seal')
        )
        GROUP BY tables.name
    ) AS part, LATERAL ops.sealed_rows(part.name, part.columns, first, before) AS sealed
    WHERE first < before
$$;
COMMENT ON FUNCTION ops.seal_days IS
    'Seals the rows of tables for days that retention drops.';
