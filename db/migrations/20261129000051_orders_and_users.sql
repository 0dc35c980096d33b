-- migrate:up
-- Of several events with one order the earliest counts, whichever comes first: the row says which one it is.
ALTER TABLE mart.fact_orders ADD COLUMN event_id uuid;
UPDATE mart.fact_orders AS bought SET event_id = found.event_id
FROM (
    SELECT DISTINCT ON (order_id) order_id, event_time, event_id FROM raw.events
    WHERE event_name = 'purchase' ORDER BY order_id, event_time, event_id
) AS found
WHERE found.order_id = bought.order_id AND found.event_time = bought.ordered_at;
-- The days of the others are dropped; generators give an order the id of its event.
UPDATE mart.fact_orders SET event_id = order_id WHERE event_id IS NULL;
ALTER TABLE mart.fact_orders ALTER COLUMN event_id SET NOT NULL;
COMMENT ON COLUMN mart.fact_orders.event_id IS 'The event that the row is from: the earliest of those with this order.';
COMMENT ON COLUMN mart.fact_orders.ordered_at IS 'When; of several events with one order, the earliest.';
GRANT UPDATE ON mart.fact_orders TO clickstream_writer;
-- Lines of an order that an earlier event replaces, and users whose only session turns out to be another user's.
GRANT DELETE ON mart.fact_order_items, mart.dim_user TO clickstream_writer;
COMMENT ON TABLE mart.visits IS 'One row per visit, kept up to date from its first event: what it has of its user is what the event with the lowest session_seq says. mart.fact_sessions adds whether it is over.';

ALTER TABLE mart.visits ADD COLUMN referrer text;
COMMENT ON COLUMN mart.visits.referrer IS 'The page that led to the shop; null for direct visits.';
UPDATE mart.visits AS known SET referrer = found.referrer
FROM (
    SELECT session_id, min(referrer) AS referrer FROM raw.events WHERE referrer IS NOT NULL GROUP BY session_id
) AS found
WHERE found.session_id = known.session_id;

-- migrate:down
ALTER TABLE mart.visits DROP COLUMN referrer;
COMMENT ON TABLE mart.visits IS 'One row per visit, kept up to date from its first event; mart.fact_sessions adds whether it is over.';
REVOKE DELETE ON mart.fact_order_items, mart.dim_user FROM clickstream_writer;
REVOKE UPDATE ON mart.fact_orders FROM clickstream_writer;
COMMENT ON COLUMN mart.fact_orders.ordered_at IS 'When.';
ALTER TABLE mart.fact_orders DROP COLUMN event_id;
