-- migrate:up
-- A column of a simulation holds its full name; the rows of runs that began before keep their name.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT attrelid::regclass AS relation, attname AS name
        FROM pg_attribute
        INNER JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace IN ('raw'::regnamespace, 'ops'::regnamespace, 'mart'::regnamespace)
            AND attname = 'simulation'
            AND col_description(attrelid, attnum) = 'Name of the simulation.'
    LOOP
        EXECUTE format(
            'COMMENT ON COLUMN %s.%I IS %L', found.relation, found.name,
            'Full name of the simulation: namespace/name, or its name if it has no namespace.'
        );
    END LOOP;
END
$$;

-- Users of two simulations may have one id: without the stream they would count as one user.
CREATE OR REPLACE VIEW mart.ga4_events AS
SELECT
    to_char(event_time AT TIME ZONE 'UTC', 'YYYYMMDD') AS event_date,
    (extract(epoch FROM event_time) * 1000000)::bigint AS event_timestamp,
    event_name,
    user_id,
    user_id AS user_pseudo_id,
    jsonb_strip_nulls(jsonb_build_object(
        'ga_session_id', session_id, 'ga_session_number', visit_number,
        'page_location', page, 'page_referrer', referrer, 'search_term', search_term,
        'currency', currency, 'value', value_minor / 100.0, 'transaction_id', order_id,
        'shipping_tier', shipping_tier, 'payment_type', payment_type
    )) AS event_params,
    jsonb_build_object(
        'category', device, 'operating_system', os, 'language', language,
        'web_info', jsonb_build_object('browser', browser)
    ) AS device,
    jsonb_build_object('country', country, 'city', city) AS geo,
    jsonb_strip_nulls(jsonb_build_object('medium', channel, 'name', campaign)) AS traffic_source,
    CASE
        WHEN items IS NOT NULL THEN (
            SELECT jsonb_agg(jsonb_build_object(
                'item_id', line.product_id, 'item_category', line.category,
                'quantity', line.quantity, 'price', line.price_minor / 100.0))
            FROM jsonb_to_recordset(items) AS line
                (product_id text, category text, quantity integer, price_minor bigint)
        )
        WHEN product_id IS NOT NULL THEN jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
            'item_id', product_id, 'item_name', product_name, 'item_brand', brand,
            'item_category', category, 'price', price_minor / 100.0, 'quantity', quantity)))
    END AS items,
    event_time,
    simulation AS stream_id
FROM raw.events;
COMMENT ON COLUMN mart.ga4_events.stream_id
IS 'Full name of the simulation; tells users with one user_id apart.';

-- migrate:down
DROP VIEW mart.ga4_events;
CREATE VIEW mart.ga4_events AS
SELECT
    to_char(event_time AT TIME ZONE 'UTC', 'YYYYMMDD') AS event_date,
    (extract(epoch FROM event_time) * 1000000)::bigint AS event_timestamp,
    event_name,
    user_id,
    user_id AS user_pseudo_id,
    jsonb_strip_nulls(jsonb_build_object(
        'ga_session_id', session_id, 'ga_session_number', visit_number,
        'page_location', page, 'page_referrer', referrer, 'search_term', search_term,
        'currency', currency, 'value', value_minor / 100.0, 'transaction_id', order_id,
        'shipping_tier', shipping_tier, 'payment_type', payment_type
    )) AS event_params,
    jsonb_build_object(
        'category', device, 'operating_system', os, 'language', language,
        'web_info', jsonb_build_object('browser', browser)
    ) AS device,
    jsonb_build_object('country', country, 'city', city) AS geo,
    jsonb_strip_nulls(jsonb_build_object('medium', channel, 'name', campaign)) AS traffic_source,
    CASE
        WHEN items IS NOT NULL THEN (
            SELECT jsonb_agg(jsonb_build_object(
                'item_id', line.product_id, 'item_category', line.category,
                'quantity', line.quantity, 'price', line.price_minor / 100.0))
            FROM jsonb_to_recordset(items) AS line
                (product_id text, category text, quantity integer, price_minor bigint)
        )
        WHEN product_id IS NOT NULL THEN jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
            'item_id', product_id, 'item_name', product_name, 'item_brand', brand,
            'item_category', category, 'price', price_minor / 100.0, 'quantity', quantity)))
    END AS items,
    event_time
FROM raw.events;
COMMENT ON VIEW mart.ga4_events IS 'Events in the terms of Google Analytics 4''s BigQuery export.';
COMMENT ON COLUMN mart.ga4_events.event_date IS 'Day of the event, YYYYMMDD, UTC.';
COMMENT ON COLUMN mart.ga4_events.event_timestamp IS 'Time of the event. Unit: microseconds since 1970.';
COMMENT ON COLUMN mart.ga4_events.event_name IS 'What the visitor did.';
COMMENT ON COLUMN mart.ga4_events.user_id IS 'The visitor.';
COMMENT ON COLUMN mart.ga4_events.user_pseudo_id IS 'The same: there is no other identity.';
COMMENT ON COLUMN mart.ga4_events.event_params IS 'Parameters of the event, by GA4''s names. Money in euros.';
COMMENT ON COLUMN mart.ga4_events.device IS 'The visitor''s device.';
COMMENT ON COLUMN mart.ga4_events.geo IS 'Where the visitor is.';
COMMENT ON COLUMN mart.ga4_events.traffic_source IS 'What led to the shop.';
COMMENT ON COLUMN mart.ga4_events.items IS 'The items that the event is about. Money in euros.';
COMMENT ON COLUMN mart.ga4_events.event_time IS 'Time of the event: the column by which the days are partitioned.';
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT attrelid::regclass AS relation, attname AS name
        FROM pg_attribute
        INNER JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace IN ('raw'::regnamespace, 'ops'::regnamespace, 'mart'::regnamespace)
            AND attname = 'simulation'
            AND col_description(attrelid, attnum) LIKE 'Full name of the simulation:%'
    LOOP
        EXECUTE format(
            'COMMENT ON COLUMN %s.%I IS %L', found.relation, found.name, 'Name of the simulation.'
        );
    END LOOP;
END
$$;
