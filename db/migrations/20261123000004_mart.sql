-- migrate:up
CREATE TABLE mart.traffic_minute (
    minute timestamptz NOT NULL,
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
    PRIMARY KEY (minute, simulation, country, device, channel)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.traffic_minute IS 'Events and revenue per minute of event time.';
COMMENT ON COLUMN mart.traffic_minute.minute IS 'Start of the minute, UTC.';
COMMENT ON COLUMN mart.traffic_minute.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.traffic_minute.country IS 'The visitors'' country.';
COMMENT ON COLUMN mart.traffic_minute.device IS 'Their device.';
COMMENT ON COLUMN mart.traffic_minute.channel IS 'How they once found the shop.';
COMMENT ON COLUMN mart.traffic_minute.events IS 'Events of all names.';
COMMENT ON COLUMN mart.traffic_minute.session_start_events IS 'Events named session_start.';
COMMENT ON COLUMN mart.traffic_minute.page_view_events IS 'Events named page_view.';
COMMENT ON COLUMN mart.traffic_minute.search_events IS 'Events named search.';
COMMENT ON COLUMN mart.traffic_minute.view_item_list_events IS 'Events named view_item_list.';
COMMENT ON COLUMN mart.traffic_minute.view_item_events IS 'Events named view_item.';
COMMENT ON COLUMN mart.traffic_minute.add_to_cart_events IS 'Events named add_to_cart.';
COMMENT ON COLUMN mart.traffic_minute.remove_from_cart_events IS 'Events named remove_from_cart.';
COMMENT ON COLUMN mart.traffic_minute.view_cart_events IS 'Events named view_cart.';
COMMENT ON COLUMN mart.traffic_minute.begin_checkout_events IS 'Events named begin_checkout.';
COMMENT ON COLUMN mart.traffic_minute.add_shipping_info_events IS 'Events named add_shipping_info.';
COMMENT ON COLUMN mart.traffic_minute.add_payment_info_events IS 'Events named add_payment_info.';
COMMENT ON COLUMN mart.traffic_minute.purchase_events IS 'Events named purchase.';
COMMENT ON COLUMN mart.traffic_minute.revenue_minor IS 'Value of the purchases. Unit: cents.';

CREATE TABLE mart.traffic_hour (
    hour timestamptz NOT NULL,
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
    PRIMARY KEY (hour, simulation, country, device, channel)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.traffic_hour IS 'Events and revenue per hour of event time.';
COMMENT ON COLUMN mart.traffic_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.traffic_hour.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.traffic_hour.country IS 'The visitors'' country.';
COMMENT ON COLUMN mart.traffic_hour.device IS 'Their device.';
COMMENT ON COLUMN mart.traffic_hour.channel IS 'How they once found the shop.';
COMMENT ON COLUMN mart.traffic_hour.events IS 'Events of all names.';
COMMENT ON COLUMN mart.traffic_hour.session_start_events IS 'Events named session_start.';
COMMENT ON COLUMN mart.traffic_hour.page_view_events IS 'Events named page_view.';
COMMENT ON COLUMN mart.traffic_hour.search_events IS 'Events named search.';
COMMENT ON COLUMN mart.traffic_hour.view_item_list_events IS 'Events named view_item_list.';
COMMENT ON COLUMN mart.traffic_hour.view_item_events IS 'Events named view_item.';
COMMENT ON COLUMN mart.traffic_hour.add_to_cart_events IS 'Events named add_to_cart.';
COMMENT ON COLUMN mart.traffic_hour.remove_from_cart_events IS 'Events named remove_from_cart.';
COMMENT ON COLUMN mart.traffic_hour.view_cart_events IS 'Events named view_cart.';
COMMENT ON COLUMN mart.traffic_hour.begin_checkout_events IS 'Events named begin_checkout.';
COMMENT ON COLUMN mart.traffic_hour.add_shipping_info_events IS 'Events named add_shipping_info.';
COMMENT ON COLUMN mart.traffic_hour.add_payment_info_events IS 'Events named add_payment_info.';
COMMENT ON COLUMN mart.traffic_hour.purchase_events IS 'Events named purchase.';
COMMENT ON COLUMN mart.traffic_hour.revenue_minor IS 'Value of the purchases. Unit: cents.';

CREATE TABLE mart.fact_sessions (
    session_id uuid PRIMARY KEY,
    simulation text NOT NULL,
    run_id uuid NOT NULL,
    user_id text NOT NULL,
    persona text NOT NULL,
    country text NOT NULL,
    city text NOT NULL,
    device text NOT NULL,
    browser text NOT NULL,
    channel text NOT NULL,
    campaign text,
    visit_number integer,
    started_at timestamptz NOT NULL,
    last_event_at timestamptz NOT NULL,
    first_seq integer NOT NULL,
    last_seq integer NOT NULL,
    entry_page text NOT NULL,
    exit_page text NOT NULL,
    events integer NOT NULL,
    session_start_events integer NOT NULL,
    page_view_events integer NOT NULL,
    search_events integer NOT NULL,
    view_item_list_events integer NOT NULL,
    view_item_events integer NOT NULL,
    add_to_cart_events integer NOT NULL,
    remove_from_cart_events integer NOT NULL,
    view_cart_events integer NOT NULL,
    begin_checkout_events integer NOT NULL,
    add_shipping_info_events integer NOT NULL,
    add_payment_info_events integer NOT NULL,
    purchase_events integer NOT NULL,
    added_minor bigint NOT NULL,
    removed_minor bigint NOT NULL,
    revenue_minor bigint NOT NULL,
    is_final boolean NOT NULL DEFAULT false,
    duration_seconds numeric GENERATED ALWAYS AS (extract(epoch FROM last_event_at - started_at)) STORED,
    is_bounce boolean GENERATED ALWAYS AS (events <= 2) STORED,
    is_converted boolean GENERATED ALWAYS AS (purchase_events > 0) STORED,
    is_abandoned boolean GENERATED ALWAYS AS (add_to_cart_events > 0 AND purchase_events = 0) STORED
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.fact_sessions IS 'One row per visit: live from its first event, final when it is over.';
COMMENT ON COLUMN mart.fact_sessions.session_id IS 'The visit.';
COMMENT ON COLUMN mart.fact_sessions.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.fact_sessions.run_id IS 'The run.';
COMMENT ON COLUMN mart.fact_sessions.user_id IS 'The visitor.';
COMMENT ON COLUMN mart.fact_sessions.persona IS 'The kind of visitor.';
COMMENT ON COLUMN mart.fact_sessions.country IS 'The visitor''s country.';
COMMENT ON COLUMN mart.fact_sessions.city IS 'The visitor''s city.';
COMMENT ON COLUMN mart.fact_sessions.device IS 'The visitor''s device.';
COMMENT ON COLUMN mart.fact_sessions.browser IS 'The visitor''s browser.';
COMMENT ON COLUMN mart.fact_sessions.channel IS 'How the visitor once found the shop.';
COMMENT ON COLUMN mart.fact_sessions.campaign IS 'The campaign that led to this visit.';
COMMENT ON COLUMN mart.fact_sessions.visit_number IS 'How often the visitor has come in this run.';
COMMENT ON COLUMN mart.fact_sessions.started_at IS 'Time of the first event.';
COMMENT ON COLUMN mart.fact_sessions.last_event_at IS 'Time of the last event so far.';
COMMENT ON COLUMN mart.fact_sessions.first_seq IS 'Lowest session_seq; 1 if nothing is missing.';
COMMENT ON COLUMN mart.fact_sessions.last_seq IS 'Highest session_seq.';
COMMENT ON COLUMN mart.fact_sessions.entry_page IS 'Page of the first event.';
COMMENT ON COLUMN mart.fact_sessions.exit_page IS 'Page of the last event so far.';
COMMENT ON COLUMN mart.fact_sessions.events IS 'Events of all names.';
COMMENT ON COLUMN mart.fact_sessions.session_start_events IS 'Events named session_start.';
COMMENT ON COLUMN mart.fact_sessions.page_view_events IS 'Events named page_view.';
COMMENT ON COLUMN mart.fact_sessions.search_events IS 'Events named search.';
COMMENT ON COLUMN mart.fact_sessions.view_item_list_events IS 'Events named view_item_list.';
COMMENT ON COLUMN mart.fact_sessions.view_item_events IS 'Events named view_item.';
COMMENT ON COLUMN mart.fact_sessions.add_to_cart_events IS 'Events named add_to_cart.';
COMMENT ON COLUMN mart.fact_sessions.remove_from_cart_events IS 'Events named remove_from_cart.';
COMMENT ON COLUMN mart.fact_sessions.view_cart_events IS 'Events named view_cart.';
COMMENT ON COLUMN mart.fact_sessions.begin_checkout_events IS 'Events named begin_checkout.';
COMMENT ON COLUMN mart.fact_sessions.add_shipping_info_events IS 'Events named add_shipping_info.';
COMMENT ON COLUMN mart.fact_sessions.add_payment_info_events IS 'Events named add_payment_info.';
COMMENT ON COLUMN mart.fact_sessions.purchase_events IS 'Events named purchase.';
COMMENT ON COLUMN mart.fact_sessions.added_minor IS 'Value put into the cart. Unit: cents.';
COMMENT ON COLUMN mart.fact_sessions.removed_minor IS 'Value taken out of it. Unit: cents.';
COMMENT ON COLUMN mart.fact_sessions.revenue_minor IS 'Value of the orders. Unit: cents.';
COMMENT ON COLUMN mart.fact_sessions.is_final IS 'Whether the visit is over: 30 minutes without an event, or its run has ended.';
COMMENT ON COLUMN mart.fact_sessions.duration_seconds IS 'From the first event to the last.';
COMMENT ON COLUMN mart.fact_sessions.is_bounce IS 'Whether the visitor saw one page at most.';
COMMENT ON COLUMN mart.fact_sessions.is_converted IS 'Whether something was bought.';
COMMENT ON COLUMN mart.fact_sessions.is_abandoned IS 'Whether something was put into the cart and nothing bought.';
-- For closing visits: looks only at those that are open.
CREATE INDEX fact_sessions_open ON mart.fact_sessions (started_at) WHERE NOT is_final;

CREATE TABLE mart.fact_orders (
    order_id uuid PRIMARY KEY,
    simulation text NOT NULL,
    run_id uuid NOT NULL,
    session_id uuid NOT NULL,
    user_id text NOT NULL,
    country text NOT NULL,
    device text NOT NULL,
    channel text NOT NULL,
    ordered_at timestamptz NOT NULL,
    pieces integer NOT NULL,
    value_minor bigint NOT NULL
);
COMMENT ON TABLE mart.fact_orders IS 'One row per order.';
COMMENT ON COLUMN mart.fact_orders.order_id IS 'The order.';
COMMENT ON COLUMN mart.fact_orders.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.fact_orders.run_id IS 'The run.';
COMMENT ON COLUMN mart.fact_orders.session_id IS 'The visit.';
COMMENT ON COLUMN mart.fact_orders.user_id IS 'The visitor.';
COMMENT ON COLUMN mart.fact_orders.country IS 'The visitor''s country.';
COMMENT ON COLUMN mart.fact_orders.device IS 'The visitor''s device.';
COMMENT ON COLUMN mart.fact_orders.channel IS 'How the visitor once found the shop.';
COMMENT ON COLUMN mart.fact_orders.ordered_at IS 'When.';
COMMENT ON COLUMN mart.fact_orders.pieces IS 'How many pieces.';
COMMENT ON COLUMN mart.fact_orders.value_minor IS 'Its value. Unit: cents.';

CREATE TABLE mart.fact_order_items (
    order_id uuid NOT NULL REFERENCES mart.fact_orders,
    product_id text NOT NULL,
    category text NOT NULL,
    quantity integer NOT NULL,
    price_minor bigint NOT NULL,
    PRIMARY KEY (order_id, product_id)
);
COMMENT ON TABLE mart.fact_order_items IS 'One row per line of an order.';
COMMENT ON COLUMN mart.fact_order_items.order_id IS 'The order.';
COMMENT ON COLUMN mart.fact_order_items.product_id IS 'The product.';
COMMENT ON COLUMN mart.fact_order_items.category IS 'Its category.';
COMMENT ON COLUMN mart.fact_order_items.quantity IS 'How many were bought. Unit: pieces.';
COMMENT ON COLUMN mart.fact_order_items.price_minor IS 'Price of one. Unit: cents.';

CREATE TABLE mart.product_hour (
    hour timestamptz NOT NULL,
    simulation text NOT NULL,
    product_id text NOT NULL,
    product_name text NOT NULL,
    brand text NOT NULL,
    category text NOT NULL,
    view_item_events bigint NOT NULL,
    add_to_cart_events bigint NOT NULL,
    remove_from_cart_events bigint NOT NULL,
    PRIMARY KEY (hour, simulation, product_id)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.product_hour IS 'What was looked at and put into carts, per product and hour.';
COMMENT ON COLUMN mart.product_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.product_hour.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.product_hour.product_id IS 'The product.';
COMMENT ON COLUMN mart.product_hour.product_name IS 'Its name.';
COMMENT ON COLUMN mart.product_hour.brand IS 'Its brand.';
COMMENT ON COLUMN mart.product_hour.category IS 'Its category.';
COMMENT ON COLUMN mart.product_hour.view_item_events IS 'How often it was looked at.';
COMMENT ON COLUMN mart.product_hour.add_to_cart_events IS 'How often it was put into a cart.';
COMMENT ON COLUMN mart.product_hour.remove_from_cart_events IS 'How often it was taken out.';

-- migrate:down
DROP TABLE mart.product_hour;
DROP TABLE mart.fact_order_items;
DROP TABLE mart.fact_orders;
DROP TABLE mart.fact_sessions;
DROP TABLE mart.traffic_hour;
DROP TABLE mart.traffic_minute;
