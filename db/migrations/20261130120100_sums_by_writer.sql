-- The rows of before are those of writer 0.
DO $$
DECLARE
    relation text;
    table_name text;
    known record;
BEGIN
    FOREACH relation IN ARRAY ARRAY[
        'mart.traffic_minute',
        'mart.traffic_hour',
        'mart.traffic_day',
        'mart.product_hour',
        'mart.product_pairs',
        'mart.sessions_hour',
        'mart.pages_day',
        'mart.visitors_hour',
        'mart.dim_product_versions',
        'ops.latency_buckets',
        'ops.quality_minute'
    ] LOOP
        table_name := split_part(relation, '.', 2);
        EXECUTE format('ALTER TABLE %s RENAME TO %I', relation, table_name || '_by_writer');
        relation := relation || '_by_writer';
        FOR known IN
            SELECT conname, contype, pg_get_constraintdef(oid) AS definition FROM pg_constraint
            WHERE conrelid = relation::regclass AND contype IN ('n', 'p')
        LOOP
            IF known.contype = 'p' THEN
                EXECUTE format(
                    'ALTER TABLE %s DROP CONSTRAINT %I, ADD COLUMN writer integer NOT NULL DEFAULT 0,'
                    ' ADD %s',
                    relation, known.conname, replace(known.definition, ')', ', writer)')
                );
                EXECUTE format('ALTER TABLE %s ALTER COLUMN writer DROP DEFAULT', relation);
            ELSE
                EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', relation, known.conname,
                    replace(known.conname, table_name || '_', table_name || '_by_writer_'));
            END IF;
        END LOOP;
        EXECUTE format('COMMENT ON TABLE %s IS %L', relation,
            replace(relation, '_by_writer', ' by writer.'));
        EXECUTE format('COMMENT ON COLUMN %s.writer IS %L', relation,
            'Number of the writer: no two transactions that ran at the same time had the same.'
            ' Only all writers'' rows of a key together mean something.');
    END LOOP;
END
$$;
