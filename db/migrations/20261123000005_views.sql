-- migrate:up
CREATE VIEW mart.kpis AS
SELECT
    simulation,
    count(DISTINCT user_id) AS visitors,
    count(*) AS sessions,
    count(*) FILTER (WHERE is_converted) AS converted_sessions,
    round(100.0 * count(*) FILTER (WHERE is_converted) / count(*), 2) AS conversion_percent,
    sum(purchase_events) AS orders,
    (sum(revenue_minor) / 100.0)::numeric(18, 2) AS revenue,
    (sum(revenue_minor) / 100.0 / nullif(sum(purchase_events), 0))::numeric(18, 2)
        AS average_order_value,
    round(100.0 * count(*) FILTER (WHERE is_bounce) / count(*), 2) AS bounce_percent,
    round(100.0 * count(*) FILTER (WHERE is_abandoned)
        / nullif(count(*) FILTER (WHERE add_to_cart_events > 0), 0), 2) AS abandonment_percent,
    round(avg(events), 2) AS events_per_session,
    round(avg(duration_seconds), 1) AS average_duration_seconds
FROM mart.fact_sessions
GROUP BY simulation;
COMMENT ON VIEW mart.kpis IS 'The shop in one row per simulation. Money in euros.';

CREATE VIEW mart.kpis_hour AS
SELECT
    hour,
    simulation,
    sum(session_start_events)::bigint AS sessions,
    sum(events)::bigint AS events,
    sum(purchase_events)::bigint AS orders,
    (sum(revenue_minor) / 100.0)::numeric(18, 2) AS revenue,
    (sum(revenue_minor) / 100.0 / nullif(sum(purchase_events), 0))::numeric(18, 2)
        AS average_order_value
FROM mart.traffic_hour
GROUP BY hour, simulation;
COMMENT ON VIEW mart.kpis_hour IS 'The shop per hour of event time. Money in euros.';

CREATE VIEW mart.funnel AS
SELECT
    simulation,
    step,
    name,
    sessions,
    round(100.0 * sessions / nullif(first_value(sessions) OVER steps, 0), 2) AS percent_of_all,
    round(100.0 * sessions / nullif(lag(sessions) OVER steps, 0), 2) AS percent_of_previous
FROM (
    SELECT
        simulation,
        count(*) AS came,
        count(*) FILTER (WHERE view_item_events > 0) AS saw,
        count(*) FILTER (WHERE add_to_cart_events > 0) AS added,
        count(*) FILTER (WHERE begin_checkout_events > 0) AS began,
        count(*) FILTER (WHERE purchase_events > 0) AS bought
    FROM mart.fact_sessions
    GROUP BY simulation
) AS counted
CROSS JOIN LATERAL (
    VALUES
    (1, 'session', came),
    (2, 'view_item', saw),
    (3, 'add_to_cart', added),
    (4, 'begin_checkout', began),
    (5, 'purchase', bought)
) AS steps (step, name, sessions)
WINDOW steps AS (PARTITION BY simulation ORDER BY step);
COMMENT ON VIEW mart.funnel IS 'How many visits came to each step on the way to an order.';

CREATE VIEW mart.top_products AS
SELECT
    looked.simulation,
    looked.product_id,
    looked.product_name,
    looked.category,
    looked.views,
    looked.carts,
    coalesce(bought.pieces, 0) AS pieces,
    (coalesce(bought.value_minor, 0) / 100.0)::numeric(18, 2) AS revenue,
    round(100.0 * looked.carts / nullif(looked.views, 0), 2) AS view_to_cart_percent,
    round(100.0 * coalesce(bought.orders, 0) / nullif(looked.carts, 0), 2)
        AS cart_to_purchase_percent
FROM (
    SELECT
        simulation,
        product_id,
        min(product_name) AS product_name,
        min(category) AS category,
        sum(view_item_events)::bigint AS views,
        sum(add_to_cart_events)::bigint AS carts
    FROM mart.product_hour
    GROUP BY simulation, product_id
) AS looked
LEFT JOIN (
    SELECT
        orders.simulation,
        items.product_id,
        count(*) AS orders,
        sum(items.quantity) AS pieces,
        sum(items.quantity * items.price_minor) AS value_minor
    FROM mart.fact_order_items AS items
    INNER JOIN mart.fact_orders AS orders USING (order_id)
    GROUP BY orders.simulation, items.product_id
) AS bought
    ON bought.simulation = looked.simulation AND bought.product_id = looked.product_id;
COMMENT ON VIEW mart.top_products IS 'Products with what was looked at, put into carts and bought.';

CREATE VIEW ops.latency AS
SELECT
    simulation,
    run_id,
    count(*) AS events,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50_seconds,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95_seconds,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds) AS p99_seconds
FROM (
    SELECT simulation, run_id, extract(epoch FROM ingested_at - event_time)::float8 AS seconds
    FROM raw.events
) AS measured
GROUP BY simulation, run_id;
COMMENT ON VIEW ops.latency IS 'From event time to the row in raw.events, per run.';

CREATE VIEW ops.integrity AS
SELECT
    ledger.simulation,
    ledger.run_id,
    ledger.shard,
    max(ledger.shard_seq) AS sent_events,
    sum(ledger.lost_faults)::bigint AS planted_losses,
    max(shards.stored_events) AS stored_events,
    max(ledger.shard_seq) - sum(ledger.lost_faults)::bigint - coalesce(max(shards.stored_events), 0)
        AS missing_events
FROM ops.ledger AS ledger
LEFT JOIN ops.shards AS shards USING (run_id, shard)
GROUP BY ledger.simulation, ledger.run_id, ledger.shard;
COMMENT ON VIEW ops.integrity IS 'Per shard: what the ledger says was sent, and what is stored.';

COMMENT ON COLUMN mart.kpis.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.kpis.visitors IS 'Different visitors.';
COMMENT ON COLUMN mart.kpis.sessions IS 'Visits.';
COMMENT ON COLUMN mart.kpis.converted_sessions IS 'Visits with an order.';
COMMENT ON COLUMN mart.kpis.conversion_percent IS 'Share of visits with an order.';
COMMENT ON COLUMN mart.kpis.orders IS 'Orders.';
COMMENT ON COLUMN mart.kpis.revenue IS 'Value of the orders. Unit: euros.';
COMMENT ON COLUMN mart.kpis.average_order_value IS 'Revenue per order. Unit: euros.';
COMMENT ON COLUMN mart.kpis.bounce_percent IS 'Share of visits that saw one page at most.';
COMMENT ON COLUMN mart.kpis.abandonment_percent IS 'Share of the filled carts from which nothing was bought.';
COMMENT ON COLUMN mart.kpis.events_per_session IS 'Mean number of events of a visit.';
COMMENT ON COLUMN mart.kpis.average_duration_seconds IS 'Mean time from first to last event.';
COMMENT ON COLUMN mart.kpis_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.kpis_hour.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.kpis_hour.sessions IS 'Visits begun.';
COMMENT ON COLUMN mart.kpis_hour.events IS 'Events.';
COMMENT ON COLUMN mart.kpis_hour.orders IS 'Orders.';
COMMENT ON COLUMN mart.kpis_hour.revenue IS 'Value of the orders. Unit: euros.';
COMMENT ON COLUMN mart.kpis_hour.average_order_value IS 'Revenue per order. Unit: euros.';
COMMENT ON COLUMN mart.funnel.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.funnel.step IS 'Number of the step.';
COMMENT ON COLUMN mart.funnel.name IS 'The step.';
COMMENT ON COLUMN mart.funnel.sessions IS 'Visits that came to it.';
COMMENT ON COLUMN mart.funnel.percent_of_all IS 'Share of all visits.';
COMMENT ON COLUMN mart.funnel.percent_of_previous IS 'Share of the visits of the step before.';
COMMENT ON COLUMN mart.top_products.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.top_products.product_id IS 'The product.';
COMMENT ON COLUMN mart.top_products.product_name IS 'Its name.';
COMMENT ON COLUMN mart.top_products.category IS 'Its category.';
COMMENT ON COLUMN mart.top_products.views IS 'How often it was looked at.';
COMMENT ON COLUMN mart.top_products.carts IS 'How often it was put into a cart.';
COMMENT ON COLUMN mart.top_products.pieces IS 'How many were bought.';
COMMENT ON COLUMN mart.top_products.revenue IS 'Value of what was bought. Unit: euros.';
COMMENT ON COLUMN mart.top_products.view_to_cart_percent IS 'Times put into a cart per 100 looks.';
COMMENT ON COLUMN mart.top_products.cart_to_purchase_percent IS 'Orders with it per 100 times put into a cart.';
COMMENT ON COLUMN ops.latency.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN ops.latency.run_id IS 'The run.';
COMMENT ON COLUMN ops.latency.events IS 'Events measured.';
COMMENT ON COLUMN ops.latency.p50_seconds IS 'Half of the events were faster.';
COMMENT ON COLUMN ops.latency.p95_seconds IS '95 of 100 events were faster.';
COMMENT ON COLUMN ops.latency.p99_seconds IS '99 of 100 events were faster.';
COMMENT ON COLUMN ops.integrity.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN ops.integrity.run_id IS 'The run.';
COMMENT ON COLUMN ops.integrity.shard IS 'The shard.';
COMMENT ON COLUMN ops.integrity.sent_events IS 'Events numbered so far.';
COMMENT ON COLUMN ops.integrity.planted_losses IS 'Of these, never sent on purpose.';
COMMENT ON COLUMN ops.integrity.stored_events IS 'Events in raw.events.';
COMMENT ON COLUMN ops.integrity.missing_events IS 'What is not stored yet; 0 after the end.';

-- migrate:down
DROP VIEW ops.integrity;
DROP VIEW ops.latency;
DROP VIEW mart.top_products;
DROP VIEW mart.funnel;
DROP VIEW mart.kpis_hour;
DROP VIEW mart.kpis;
