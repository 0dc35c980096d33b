-- The orders of 15 minutes, against those that as many session starts had in the hour before. Of two
-- Poisson numbers, the difference has the variance e (1 + s / b): e expected orders of s session
-- starts, by a share that was measured on b. At five standard deviations, chance alone is wrong
-- less than once in a million minutes.
CREATE OR REPLACE FUNCTION mart.order_alarms(since timestamptz, until timestamptz)
RETURNS TABLE (
    simulation text, device text, began_at timestamptz, ended_at timestamptz,
    orders bigint, expected_orders bigint
)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
WITH minutes AS (
    SELECT simulation, coalesce(device, 'all') AS device, minute,
        sum(session_start_events) AS sessions, sum(purchase_events) AS orders
    FROM mart.traffic_minute_by_writer
    WHERE minute >= since - interval '75 minutes' AND minute < until
    GROUP BY GROUPING SETS ((simulation, minute), (simulation, device, minute))
), summed AS (
    SELECT simulation, device, minute, sum(sessions) OVER recent AS sessions,
        sum(orders) OVER recent AS orders, sum(sessions) OVER former AS former_sessions,
        sum(orders) OVER former AS former_orders
    FROM minutes
    WINDOW recent AS (
        PARTITION BY simulation, device ORDER BY minute
        RANGE BETWEEN '14 minutes' PRECEDING AND CURRENT ROW
    ), former AS (
        PARTITION BY simulation, device ORDER BY minute
        RANGE BETWEEN '74 minutes' PRECEDING AND '15 minutes' PRECEDING
    )
), compared AS (
    SELECT *, sessions * former_orders / nullif(former_sessions, 0) AS expected FROM summed
    WHERE minute >= since
), fallen AS (
    SELECT *, minute - interval '1 minute' * row_number() OVER (
            PARTITION BY simulation, device ORDER BY minute
        ) AS island
    FROM compared
    WHERE expected >= 20
        AND expected - orders > 5 * sqrt(expected * (1 + sessions / former_sessions))
)
SELECT simulation, device, min(minute), max(minute) + interval '1 minute',
    (array_agg(orders ORDER BY expected - orders DESC))[1]::bigint,
    round((array_agg(expected ORDER BY expected - orders DESC))[1])::bigint
FROM fallen GROUP BY simulation, device, island
ORDER BY simulation, min(minute), device
$$;
COMMENT ON FUNCTION mart.order_alarms IS
    'Returns when a simulation, or one device in it, had too few orders for its sessions; by minutes from since to before until, with the 15 minutes that were worst.';
GRANT EXECUTE ON FUNCTION mart.order_alarms TO clickstream_reader, clickstream_writer;
