CREATE TABLE mart.sessions_hour (
    -- derived: columns
    hour timestamptz NOT NULL,
    simulation text NOT NULL,
    country text NOT NULL,
    device text NOT NULL,
    channel text NOT NULL,
    sessions bigint NOT NULL,
    bounced_sessions bigint NOT NULL,
    view_sessions bigint NOT NULL,
    cart_sessions bigint NOT NULL,
    checkout_sessions bigint NOT NULL,
    converted_sessions bigint NOT NULL,
    abandoned_sessions bigint NOT NULL,
    left_minor bigint NOT NULL,
    events bigint NOT NULL,
    pages bigint NOT NULL,
    duration_milliseconds bigint NOT NULL,
    orders bigint NOT NULL,
    revenue_minor bigint NOT NULL,
    PRIMARY KEY (hour, simulation, country, device, channel)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.sessions_hour IS 'Sessions by the hour in which they began, and their results.';
COMMENT ON COLUMN mart.sessions_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.sessions_hour.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.sessions_hour.country IS 'The users'' country.';
COMMENT ON COLUMN mart.sessions_hour.device IS 'Their device.';
COMMENT ON COLUMN mart.sessions_hour.channel IS 'How they first found the shop.';
COMMENT ON COLUMN mart.sessions_hour.sessions IS 'Sessions.';
COMMENT ON COLUMN mart.sessions_hour.bounced_sessions IS 'Sessions that saw one page at most.';
COMMENT ON COLUMN mart.sessions_hour.view_sessions IS 'Sessions that looked at an item.';
COMMENT ON COLUMN mart.sessions_hour.cart_sessions IS 'Sessions that put something into the cart.';
COMMENT ON COLUMN mart.sessions_hour.checkout_sessions IS 'Sessions that began to check out.';
COMMENT ON COLUMN mart.sessions_hour.converted_sessions IS 'Sessions with an order.';
COMMENT ON COLUMN mart.sessions_hour.abandoned_sessions IS 'Sessions that left something in the cart and bought nothing.';
COMMENT ON COLUMN mart.sessions_hour.left_minor IS 'Value left in these carts. Unit: minor units.';
COMMENT ON COLUMN mart.sessions_hour.events IS 'Events.';
COMMENT ON COLUMN mart.sessions_hour.pages IS 'Pages seen.';
COMMENT ON COLUMN mart.sessions_hour.duration_milliseconds IS 'From first to last event, summed.';
COMMENT ON COLUMN mart.sessions_hour.orders IS 'Orders.';
COMMENT ON COLUMN mart.sessions_hour.revenue_minor IS 'Their value. Unit: minor units.';
-- end

GRANT INSERT, UPDATE ON mart.sessions_hour TO clickstream_writer;
