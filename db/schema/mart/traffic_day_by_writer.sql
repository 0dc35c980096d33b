CREATE TABLE mart.traffic_day_by_writer (
    -- derived: columns
    day timestamptz NOT NULL,
    simulation text NOT NULL,
    country text NOT NULL,
    device text NOT NULL,
    channel text NOT NULL,
    events bigint NOT NULL,
    session_start_events bigint NOT NULL,
    page_view_events bigint NOT NULL,
    search_events bigint NOT NULL,
    view_item_list_events bigint NOT NULL,
    view_item_events bigint NOT NULL,
    add_to_cart_events bigint NOT NULL,
    remove_from_cart_events bigint NOT NULL,
    view_cart_events bigint NOT NULL,
    begin_checkout_events bigint NOT NULL,
    add_shipping_info_events bigint NOT NULL,
    add_payment_info_events bigint NOT NULL,
    purchase_events bigint NOT NULL,
    revenue_minor bigint NOT NULL,
    writer integer NOT NULL,
    PRIMARY KEY (day, simulation, country, device, channel, writer)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.traffic_day_by_writer IS 'mart.traffic_day by writer.';
COMMENT ON COLUMN mart.traffic_day_by_writer.day IS 'Start of the day, UTC.';
COMMENT ON COLUMN mart.traffic_day_by_writer.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.traffic_day_by_writer.country IS 'The users'' country.';
COMMENT ON COLUMN mart.traffic_day_by_writer.device IS 'Their device.';
COMMENT ON COLUMN mart.traffic_day_by_writer.channel IS 'How they first found the shop.';
COMMENT ON COLUMN mart.traffic_day_by_writer.events IS 'Events of all names.';
COMMENT ON COLUMN mart.traffic_day_by_writer.session_start_events IS 'Events named session_start.';
COMMENT ON COLUMN mart.traffic_day_by_writer.page_view_events IS 'Events named page_view.';
COMMENT ON COLUMN mart.traffic_day_by_writer.search_events IS 'Events named search.';
COMMENT ON COLUMN mart.traffic_day_by_writer.view_item_list_events IS 'Events named view_item_list.';
COMMENT ON COLUMN mart.traffic_day_by_writer.view_item_events IS 'Events named view_item.';
COMMENT ON COLUMN mart.traffic_day_by_writer.add_to_cart_events IS 'Events named add_to_cart.';
COMMENT ON COLUMN mart.traffic_day_by_writer.remove_from_cart_events IS 'Events named remove_from_cart.';
COMMENT ON COLUMN mart.traffic_day_by_writer.view_cart_events IS 'Events named view_cart.';
COMMENT ON COLUMN mart.traffic_day_by_writer.begin_checkout_events IS 'Events named begin_checkout.';
COMMENT ON COLUMN mart.traffic_day_by_writer.add_shipping_info_events IS 'Events named add_shipping_info.';
COMMENT ON COLUMN mart.traffic_day_by_writer.add_payment_info_events IS 'Events named add_payment_info.';
COMMENT ON COLUMN mart.traffic_day_by_writer.purchase_events IS 'Events named purchase.';
COMMENT ON COLUMN mart.traffic_day_by_writer.revenue_minor IS 'Value of the purchases. Unit: minor units.';
COMMENT ON COLUMN mart.traffic_day_by_writer.writer IS 'Number of the writer: no two transactions that ran at the same time had the same. Only all writers'' rows of a key together mean something.';
-- end

GRANT INSERT, UPDATE ON mart.traffic_day_by_writer TO clickstream_writer;
