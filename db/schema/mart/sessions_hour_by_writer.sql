CREATE TABLE mart.sessions_hour_by_writer (
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
    writer integer NOT NULL,
    PRIMARY KEY (hour, simulation, country, device, channel, writer)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.sessions_hour_by_writer IS 'mart.sessions_hour by writer.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.country IS 'The users'' country.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.device IS 'Their device.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.channel IS 'How they first found the shop.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.sessions IS 'Sessions.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.bounced_sessions IS 'Sessions that saw one page at most.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.view_sessions IS 'Sessions that looked at an item.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.cart_sessions IS 'Sessions that put something into the cart.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.checkout_sessions IS 'Sessions that began to check out.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.converted_sessions IS 'Sessions with an order.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.abandoned_sessions IS 'Sessions that left something in the cart and bought nothing.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.left_minor IS 'Value left in these carts. Unit: minor units.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.events IS 'Events.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.pages IS 'Pages seen.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.duration_milliseconds IS 'From first to last event, summed.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.orders IS 'Orders.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.revenue_minor IS 'Their value. Unit: minor units.';
COMMENT ON COLUMN mart.sessions_hour_by_writer.writer IS 'Number of the writer: no two transactions that ran at the same time had the same. Only all writers'' rows of a key together mean something.';
-- end

GRANT INSERT, UPDATE ON mart.sessions_hour_by_writer TO clickstream_writer;
