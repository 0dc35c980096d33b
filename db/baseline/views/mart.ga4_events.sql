-- The columns of https://support.google.com/analytics/answer/7029846, as far as the events have them.
CREATE OR REPLACE VIEW mart.ga4_events AS
SELECT
    to_char(event.event_time AT TIME ZONE 'UTC', 'YYYYMMDD') AS event_date,
    (extract(epoch FROM event.event_time) * 1000000)::bigint AS event_timestamp,
    event.ga4_name AS event_name,
    -- One text that is parsed as a whole: seven times as fast as building jsonb piece by piece.
    ('[' || concat_ws(',',
        '{"key": "campaign", "value": {"string_value": ' || to_json(event.campaign)::text || ', "int_value": null, "float_value": null, "double_value": null}}',
        '{"key": "currency", "value": {"string_value": ' || to_json(event.currency)::text || ', "int_value": null, "float_value": null, "double_value": null}}',
        '{"key": "ga_session_id", "value": {"string_value": null, "int_value": ' || (
            ('x' || left(event.session_id::text, 8) || substr(event.session_id::text, 10, 4))::bit(48)
            # ('x' || substr(event.session_id::text, 16, 3) || right(event.session_id::text, 9))::bit(48)
        )::bigint || ', "float_value": null, "double_value": null}}',
        '{"key": "ga_session_number", "value": {"string_value": null, "int_value": ' || session.session_number || ', "float_value": null, "double_value": null}}',
        '{"key": "item_list_name", "value": {"string_value": ' || CASE WHEN event.event_name = 'view_item_list' THEN to_json(event.category)::text END || ', "int_value": null, "float_value": null, "double_value": null}}',
        '{"key": "page_location", "value": {"string_value": ' || to_json(event.page)::text || ', "int_value": null, "float_value": null, "double_value": null}}',
        '{"key": "page_referrer", "value": {"string_value": ' || to_json(event.referrer)::text || ', "int_value": null, "float_value": null, "double_value": null}}',
        '{"key": "payment_type", "value": {"string_value": ' || to_json(event.payment_type)::text || ', "int_value": null, "float_value": null, "double_value": null}}',
        '{"key": "search_term", "value": {"string_value": ' || to_json(event.search_term)::text || ', "int_value": null, "float_value": null, "double_value": null}}',
        '{"key": "shipping_tier", "value": {"string_value": ' || to_json(event.shipping_tier)::text || ', "int_value": null, "float_value": null, "double_value": null}}',
        '{"key": "transaction_id", "value": {"string_value": ' || to_json(event.order_id)::text || ', "int_value": null, "float_value": null, "double_value": null}}',
        '{"key": "value", "value": {"string_value": null, "int_value": null, "float_value": null, "double_value": ' || round(event.value_minor / 100.0, 2) || '}}'
    ) || ']')::jsonb AS event_params,
    event.user_id,
    event.user_id AS user_pseudo_id,
    (extract(epoch FROM users.first_seen_at) * 1000000)::bigint AS user_first_touch_timestamp,
    jsonb_build_object(
        'category', event.device, 'operating_system', event.os, 'language', event.language,
        'web_info', jsonb_build_object('browser', event.browser)
    ) AS device,
    jsonb_build_object('country', coalesce(country.name, event.country), 'city', event.city) AS geo,
    jsonb_build_object(
        'source', CASE
            WHEN event.channel = 'direct' THEN '(direct)'
            WHEN event.channel IN ('organic_search', 'paid_search')
                THEN substring(session.referrer FROM '^[a-z]+://(?:www\.)?([^/:.]+)')
            ELSE coalesce(substring(session.referrer FROM '^[a-z]+://(?:www\.)?([^/:]+)'), event.channel)
        END,
        'medium', CASE event.channel
            WHEN 'direct' THEN '(none)' WHEN 'organic_search' THEN 'organic' WHEN 'paid_search' THEN 'cpc'
            ELSE event.channel
        END,
        'name', coalesce(session.campaign, CASE event.channel
            WHEN 'direct' THEN '(direct)' WHEN 'organic_search' THEN '(organic)' WHEN 'referral' THEN '(referral)'
        END)
    ) AS traffic_source,
    event.simulation AS stream_id,
    'WEB' AS platform,
    CASE WHEN event.items IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object(
        'transaction_id', event.order_id,
        'purchase_revenue',
        CASE WHEN event.event_name = 'purchase' THEN round(event.value_minor / 100.0, 2) END,
        'total_item_quantity', event.cart_quantity,
        'unique_items', jsonb_array_length(event.items)
    )) END AS ecommerce,
    CASE
        WHEN event.items IS NOT NULL THEN (
            SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                'item_id', line.product_id, 'item_name', line.product_name, 'item_brand', line.brand,
                'item_category', line.category, 'price', round(line.price_minor / 100.0, 2),
                'quantity', line.quantity, 'item_revenue',
                CASE WHEN event.event_name = 'purchase'
                    THEN round(line.quantity * line.price_minor / 100.0, 2) END
            )))
            FROM jsonb_to_recordset(event.items) AS line (
                product_id text, product_name text, brand text, category text, quantity integer, price_minor bigint
            )
        )
        WHEN event.product_id IS NOT NULL THEN jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
            'item_id', event.product_id, 'item_name', event.product_name, 'item_brand', event.brand,
            'item_category', event.category, 'price', round(event.price_minor / 100.0, 2),
            'quantity', event.quantity
        )))
        WHEN event.event_name = 'view_item_list' THEN jsonb_build_array(jsonb_build_object(
            'item_category', event.category, 'item_list_name', event.category
        ))
    END AS items,
    event.event_time
FROM (
    SELECT *, event_name AS ga4_name FROM raw.events
    UNION ALL
    -- In GA4 a first visit is a separate event, beside session_start.
    SELECT *, 'first_visit' FROM raw.events
    WHERE event_name = 'session_start' AND session_number = 1
) AS event
LEFT JOIN mart.sessions AS session USING (session_id)
LEFT JOIN mart.dim_user AS users
    ON users.simulation = event.simulation AND users.user_id = event.user_id
LEFT JOIN mart.dim_country AS country ON country.country = event.country;
COMMENT ON VIEW mart.ga4_events IS 'Events as Google Analytics 4 exports them to BigQuery: its columns, names and units. Records are jsonb.';
COMMENT ON COLUMN mart.ga4_events.event_date IS 'Day of the event, YYYYMMDD, UTC.';
COMMENT ON COLUMN mart.ga4_events.event_timestamp IS 'Time of the event. Unit: microseconds since 1970.';
COMMENT ON COLUMN mart.ga4_events.event_name IS 'What the user did; first_visit is one more event where session_start is of a user''s first session.';
COMMENT ON COLUMN mart.ga4_events.event_params IS 'A list of {key, value}; value has string_value, int_value, float_value and double_value. Money in the currency of the simulation. ga_session_id is a number of 48 bits, of the hexadecimal digits of session_id: the first twelve XOR the 14th to 16th and the last nine; ga_session_number counts the user''s sessions.';
COMMENT ON COLUMN mart.ga4_events.user_id IS 'The user.';
COMMENT ON COLUMN mart.ga4_events.user_pseudo_id IS 'The same: there is no other identity.';
COMMENT ON COLUMN mart.ga4_events.user_first_touch_timestamp IS 'Time of the user''s first session. Unit: microseconds since 1970.';
COMMENT ON COLUMN mart.ga4_events.device IS 'The user''s device: category, operating_system, language, web_info.';
COMMENT ON COLUMN mart.ga4_events.geo IS 'Where the user is: country by its English name, city.';
COMMENT ON COLUMN mart.ga4_events.traffic_source IS 'What led to the shop: source from the referrer, medium from the channel, name from the campaign.';
COMMENT ON COLUMN mart.ga4_events.stream_id IS 'The simulation''s full name: two simulations may have users with the same id.';
COMMENT ON COLUMN mart.ga4_events.platform IS 'Always WEB.';
COMMENT ON COLUMN mart.ga4_events.ecommerce IS 'Order or cart: transaction_id, purchase_revenue in the currency of the simulation, total_item_quantity, unique_items.';
COMMENT ON COLUMN mart.ga4_events.items IS 'The items that the event is about; of a list only the category, since the event does not name them. Money in the currency of the simulation.';
COMMENT ON COLUMN mart.ga4_events.event_time IS 'Time of the event: the column by which the days are partitioned.';
