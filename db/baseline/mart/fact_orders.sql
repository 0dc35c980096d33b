-- Of several events with one order the earliest counts, whichever comes first: event_id names it.
CREATE TABLE mart.fact_orders (
    -- derived: columns
    order_id uuid NOT NULL,
    simulation text NOT NULL,
    run_id uuid NOT NULL,
    session_id uuid NOT NULL,
    user_id text NOT NULL,
    country text NOT NULL,
    device text NOT NULL,
    channel text NOT NULL,
    ordered_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    pieces integer NOT NULL,
    value_minor bigint NOT NULL,
    currency text NOT NULL,
    PRIMARY KEY (order_id)
    -- end
);
-- derived: comments
COMMENT ON TABLE mart.fact_orders IS 'One row per order.';
COMMENT ON COLUMN mart.fact_orders.order_id IS 'The order.';
COMMENT ON COLUMN mart.fact_orders.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.fact_orders.run_id IS 'The run.';
COMMENT ON COLUMN mart.fact_orders.session_id IS 'The session.';
COMMENT ON COLUMN mart.fact_orders.user_id IS 'The user.';
COMMENT ON COLUMN mart.fact_orders.country IS 'The user''s country.';
COMMENT ON COLUMN mart.fact_orders.device IS 'The user''s device.';
COMMENT ON COLUMN mart.fact_orders.channel IS 'How the user first found the shop.';
COMMENT ON COLUMN mart.fact_orders.ordered_at IS 'Time of the order; of several events with one order, the earliest.';
COMMENT ON COLUMN mart.fact_orders.event_id IS 'The event that the row is from: the earliest of those with this order.';
COMMENT ON COLUMN mart.fact_orders.pieces IS 'How many pieces.';
COMMENT ON COLUMN mart.fact_orders.value_minor IS 'Its value. Unit: minor units.';
COMMENT ON COLUMN mart.fact_orders.currency IS 'ISO 4217 code.';
-- end

GRANT INSERT, UPDATE ON mart.fact_orders TO clickstream_writer;
