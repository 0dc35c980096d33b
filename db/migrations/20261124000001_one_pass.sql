-- migrate:up
-- Marts that need no second reading of Kafka: every roll-up follows from what a batch stored.
-- Views that read the tables changed here are made anew below.
DROP VIEW mart.kpis;
DROP VIEW mart.kpis_hour;
DROP VIEW mart.funnel;
DROP VIEW mart.top_products;

-- Flags: what is odd about an event that is stored all the same.
ALTER TABLE raw.events ADD COLUMN flags text;
COMMENT ON COLUMN raw.events.flags IS 'Rules of ops.quality_rules that found it odd, separated by commas; null if none did.';

-- A visit is final when its run is closed or the watermark has passed it: both are known
-- elsewhere, so no row has to be written again to say so.
ALTER TABLE mart.fact_sessions RENAME TO visits;
ALTER INDEX mart.fact_sessions_pkey RENAME TO visits_pkey;
DROP INDEX mart.fact_sessions_open;
ALTER TABLE mart.visits DROP COLUMN is_final;
ALTER TABLE mart.visits ADD COLUMN language text NOT NULL DEFAULT '';
ALTER TABLE mart.visits ADD COLUMN os text NOT NULL DEFAULT '';
ALTER TABLE mart.visits ALTER COLUMN language DROP DEFAULT;
ALTER TABLE mart.visits ALTER COLUMN os DROP DEFAULT;
ALTER TABLE mart.visits ADD COLUMN pages integer GENERATED ALWAYS AS
    (page_view_events + search_events + view_item_list_events + view_item_events + view_cart_events)
    STORED;
ALTER TABLE mart.visits ADD COLUMN left_minor bigint GENERATED ALWAYS AS (
    CASE WHEN add_to_cart_events > 0 AND purchase_events = 0
        THEN greatest(added_minor - removed_minor, 0) ELSE 0 END
) STORED;
COMMENT ON TABLE mart.visits IS 'One row per visit, kept up to date from its first event; mart.fact_sessions adds whether it is over.';
COMMENT ON COLUMN mart.visits.language IS 'The visitor''s language, a BCP 47 tag.';
COMMENT ON COLUMN mart.visits.os IS 'Operating system of the device.';
COMMENT ON COLUMN mart.visits.pages IS 'Pages seen: pages, searches, lists, items and carts.';
COMMENT ON COLUMN mart.visits.left_minor IS 'Value left in a cart from which nothing was bought. Unit: cents.';
-- For: what a visitor did, visit by visit; and the 30-minute rule, visitor by visitor.
CREATE INDEX visits_user ON mart.visits (user_id, started_at);

ALTER TABLE ops.progress ADD COLUMN final_before timestamptz;
COMMENT ON COLUMN ops.progress.final_before IS 'Visits whose last event lies before this are over: watermark less 30 minutes.';
COMMENT ON COLUMN ops.progress.query IS 'The streaming query; or retention, for the first day that raw.events still has.';
COMMENT ON COLUMN ops.progress.late_events IS 'Events that came behind the watermark; they are stored and counted all the same.';

ALTER TABLE ops.batches ADD COLUMN from_offset bigint;
COMMENT ON COLUMN ops.batches.from_offset IS 'The offset from which the partition was read; null in a first batch without records.';

ALTER TABLE ops.shards ADD COLUMN dropped_events bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ops.shards.dropped_events IS 'Events that were stored and whose days were dropped since.';

-- A rebuild that takes an order away takes its lines along.
ALTER TABLE mart.fact_order_items DROP CONSTRAINT fact_order_items_order_id_fkey;
ALTER TABLE mart.fact_order_items ADD CONSTRAINT fact_order_items_order_id_fkey
    FOREIGN KEY (order_id) REFERENCES mart.fact_orders ON DELETE CASCADE;

ALTER TABLE mart.product_hour DROP COLUMN product_name;
ALTER TABLE mart.product_hour DROP COLUMN brand;
ALTER TABLE mart.product_hour DROP COLUMN category;
ALTER TABLE mart.product_hour ADD COLUMN orders bigint NOT NULL DEFAULT 0;
ALTER TABLE mart.product_hour ADD COLUMN pieces bigint NOT NULL DEFAULT 0;
ALTER TABLE mart.product_hour ADD COLUMN revenue_minor bigint NOT NULL DEFAULT 0;
COMMENT ON TABLE mart.product_hour IS 'What was looked at, put into carts and bought, per product and hour.';
COMMENT ON COLUMN mart.product_hour.orders IS 'Orders with it.';
COMMENT ON COLUMN mart.product_hour.pieces IS 'How many were bought. Unit: pieces.';
COMMENT ON COLUMN mart.product_hour.revenue_minor IS 'Value of these. Unit: cents.';

CREATE TABLE mart.traffic_day (
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
    PRIMARY KEY (day, simulation, country, device, channel)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.traffic_day IS 'Events and revenue per day of event time.';
COMMENT ON COLUMN mart.traffic_day.day IS 'Start of the day, UTC.';
COMMENT ON COLUMN mart.traffic_day.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.traffic_day.country IS 'The visitors'' country.';
COMMENT ON COLUMN mart.traffic_day.device IS 'Their device.';
COMMENT ON COLUMN mart.traffic_day.channel IS 'How they once found the shop.';
COMMENT ON COLUMN mart.traffic_day.events IS 'Events of all names.';
COMMENT ON COLUMN mart.traffic_day.session_start_events IS 'Events named session_start.';
COMMENT ON COLUMN mart.traffic_day.page_view_events IS 'Events named page_view.';
COMMENT ON COLUMN mart.traffic_day.search_events IS 'Events named search.';
COMMENT ON COLUMN mart.traffic_day.view_item_list_events IS 'Events named view_item_list.';
COMMENT ON COLUMN mart.traffic_day.view_item_events IS 'Events named view_item.';
COMMENT ON COLUMN mart.traffic_day.add_to_cart_events IS 'Events named add_to_cart.';
COMMENT ON COLUMN mart.traffic_day.remove_from_cart_events IS 'Events named remove_from_cart.';
COMMENT ON COLUMN mart.traffic_day.view_cart_events IS 'Events named view_cart.';
COMMENT ON COLUMN mart.traffic_day.begin_checkout_events IS 'Events named begin_checkout.';
COMMENT ON COLUMN mart.traffic_day.add_shipping_info_events IS 'Events named add_shipping_info.';
COMMENT ON COLUMN mart.traffic_day.add_payment_info_events IS 'Events named add_payment_info.';
COMMENT ON COLUMN mart.traffic_day.purchase_events IS 'Events named purchase.';
COMMENT ON COLUMN mart.traffic_day.revenue_minor IS 'Value of the purchases. Unit: cents.';

CREATE TABLE mart.sessions_hour (
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
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.sessions_hour IS 'Visits by the hour in which they began, with what became of them.';
COMMENT ON COLUMN mart.sessions_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.sessions_hour.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.sessions_hour.country IS 'The visitors'' country.';
COMMENT ON COLUMN mart.sessions_hour.device IS 'Their device.';
COMMENT ON COLUMN mart.sessions_hour.channel IS 'How they once found the shop.';
COMMENT ON COLUMN mart.sessions_hour.sessions IS 'Visits.';
COMMENT ON COLUMN mart.sessions_hour.bounced_sessions IS 'Visits that saw one page at most.';
COMMENT ON COLUMN mart.sessions_hour.view_sessions IS 'Visits that looked at an item.';
COMMENT ON COLUMN mart.sessions_hour.cart_sessions IS 'Visits that put something into the cart.';
COMMENT ON COLUMN mart.sessions_hour.checkout_sessions IS 'Visits that began to check out.';
COMMENT ON COLUMN mart.sessions_hour.converted_sessions IS 'Visits with an order.';
COMMENT ON COLUMN mart.sessions_hour.abandoned_sessions IS 'Visits that left something in the cart and bought nothing.';
COMMENT ON COLUMN mart.sessions_hour.left_minor IS 'Value left in these carts. Unit: cents.';
COMMENT ON COLUMN mart.sessions_hour.events IS 'Events.';
COMMENT ON COLUMN mart.sessions_hour.pages IS 'Pages seen.';
COMMENT ON COLUMN mart.sessions_hour.duration_milliseconds IS 'From first to last event, summed.';
COMMENT ON COLUMN mart.sessions_hour.orders IS 'Orders.';
COMMENT ON COLUMN mart.sessions_hour.revenue_minor IS 'Their value. Unit: cents.';

CREATE TABLE mart.pages_day (
    day date NOT NULL,
    simulation text NOT NULL,
    page text NOT NULL,
    entries bigint NOT NULL,
    exits bigint NOT NULL,
    bounces bigint NOT NULL,
    PRIMARY KEY (day, simulation, page)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.pages_day IS 'Where visits began and ended, by the day in which they began.';
COMMENT ON COLUMN mart.pages_day.day IS 'The day, UTC.';
COMMENT ON COLUMN mart.pages_day.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.pages_day.page IS 'Path of the page.';
COMMENT ON COLUMN mart.pages_day.entries IS 'Visits that began there.';
COMMENT ON COLUMN mart.pages_day.exits IS 'Visits that ended there, or have got there so far.';
COMMENT ON COLUMN mart.pages_day.bounces IS 'Visits that began there and saw one page at most.';

CREATE TABLE mart.dim_user (
    simulation text NOT NULL,
    user_id text NOT NULL,
    persona text NOT NULL,
    country text NOT NULL,
    city text NOT NULL,
    language text NOT NULL,
    device text NOT NULL,
    os text NOT NULL,
    browser text NOT NULL,
    channel text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    PRIMARY KEY (simulation, user_id)
) WITH (fillfactor = 90);
COMMENT ON TABLE mart.dim_user IS 'Visitors, as their first visit shows them.';
COMMENT ON COLUMN mart.dim_user.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.dim_user.user_id IS 'The visitor.';
COMMENT ON COLUMN mart.dim_user.persona IS 'The kind of visitor.';
COMMENT ON COLUMN mart.dim_user.country IS 'ISO 3166-1 alpha-2 code.';
COMMENT ON COLUMN mart.dim_user.city IS 'The visitor''s city.';
COMMENT ON COLUMN mart.dim_user.language IS 'BCP 47 tag.';
COMMENT ON COLUMN mart.dim_user.device IS 'The visitor''s device.';
COMMENT ON COLUMN mart.dim_user.os IS 'Its operating system.';
COMMENT ON COLUMN mart.dim_user.browser IS 'Its browser.';
COMMENT ON COLUMN mart.dim_user.channel IS 'How the visitor once found the shop.';
COMMENT ON COLUMN mart.dim_user.first_seen_at IS 'Time of the first event.';

CREATE TABLE mart.user_day (
    day date NOT NULL,
    simulation text NOT NULL,
    user_id text NOT NULL,
    hours integer NOT NULL,
    PRIMARY KEY (day, simulation, user_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE mart.user_day IS 'Who was there on which day, and in which of its hours.';
COMMENT ON COLUMN mart.user_day.day IS 'The day, UTC.';
COMMENT ON COLUMN mart.user_day.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.user_day.user_id IS 'The visitor.';
COMMENT ON COLUMN mart.user_day.hours IS 'One bit per hour with an event: bit 0 is midnight to one.';

CREATE TABLE mart.visitors_hour (
    hour timestamptz NOT NULL,
    simulation text NOT NULL,
    visitors bigint NOT NULL,
    PRIMARY KEY (hour, simulation)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.visitors_hour IS 'Different visitors per hour.';
COMMENT ON COLUMN mart.visitors_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.visitors_hour.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.visitors_hour.visitors IS 'Different visitors with an event.';

CREATE TABLE mart.dim_product_versions (
    simulation text NOT NULL,
    product_id text NOT NULL,
    product_name text NOT NULL,
    brand text NOT NULL,
    category text NOT NULL,
    price_minor bigint NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (simulation, product_id, product_name, brand, category, price_minor)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.dim_product_versions IS 'Products as they were offered: one row per state of name, brand, category and price.';
COMMENT ON COLUMN mart.dim_product_versions.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.dim_product_versions.product_id IS 'The product.';
COMMENT ON COLUMN mart.dim_product_versions.product_name IS 'Its name.';
COMMENT ON COLUMN mart.dim_product_versions.brand IS 'Its brand.';
COMMENT ON COLUMN mart.dim_product_versions.category IS 'Its category.';
COMMENT ON COLUMN mart.dim_product_versions.price_minor IS 'Price of one. Unit: cents.';
COMMENT ON COLUMN mart.dim_product_versions.first_seen_at IS 'When it was first seen so.';
COMMENT ON COLUMN mart.dim_product_versions.last_seen_at IS 'When it was last seen so.';

CREATE TABLE mart.product_pairs (
    simulation text NOT NULL,
    product_a text NOT NULL,
    product_b text NOT NULL,
    orders bigint NOT NULL,
    PRIMARY KEY (simulation, product_a, product_b)
) WITH (fillfactor = 70);
COMMENT ON TABLE mart.product_pairs IS 'Bought together: pairs of products in one order.';
COMMENT ON COLUMN mart.product_pairs.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.product_pairs.product_a IS 'One product; the lesser by name.';
COMMENT ON COLUMN mart.product_pairs.product_b IS 'The other.';
COMMENT ON COLUMN mart.product_pairs.orders IS 'Orders with both.';
-- For: what goes with a product, whichever of the two it is.
CREATE INDEX product_pairs_b ON mart.product_pairs (simulation, product_b);

CREATE TABLE mart.cohort_day (
    simulation text NOT NULL,
    cohort_day date NOT NULL,
    day date NOT NULL,
    visitors bigint NOT NULL,
    PRIMARY KEY (simulation, cohort_day, day)
);
COMMENT ON TABLE mart.cohort_day IS 'Visitors by the day of their first visit, and how many of them were there on later days.';
COMMENT ON COLUMN mart.cohort_day.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.cohort_day.cohort_day IS 'Day of the first visit, UTC.';
COMMENT ON COLUMN mart.cohort_day.day IS 'Day of a visit, UTC.';
COMMENT ON COLUMN mart.cohort_day.visitors IS 'Visitors of that cohort there on that day.';

CREATE TABLE mart.sessionization_day (
    day date NOT NULL,
    simulation text NOT NULL,
    true_sessions bigint NOT NULL,
    rule_sessions bigint NOT NULL,
    joined_boundaries bigint NOT NULL,
    split_boundaries bigint NOT NULL,
    true_converted bigint NOT NULL,
    rule_converted bigint NOT NULL,
    PRIMARY KEY (day, simulation)
);
COMMENT ON TABLE mart.sessionization_day IS 'What the 30-minute rule alone would make of the visits, beside what they were, by day.';
COMMENT ON COLUMN mart.sessionization_day.day IS 'Day in which the visit began, UTC.';
COMMENT ON COLUMN mart.sessionization_day.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.sessionization_day.true_sessions IS 'Visits.';
COMMENT ON COLUMN mart.sessionization_day.rule_sessions IS 'Visits that the rule finds: a visitor''s events with no pause over 30 minutes.';
COMMENT ON COLUMN mart.sessionization_day.joined_boundaries IS 'Beginnings of visits that the rule does not see, as the one before is less than 30 minutes back.';
COMMENT ON COLUMN mart.sessionization_day.split_boundaries IS 'Beginnings that the rule sees in the midst of a visit, after a pause.';
COMMENT ON COLUMN mart.sessionization_day.true_converted IS 'Visits with an order.';
COMMENT ON COLUMN mart.sessionization_day.rule_converted IS 'The rule''s visits with an order.';

CREATE TABLE ops.quality_rules (
    rule text,
    field text NOT NULL,
    severity text NOT NULL,
    reason text NOT NULL,
    doc text NOT NULL,
    PRIMARY KEY (rule)
);
COMMENT ON TABLE ops.quality_rules IS 'What is asked of a record: one row per rule.';
COMMENT ON COLUMN ops.quality_rules.rule IS 'The rule: field and reason.';
COMMENT ON COLUMN ops.quality_rules.field IS 'The field it is about; record for the whole.';
COMMENT ON COLUMN ops.quality_rules.severity IS 'reject: the record is no event; flag: it is stored and marked.';
COMMENT ON COLUMN ops.quality_rules.reason IS 'What is wrong when the rule is broken.';
COMMENT ON COLUMN ops.quality_rules.doc IS 'The rule in words.';

CREATE TABLE ops.quality_minute (
    minute timestamptz NOT NULL,
    rule text NOT NULL,
    records bigint NOT NULL,
    PRIMARY KEY (minute, rule)
) WITH (fillfactor = 70);
COMMENT ON TABLE ops.quality_minute IS 'Records that broke a rule, per minute.';
COMMENT ON COLUMN ops.quality_minute.minute IS 'For rejects when Kafka got it, for flags event time; its start.';
COMMENT ON COLUMN ops.quality_minute.rule IS 'The rule, as in ops.quality_rules.';
COMMENT ON COLUMN ops.quality_minute.records IS 'Records that broke it.';

CREATE TABLE ops.boards (
    board text,
    computed_at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (board)
);
COMMENT ON TABLE ops.boards IS 'When tables that are computed as a whole were last computed.';
COMMENT ON COLUMN ops.boards.board IS 'The table.';
COMMENT ON COLUMN ops.boards.computed_at IS 'When.';
COMMENT ON COLUMN ops.boards.seconds IS 'How long it took. Unit: seconds.';

ALTER TABLE ops.rejected_events ADD COLUMN rule text GENERATED ALWAYS AS
    (coalesce(nullif(detail, ''), 'record') || '.' || reason) STORED;
ALTER TABLE ops.rejected_events ADD COLUMN replayed_at timestamptz;
COMMENT ON COLUMN ops.rejected_events.rule IS 'The rule it broke, as in ops.quality_rules.';
COMMENT ON COLUMN ops.rejected_events.replayed_at IS 'When it was sent again, mended or not.';
-- For: rejects by reason, the latest first.
CREATE INDEX rejected_events_reason ON ops.rejected_events (reason, kafka_timestamp);

CREATE TABLE mart.dim_country (
    country text,
    name text NOT NULL,
    utc_offset_minutes integer NOT NULL,
    language text NOT NULL,
    PRIMARY KEY (country)
);
COMMENT ON TABLE mart.dim_country IS 'Countries that visitors can come from.';
COMMENT ON COLUMN mart.dim_country.country IS 'ISO 3166-1 alpha-2 code.';
COMMENT ON COLUMN mart.dim_country.name IS 'Its English name.';
COMMENT ON COLUMN mart.dim_country.utc_offset_minutes IS 'Standard time less UTC. Unit: minutes.';
COMMENT ON COLUMN mart.dim_country.language IS 'BCP 47 tag of what most visitors from there speak.';
INSERT INTO mart.dim_country VALUES
    ('AT', 'Austria', 60, 'de-AT'),
    ('AU', 'Australia', 600, 'en-AU'),
    ('BR', 'Brazil', -180, 'pt-BR'),
    ('CA', 'Canada', -300, 'en-CA'),
    ('CH', 'Switzerland', 60, 'de-CH'),
    ('DE', 'Germany', 60, 'de-DE'),
    ('DK', 'Denmark', 60, 'da-DK'),
    ('ES', 'Spain', 60, 'es-ES'),
    ('FI', 'Finland', 120, 'fi-FI'),
    ('FR', 'France', 60, 'fr-FR'),
    ('GB', 'United Kingdom', 0, 'en-GB'),
    ('IE', 'Ireland', 0, 'en-IE'),
    ('IN', 'India', 330, 'en-IN'),
    ('IT', 'Italy', 60, 'it-IT'),
    ('JP', 'Japan', 540, 'ja-JP'),
    ('MX', 'Mexico', -360, 'es-MX'),
    ('NL', 'Netherlands', 60, 'nl-NL'),
    ('NO', 'Norway', 60, 'nb-NO'),
    ('PL', 'Poland', 60, 'pl-PL'),
    ('PT', 'Portugal', 0, 'pt-PT'),
    ('SE', 'Sweden', 60, 'sv-SE'),
    ('US', 'United States', -300, 'en-US');

CREATE TABLE mart.dim_device (
    device text,
    is_handheld boolean NOT NULL,
    PRIMARY KEY (device)
);
COMMENT ON TABLE mart.dim_device IS 'Kinds of device.';
COMMENT ON COLUMN mart.dim_device.device IS 'The device.';
COMMENT ON COLUMN mart.dim_device.is_handheld IS 'Whether it is held in the hand.';
INSERT INTO mart.dim_device VALUES ('mobile', true), ('desktop', false), ('tablet', true);

CREATE TABLE mart.dim_date (
    day date,
    year smallint NOT NULL,
    month smallint NOT NULL,
    iso_week smallint NOT NULL,
    iso_weekday smallint NOT NULL,
    weekday text NOT NULL,
    is_weekend boolean NOT NULL,
    PRIMARY KEY (day)
);
COMMENT ON TABLE mart.dim_date IS 'Days, for joining and labelling.';
COMMENT ON COLUMN mart.dim_date.day IS 'The day.';
COMMENT ON COLUMN mart.dim_date.year IS 'Year.';
COMMENT ON COLUMN mart.dim_date.month IS '1 to 12.';
COMMENT ON COLUMN mart.dim_date.iso_week IS 'Week as in ISO 8601.';
COMMENT ON COLUMN mart.dim_date.iso_weekday IS '1 is Monday, 7 is Sunday.';
COMMENT ON COLUMN mart.dim_date.weekday IS 'Its English name.';
COMMENT ON COLUMN mart.dim_date.is_weekend IS 'Whether it is Saturday or Sunday.';
INSERT INTO mart.dim_date
SELECT day::date, extract(year FROM day), extract(month FROM day), extract(week FROM day),
    extract(isodow FROM day), to_char(day, 'FMDay'), extract(isodow FROM day) > 5
FROM generate_series(timestamp '2020-01-01', timestamp '2049-12-31', interval '1 day') AS day;

CREATE VIEW mart.dim_product AS
SELECT DISTINCT ON (simulation, product_id)
    simulation, product_id, product_name, brand, category, price_minor,
    first_seen_at AS valid_from
FROM mart.dim_product_versions
ORDER BY simulation, product_id, last_seen_at DESC, first_seen_at DESC;
COMMENT ON VIEW mart.dim_product IS 'Products as they are offered now.';
COMMENT ON COLUMN mart.dim_product.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.dim_product.product_id IS 'The product.';
COMMENT ON COLUMN mart.dim_product.product_name IS 'Its name.';
COMMENT ON COLUMN mart.dim_product.brand IS 'Its brand.';
COMMENT ON COLUMN mart.dim_product.category IS 'Its category.';
COMMENT ON COLUMN mart.dim_product.price_minor IS 'Price of one. Unit: cents.';
COMMENT ON COLUMN mart.dim_product.valid_from IS 'Since when it has been offered so.';

CREATE VIEW mart.dim_category AS
SELECT simulation, category, count(DISTINCT product_id) AS products
FROM mart.dim_product_versions
GROUP BY simulation, category;
COMMENT ON VIEW mart.dim_category IS 'Categories of the catalogue.';
COMMENT ON COLUMN mart.dim_category.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.dim_category.category IS 'The category.';
COMMENT ON COLUMN mart.dim_category.products IS 'Products seen in it.';

CREATE VIEW mart.dim_channel AS
SELECT DISTINCT channel, channel IN ('paid_search', 'social', 'affiliate') AS is_paid
FROM mart.traffic_day;
COMMENT ON VIEW mart.dim_channel IS 'Ways to the shop that visitors took.';
COMMENT ON COLUMN mart.dim_channel.channel IS 'The channel.';
COMMENT ON COLUMN mart.dim_channel.is_paid IS 'Whether it is paid for.';

CREATE VIEW mart.fact_sessions AS
SELECT
    visits.session_id,
    visits.simulation,
    visits.run_id,
    visits.user_id,
    visits.persona,
    visits.country,
    visits.city,
    visits.language,
    visits.device,
    visits.os,
    visits.browser,
    visits.channel,
    visits.campaign,
    visits.visit_number,
    visits.started_at,
    visits.last_event_at,
    visits.entry_page,
    visits.exit_page,
    visits.events,
    visits.session_start_events,
    visits.page_view_events,
    visits.search_events,
    visits.view_item_list_events,
    visits.view_item_events,
    visits.add_to_cart_events,
    visits.remove_from_cart_events,
    visits.view_cart_events,
    visits.begin_checkout_events,
    visits.add_shipping_info_events,
    visits.add_payment_info_events,
    visits.purchase_events,
    visits.pages,
    visits.added_minor,
    visits.removed_minor,
    visits.left_minor,
    visits.revenue_minor,
    visits.duration_seconds,
    visits.is_bounce,
    visits.is_converted,
    visits.is_abandoned,
    runs.closed_at IS NOT NULL
        OR visits.last_event_at < coalesce(progress.final_before, '-infinity') AS is_final
FROM mart.visits AS visits
LEFT JOIN ops.runs AS runs USING (run_id)
LEFT JOIN ops.progress AS progress ON progress.query = 'events';
COMMENT ON VIEW mart.fact_sessions IS 'One row per visit: live from its first event, final when it is over.';
COMMENT ON COLUMN mart.fact_sessions.session_id IS 'The visit.';
COMMENT ON COLUMN mart.fact_sessions.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.fact_sessions.run_id IS 'The run.';
COMMENT ON COLUMN mart.fact_sessions.user_id IS 'The visitor.';
COMMENT ON COLUMN mart.fact_sessions.persona IS 'The kind of visitor.';
COMMENT ON COLUMN mart.fact_sessions.country IS 'The visitor''s country.';
COMMENT ON COLUMN mart.fact_sessions.city IS 'The visitor''s city.';
COMMENT ON COLUMN mart.fact_sessions.language IS 'The visitor''s language, a BCP 47 tag.';
COMMENT ON COLUMN mart.fact_sessions.device IS 'The visitor''s device.';
COMMENT ON COLUMN mart.fact_sessions.os IS 'Operating system of the device.';
COMMENT ON COLUMN mart.fact_sessions.browser IS 'The visitor''s browser.';
COMMENT ON COLUMN mart.fact_sessions.channel IS 'How the visitor once found the shop.';
COMMENT ON COLUMN mart.fact_sessions.campaign IS 'The campaign that led to this visit.';
COMMENT ON COLUMN mart.fact_sessions.visit_number IS 'How often the visitor has come in this run.';
COMMENT ON COLUMN mart.fact_sessions.started_at IS 'Time of the first event.';
COMMENT ON COLUMN mart.fact_sessions.last_event_at IS 'Time of the last event so far.';
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
COMMENT ON COLUMN mart.fact_sessions.pages IS 'Pages seen: pages, searches, lists, items and carts.';
COMMENT ON COLUMN mart.fact_sessions.added_minor IS 'Value put into the cart. Unit: cents.';
COMMENT ON COLUMN mart.fact_sessions.removed_minor IS 'Value taken out of it. Unit: cents.';
COMMENT ON COLUMN mart.fact_sessions.left_minor IS 'Value left in a cart from which nothing was bought. Unit: cents.';
COMMENT ON COLUMN mart.fact_sessions.revenue_minor IS 'Value of the orders. Unit: cents.';
COMMENT ON COLUMN mart.fact_sessions.duration_seconds IS 'From the first event to the last.';
COMMENT ON COLUMN mart.fact_sessions.is_bounce IS 'Whether the visitor saw one page at most.';
COMMENT ON COLUMN mart.fact_sessions.is_converted IS 'Whether something was bought.';
COMMENT ON COLUMN mart.fact_sessions.is_abandoned IS 'Whether something was put into the cart and nothing bought.';
COMMENT ON COLUMN mart.fact_sessions.is_final IS 'Whether the visit is over: the watermark is more than 30 minutes past it, or its run has ended.';

CREATE VIEW mart.funnel_hour AS
SELECT
    visits.hour, visits.simulation, visits.country, visits.device, visits.channel,
    steps.step, steps.name, steps.sessions
FROM mart.sessions_hour AS visits
CROSS JOIN LATERAL (
    VALUES
    (1, 'session', visits.sessions), (2, 'view_item', visits.view_sessions), (3, 'add_to_cart', visits.cart_sessions),
    (4, 'begin_checkout', visits.checkout_sessions), (5, 'purchase', visits.converted_sessions)
) AS steps (step, name, sessions);
COMMENT ON VIEW mart.funnel_hour IS 'How many visits came to each step, by hour, country, device and channel.';
COMMENT ON COLUMN mart.funnel_hour.hour IS 'Hour in which the visits began, UTC.';
COMMENT ON COLUMN mart.funnel_hour.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.funnel_hour.country IS 'The visitors'' country.';
COMMENT ON COLUMN mart.funnel_hour.device IS 'Their device.';
COMMENT ON COLUMN mart.funnel_hour.channel IS 'How they once found the shop.';
COMMENT ON COLUMN mart.funnel_hour.step IS 'Number of the step.';
COMMENT ON COLUMN mart.funnel_hour.name IS 'The step.';
COMMENT ON COLUMN mart.funnel_hour.sessions IS 'Visits that came to it.';

CREATE VIEW mart.funnel AS
SELECT
    simulation, step, name, sessions,
    round(100.0 * sessions / nullif(first_value(sessions) OVER steps, 0), 2) AS percent_of_all,
    round(100.0 * sessions / nullif(lag(sessions) OVER steps, 0), 2) AS percent_of_previous
FROM (
    SELECT simulation, step, name, sum(sessions)::bigint AS sessions
    FROM mart.funnel_hour
    GROUP BY simulation, step, name
) AS counted
WINDOW steps AS (PARTITION BY simulation ORDER BY step);
COMMENT ON VIEW mart.funnel IS 'How many visits came to each step on the way to an order.';
COMMENT ON COLUMN mart.funnel.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.funnel.step IS 'Number of the step.';
COMMENT ON COLUMN mart.funnel.name IS 'The step.';
COMMENT ON COLUMN mart.funnel.sessions IS 'Visits that came to it.';
COMMENT ON COLUMN mart.funnel.percent_of_all IS 'Share of all visits.';
COMMENT ON COLUMN mart.funnel.percent_of_previous IS 'Share of the visits of the step before.';

CREATE VIEW mart.kpis AS
SELECT
    simulation,
    max(users.visitors) AS visitors,
    sum(sessions)::bigint AS sessions,
    sum(converted_sessions)::bigint AS converted_sessions,
    round(100.0 * sum(converted_sessions) / nullif(sum(sessions), 0), 2) AS conversion_percent,
    sum(orders)::bigint AS orders,
    (sum(revenue_minor) / 100.0)::numeric(18, 2) AS revenue,
    (sum(revenue_minor) / 100.0 / nullif(sum(orders), 0))::numeric(18, 2) AS average_order_value,
    round(100.0 * sum(bounced_sessions) / nullif(sum(sessions), 0), 2) AS bounce_percent,
    round(100.0 * sum(abandoned_sessions) / nullif(sum(cart_sessions), 0), 2)
        AS abandonment_percent,
    round(sum(events)::numeric / nullif(sum(sessions), 0), 2) AS events_per_session,
    round(sum(duration_milliseconds) / 1000.0 / nullif(sum(sessions), 0), 1)
        AS average_duration_seconds
FROM mart.sessions_hour AS visits
LEFT JOIN (
    SELECT simulation, count(*) AS visitors FROM mart.dim_user GROUP BY simulation
) AS users USING (simulation)
GROUP BY simulation;
COMMENT ON VIEW mart.kpis IS 'The shop in one row per simulation. Money in euros.';
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

CREATE VIEW mart.kpis_hour AS
SELECT
    hour,
    simulation,
    max(users.visitors) AS visitors,
    sum(sessions)::bigint AS sessions,
    sum(converted_sessions)::bigint AS converted_sessions,
    round(100.0 * sum(converted_sessions) / nullif(sum(sessions), 0), 2) AS conversion_percent,
    sum(orders)::bigint AS orders,
    (sum(revenue_minor) / 100.0)::numeric(18, 2) AS revenue,
    (sum(revenue_minor) / 100.0 / nullif(sum(orders), 0))::numeric(18, 2) AS average_order_value,
    round(100.0 * sum(bounced_sessions) / nullif(sum(sessions), 0), 2) AS bounce_percent,
    round(100.0 * sum(abandoned_sessions) / nullif(sum(cart_sessions), 0), 2)
        AS abandonment_percent,
    round(sum(events)::numeric / nullif(sum(sessions), 0), 2) AS events_per_session,
    round(sum(duration_milliseconds) / 1000.0 / nullif(sum(sessions), 0), 1)
        AS average_duration_seconds
FROM mart.sessions_hour
LEFT JOIN mart.visitors_hour AS users USING (hour, simulation)
GROUP BY hour, simulation;
COMMENT ON VIEW mart.kpis_hour IS 'The shop per hour in which visits began. Money in euros.';
COMMENT ON COLUMN mart.kpis_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.kpis_hour.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.kpis_hour.visitors IS 'Different visitors with an event in it.';
COMMENT ON COLUMN mart.kpis_hour.sessions IS 'Visits.';
COMMENT ON COLUMN mart.kpis_hour.converted_sessions IS 'Visits with an order.';
COMMENT ON COLUMN mart.kpis_hour.conversion_percent IS 'Share of visits with an order.';
COMMENT ON COLUMN mart.kpis_hour.orders IS 'Orders.';
COMMENT ON COLUMN mart.kpis_hour.revenue IS 'Value of the orders. Unit: euros.';
COMMENT ON COLUMN mart.kpis_hour.average_order_value IS 'Revenue per order. Unit: euros.';
COMMENT ON COLUMN mart.kpis_hour.bounce_percent IS 'Share of visits that saw one page at most.';
COMMENT ON COLUMN mart.kpis_hour.abandonment_percent IS 'Share of the filled carts from which nothing was bought.';
COMMENT ON COLUMN mart.kpis_hour.events_per_session IS 'Mean number of events of a visit.';
COMMENT ON COLUMN mart.kpis_hour.average_duration_seconds IS 'Mean time from first to last event.';

CREATE VIEW mart.kpis_day AS
SELECT
    visits.day,
    simulation,
    max(users.visitors) AS visitors,
    max(users.new_visitors) AS new_visitors,
    sum(sessions)::bigint AS sessions,
    sum(converted_sessions)::bigint AS converted_sessions,
    round(100.0 * sum(converted_sessions) / nullif(sum(sessions), 0), 2) AS conversion_percent,
    sum(orders)::bigint AS orders,
    (sum(revenue_minor) / 100.0)::numeric(18, 2) AS revenue,
    (sum(revenue_minor) / 100.0 / nullif(sum(orders), 0))::numeric(18, 2) AS average_order_value,
    round(100.0 * sum(bounced_sessions) / nullif(sum(sessions), 0), 2) AS bounce_percent,
    round(100.0 * sum(abandoned_sessions) / nullif(sum(cart_sessions), 0), 2)
        AS abandonment_percent,
    round(sum(events)::numeric / nullif(sum(sessions), 0), 2) AS events_per_session,
    round(sum(duration_milliseconds) / 1000.0 / nullif(sum(sessions), 0), 1)
        AS average_duration_seconds
FROM (
    SELECT (hour AT TIME ZONE 'UTC')::date AS day, sessions_hour.* FROM mart.sessions_hour
) AS visits
LEFT JOIN (
    SELECT day, simulation, sum(visitors)::bigint AS visitors,
        sum(visitors) FILTER (WHERE cohort_day = day)::bigint AS new_visitors
    FROM mart.cohort_day GROUP BY day, simulation
) AS users USING (day, simulation)
GROUP BY visits.day, simulation;
COMMENT ON VIEW mart.kpis_day IS 'The shop per day in which visits began. Money in euros.';
COMMENT ON COLUMN mart.kpis_day.day IS 'The day, UTC.';
COMMENT ON COLUMN mart.kpis_day.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.kpis_day.visitors IS 'Different visitors, as of the last computing of mart.cohort_day.';
COMMENT ON COLUMN mart.kpis_day.new_visitors IS 'Of these, there for the first time.';
COMMENT ON COLUMN mart.kpis_day.sessions IS 'Visits.';
COMMENT ON COLUMN mart.kpis_day.converted_sessions IS 'Visits with an order.';
COMMENT ON COLUMN mart.kpis_day.conversion_percent IS 'Share of visits with an order.';
COMMENT ON COLUMN mart.kpis_day.orders IS 'Orders.';
COMMENT ON COLUMN mart.kpis_day.revenue IS 'Value of the orders. Unit: euros.';
COMMENT ON COLUMN mart.kpis_day.average_order_value IS 'Revenue per order. Unit: euros.';
COMMENT ON COLUMN mart.kpis_day.bounce_percent IS 'Share of visits that saw one page at most.';
COMMENT ON COLUMN mart.kpis_day.abandonment_percent IS 'Share of the filled carts from which nothing was bought.';
COMMENT ON COLUMN mart.kpis_day.events_per_session IS 'Mean number of events of a visit.';
COMMENT ON COLUMN mart.kpis_day.average_duration_seconds IS 'Mean time from first to last event.';

CREATE VIEW mart.top_products AS
SELECT simulation, product_id, product.product_name, product.category, total.views, total.carts,
    total.orders, total.pieces, total.revenue, total.view_to_cart_percent,
    total.cart_to_purchase_percent
FROM (
    SELECT hours.simulation, hours.product_id,
    sum(hours.view_item_events)::bigint AS views,
    sum(hours.add_to_cart_events)::bigint AS carts,
    sum(hours.orders)::bigint AS orders,
    sum(hours.pieces)::bigint AS pieces,
    (sum(hours.revenue_minor) / 100.0)::numeric(18, 2) AS revenue,
    round(100.0 * sum(hours.add_to_cart_events) / nullif(sum(hours.view_item_events), 0), 2)
        AS view_to_cart_percent,
    round(100.0 * sum(hours.orders) / nullif(sum(hours.add_to_cart_events), 0), 2)
        AS cart_to_purchase_percent
    FROM mart.product_hour AS hours
    GROUP BY hours.simulation, hours.product_id
) AS total
LEFT JOIN mart.dim_product AS product USING (simulation, product_id);
COMMENT ON VIEW mart.top_products IS 'Products with what was looked at, put into carts and bought.';
COMMENT ON COLUMN mart.top_products.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.top_products.product_id IS 'The product.';
COMMENT ON COLUMN mart.top_products.product_name IS 'Its name.';
COMMENT ON COLUMN mart.top_products.category IS 'Its category.';
COMMENT ON COLUMN mart.top_products.views IS 'How often it was looked at.';
COMMENT ON COLUMN mart.top_products.carts IS 'How often it was put into a cart.';
COMMENT ON COLUMN mart.top_products.orders IS 'Orders with it.';
COMMENT ON COLUMN mart.top_products.pieces IS 'How many were bought.';
COMMENT ON COLUMN mart.top_products.revenue IS 'Value of what was bought. Unit: euros.';
COMMENT ON COLUMN mart.top_products.view_to_cart_percent IS 'Times put into a cart per 100 looks.';
COMMENT ON COLUMN mart.top_products.cart_to_purchase_percent IS 'Orders with it per 100 times put into a cart.';

CREATE VIEW mart.product_day AS
SELECT (hours.hour AT TIME ZONE 'UTC')::date AS day, hours.simulation, hours.product_id,
    sum(hours.view_item_events)::bigint AS views,
    sum(hours.add_to_cart_events)::bigint AS carts,
    sum(hours.orders)::bigint AS orders,
    sum(hours.pieces)::bigint AS pieces,
    (sum(hours.revenue_minor) / 100.0)::numeric(18, 2) AS revenue,
    round(100.0 * sum(hours.add_to_cart_events) / nullif(sum(hours.view_item_events), 0), 2)
        AS view_to_cart_percent,
    round(100.0 * sum(hours.orders) / nullif(sum(hours.add_to_cart_events), 0), 2)
        AS cart_to_purchase_percent
FROM mart.product_hour AS hours
GROUP BY 1, 2, 3;
COMMENT ON VIEW mart.product_day IS 'What became of each product, per day.';
COMMENT ON COLUMN mart.product_day.day IS 'The day, UTC.';
COMMENT ON COLUMN mart.product_day.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.product_day.product_id IS 'The product.';
COMMENT ON COLUMN mart.product_day.views IS 'How often it was looked at.';
COMMENT ON COLUMN mart.product_day.carts IS 'How often it was put into a cart.';
COMMENT ON COLUMN mart.product_day.orders IS 'Orders with it.';
COMMENT ON COLUMN mart.product_day.pieces IS 'How many were bought.';
COMMENT ON COLUMN mart.product_day.revenue IS 'Value of what was bought. Unit: euros.';
COMMENT ON COLUMN mart.product_day.view_to_cart_percent IS 'Times put into a cart per 100 looks.';
COMMENT ON COLUMN mart.product_day.cart_to_purchase_percent IS 'Orders with it per 100 times put into a cart.';

CREATE VIEW mart.cart_abandonment AS
SELECT hour, simulation, country, device, channel, cart_sessions, abandoned_sessions,
    round(100.0 * abandoned_sessions / nullif(cart_sessions, 0), 2) AS abandonment_percent,
    (left_minor / 100.0)::numeric(18, 2) AS value_left
FROM mart.sessions_hour
WHERE cart_sessions > 0;
COMMENT ON VIEW mart.cart_abandonment IS 'Carts that were filled and left, per hour, country, device and channel, with the value left behind.';
COMMENT ON COLUMN mart.cart_abandonment.hour IS 'Hour in which the visits began, UTC.';
COMMENT ON COLUMN mart.cart_abandonment.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.cart_abandonment.country IS 'The visitors'' country.';
COMMENT ON COLUMN mart.cart_abandonment.device IS 'Their device.';
COMMENT ON COLUMN mart.cart_abandonment.channel IS 'How they once found the shop.';
COMMENT ON COLUMN mart.cart_abandonment.cart_sessions IS 'Visits that put something into the cart.';
COMMENT ON COLUMN mart.cart_abandonment.abandoned_sessions IS 'Of these, visits that bought nothing.';
COMMENT ON COLUMN mart.cart_abandonment.abandonment_percent IS 'Their share.';
COMMENT ON COLUMN mart.cart_abandonment.value_left IS 'Value left in these carts. Unit: euros.';

CREATE VIEW mart.session_behaviour AS
SELECT hour, simulation, country, device, channel, sessions,
    round(100.0 * bounced_sessions / nullif(sessions, 0), 2) AS bounce_percent,
    round(pages::numeric / nullif(sessions, 0), 2) AS pages_per_session,
    round(events::numeric / nullif(sessions, 0), 2) AS events_per_session,
    round(duration_milliseconds / 1000.0 / nullif(sessions, 0), 1) AS average_duration_seconds
FROM mart.sessions_hour;
COMMENT ON VIEW mart.session_behaviour IS 'How visits go, per hour, country, device and channel.';
COMMENT ON COLUMN mart.session_behaviour.hour IS 'Hour in which the visits began, UTC.';
COMMENT ON COLUMN mart.session_behaviour.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.session_behaviour.country IS 'The visitors'' country.';
COMMENT ON COLUMN mart.session_behaviour.device IS 'Their device.';
COMMENT ON COLUMN mart.session_behaviour.channel IS 'How they once found the shop.';
COMMENT ON COLUMN mart.session_behaviour.sessions IS 'Visits.';
COMMENT ON COLUMN mart.session_behaviour.bounce_percent IS 'Share of visits that saw one page at most.';
COMMENT ON COLUMN mart.session_behaviour.pages_per_session IS 'Pages seen per visit.';
COMMENT ON COLUMN mart.session_behaviour.events_per_session IS 'Events per visit.';
COMMENT ON COLUMN mart.session_behaviour.average_duration_seconds IS 'Mean time from first to last event.';

CREATE VIEW mart.cohorts AS
SELECT simulation, cohort_day, day - cohort_day AS days_later, visitors,
    round(100.0 * visitors / first_value(visitors) OVER cohort, 2) AS percent_of_cohort
FROM mart.cohort_day
WINDOW cohort AS (PARTITION BY simulation, cohort_day ORDER BY day);
COMMENT ON VIEW mart.cohorts IS 'Of the visitors of each first day, how many came again after so many days.';
COMMENT ON COLUMN mart.cohorts.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.cohorts.cohort_day IS 'Day of the first visit, UTC.';
COMMENT ON COLUMN mart.cohorts.days_later IS 'Days since then.';
COMMENT ON COLUMN mart.cohorts.visitors IS 'Visitors of the cohort there on that day.';
COMMENT ON COLUMN mart.cohorts.percent_of_cohort IS 'Their share of the cohort.';

CREATE VIEW mart.bought_together AS
SELECT pairs.simulation, pairs.product_id, pairs.other_product_id, pairs.orders
FROM (
    SELECT simulation, product_a AS product_id, product_b AS other_product_id, orders
    FROM mart.product_pairs
    UNION ALL
    SELECT simulation, product_b, product_a, orders FROM mart.product_pairs
) AS pairs;
COMMENT ON VIEW mart.bought_together IS 'What goes with a product: each pair, seen from either side.';
COMMENT ON COLUMN mart.bought_together.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.bought_together.product_id IS 'The product.';
COMMENT ON COLUMN mart.bought_together.other_product_id IS 'What was bought with it.';
COMMENT ON COLUMN mart.bought_together.orders IS 'Orders with both.';

CREATE VIEW mart.sessionization AS
SELECT day, simulation, true_sessions, rule_sessions, joined_boundaries, split_boundaries,
    round(100.0 * joined_boundaries / nullif(true_sessions, 0), 2) AS boundaries_lost_percent,
    round(100.0 * true_converted / nullif(true_sessions, 0), 2) AS true_conversion_percent,
    round(100.0 * rule_converted / nullif(rule_sessions, 0), 2) AS rule_conversion_percent
FROM mart.sessionization_day;
COMMENT ON VIEW mart.sessionization IS 'How far off the 30-minute rule is, by day.';
COMMENT ON COLUMN mart.sessionization.day IS 'Day in which the visits began, UTC.';
COMMENT ON COLUMN mart.sessionization.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN mart.sessionization.true_sessions IS 'Visits.';
COMMENT ON COLUMN mart.sessionization.rule_sessions IS 'Visits that the rule finds.';
COMMENT ON COLUMN mart.sessionization.joined_boundaries IS 'Beginnings of visits that the rule does not see.';
COMMENT ON COLUMN mart.sessionization.split_boundaries IS 'Beginnings that the rule sees in the midst of a visit.';
COMMENT ON COLUMN mart.sessionization.boundaries_lost_percent IS 'Share of the beginnings that the rule loses.';
COMMENT ON COLUMN mart.sessionization.true_conversion_percent IS 'Share of visits with an order.';
COMMENT ON COLUMN mart.sessionization.rule_conversion_percent IS 'The same, as the rule would have it.';

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

-- A day is made beside the table and then attached: that waits for nobody who reads or writes,
-- while PARTITION OF would wait for every reader, and everybody else for it.
CREATE OR REPLACE FUNCTION ops.ensure_event_partitions(first_day date, last_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    day date := first_day;
    name text;
BEGIN
    IF last_day - first_day > 800 THEN
        RAISE EXCEPTION 'from % to % are more days than one call may add', first_day, last_day;
    END IF;
    WHILE day <= last_day LOOP
        name := 'events_' || to_char(day, 'YYYYMMDD');
        IF to_regclass('raw.' || name) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('raw.events'));
            IF to_regclass('raw.' || name) IS NULL THEN
                EXECUTE format('CREATE TABLE raw.%I (LIKE raw.events INCLUDING DEFAULTS)', name);
                EXECUTE format(
                    'ALTER TABLE raw.events ATTACH PARTITION raw.%I FOR VALUES FROM (%L) TO (%L)',
                    name, day::text || ' 00:00+00', (day + 1)::text || ' 00:00+00'
                );
            END IF;
        END IF;
        day := day + 1;
    END LOOP;
END
$$;

-- Whole tables from tables, not from batches: small results that would cost more to keep up to
-- date with every batch than to compute now and then. The writer may run this and no more of it.
CREATE FUNCTION mart.compute_boards() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    began timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mart.compute_boards'));
    began := clock_timestamp();
    DELETE FROM mart.cohort_day;
    INSERT INTO mart.cohort_day (simulation, cohort_day, day, visitors)
    SELECT seen.simulation, (users.first_seen_at AT TIME ZONE 'UTC')::date, seen.day, count(*)
    FROM mart.user_day AS seen
    INNER JOIN mart.dim_user AS users USING (simulation, user_id)
    GROUP BY 1, 2, 3;
    INSERT INTO ops.boards (board, computed_at, seconds)
    VALUES ('mart.cohort_day', began, extract(epoch FROM clock_timestamp() - began))
    ON CONFLICT (board) DO UPDATE
        SET computed_at = excluded.computed_at, seconds = excluded.seconds;

    began := clock_timestamp();
    DELETE FROM mart.sessionization_day;
    -- Only a visit longer than the pause can hold one: only these are looked at event by event.
    INSERT INTO mart.sessionization_day (
        day, simulation, true_sessions, rule_sessions, joined_boundaries, split_boundaries,
        true_converted, rule_converted
    )
    WITH long AS (
        SELECT session_id, started_at, last_event_at FROM mart.visits
        WHERE last_event_at - started_at > interval '30 minutes'
    ), stretches AS (
        SELECT simulation, user_id, started_at AS from_time, last_event_at AS until_time,
            purchase_events > 0 AS bought, true AS is_beginning
        FROM mart.visits
        WHERE last_event_at - started_at <= interval '30 minutes'
        UNION ALL
        SELECT simulation, user_id, min(event_time), max(event_time),
            bool_or(event_name = 'purchase'), stretch = 0
        FROM (
            SELECT simulation, user_id, session_id, event_time, event_name,
                count(*) FILTER (WHERE is_pause) OVER visit AS stretch
            FROM (
                SELECT events.simulation, events.user_id, events.session_id, events.event_time,
                    events.event_name, events.session_seq,
                    events.event_time - lag(events.event_time) OVER (
                        PARTITION BY events.session_id ORDER BY events.session_seq
                    ) > interval '30 minutes' AS is_pause
                FROM raw.events AS events
                INNER JOIN long USING (session_id)
                WHERE events.event_time
                    BETWEEN (SELECT min(started_at) FROM long)
                    AND (SELECT max(last_event_at) FROM long)
            ) AS steps
            WINDOW visit AS (PARTITION BY session_id ORDER BY session_seq)
        ) AS numbered
        GROUP BY simulation, user_id, session_id, stretch
    ), judged AS (
        SELECT simulation, user_id, from_time, bought, is_beginning,
            from_time - max(until_time) OVER (
                PARTITION BY simulation, user_id ORDER BY from_time, until_time
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) <= interval '30 minutes' IS TRUE AS is_joined
        FROM stretches
    ), rule AS (
        SELECT simulation, user_id, from_time, bought, is_beginning, is_joined,
            count(*) FILTER (WHERE NOT is_joined) OVER (
                PARTITION BY simulation, user_id ORDER BY from_time ROWS UNBOUNDED PRECEDING
            ) AS number
        FROM judged
    ), found AS (
        SELECT simulation, (min(from_time) AT TIME ZONE 'UTC')::date AS day,
            bool_or(bought) AS bought
        FROM rule GROUP BY simulation, user_id, number
    ), found_day AS (
        SELECT simulation, day, count(*) AS sessions, count(*) FILTER (WHERE bought) AS converted
        FROM found GROUP BY simulation, day
    ), true_day AS (
        SELECT simulation, (started_at AT TIME ZONE 'UTC')::date AS day, count(*) AS sessions,
            count(*) FILTER (WHERE purchase_events > 0) AS converted
        FROM mart.visits GROUP BY 1, 2
    ), boundaries AS (
        SELECT simulation, (from_time AT TIME ZONE 'UTC')::date AS day,
            count(*) FILTER (WHERE is_beginning AND is_joined) AS joined,
            count(*) FILTER (WHERE NOT is_beginning AND NOT is_joined) AS split
        FROM rule GROUP BY 1, 2
    )
    SELECT day, simulation, coalesce(true_day.sessions, 0), coalesce(found_day.sessions, 0),
        coalesce(joined, 0), coalesce(split, 0), coalesce(true_day.converted, 0),
        coalesce(found_day.converted, 0)
    FROM true_day
    FULL JOIN found_day USING (simulation, day)
    FULL JOIN boundaries USING (simulation, day);
    INSERT INTO ops.boards (board, computed_at, seconds)
    VALUES ('mart.sessionization_day', began, extract(epoch FROM clock_timestamp() - began))
    ON CONFLICT (board) DO UPDATE
        SET computed_at = excluded.computed_at, seconds = excluded.seconds;
END
$$;
COMMENT ON FUNCTION mart.compute_boards IS
    'Computes mart.cohort_day and mart.sessionization_day anew, as a whole.';
GRANT EXECUTE ON FUNCTION mart.compute_boards TO clickstream_writer;

-- Retention: days go as a whole, and what went is counted, so that the ledger still closes.
CREATE FUNCTION ops.drop_event_partitions(before_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    part record;
    dropped integer := 0;
BEGIN
    -- Who reads for long must not make the stream wait for long: it is tried again later.
    SET LOCAL lock_timeout = '3s';
    IF before_day > (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'days from % on are not over yet', before_day;
    END IF;
    FOR part IN
        SELECT child.oid::regclass AS name
        FROM pg_inherits
        INNER JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = 'raw.events'::regclass
            AND child.relname ~ '^events_[0-9]{8}$'
            AND to_date(right(child.relname, 8), 'YYYYMMDD') < before_day
        ORDER BY child.relname
    LOOP
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', part.name);
        EXECUTE format(
            'UPDATE ops.shards AS known SET dropped_events = known.dropped_events + gone.events'
            ' FROM (SELECT run_id, shard, count(*) AS events FROM %s GROUP BY run_id, shard)'
            ' AS gone WHERE known.run_id = gone.run_id AND known.shard = gone.shard', part.name
        );
        EXECUTE format('DROP TABLE %s', part.name);
        dropped := dropped + 1;
    END LOOP;
    IF dropped > 0 THEN
        INSERT INTO ops.progress AS known (query, max_event_time)
        VALUES ('retention', before_day::timestamp AT TIME ZONE 'UTC')
        ON CONFLICT (query) DO UPDATE
            SET max_event_time = greatest(known.max_event_time, excluded.max_event_time);
    END IF;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION ops.drop_event_partitions IS
    'Drops the days of raw.events before one day, counts what went, and returns how many days.';
GRANT EXECUTE ON FUNCTION ops.drop_event_partitions TO clickstream_writer;

CREATE FUNCTION ops.forget_batches(kept integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    DELETE FROM ops.batches AS old
    USING (
        SELECT query, checkpoint_id, topic, kafka_partition, max(batch_id) AS last
        FROM ops.batches GROUP BY query, checkpoint_id, topic, kafka_partition
    ) AS newest
    WHERE kept >= 100 AND old.query = newest.query AND old.checkpoint_id = newest.checkpoint_id
        AND old.topic = newest.topic AND old.kafka_partition = newest.kafka_partition
        AND old.batch_id < newest.last - kept
$$;
COMMENT ON FUNCTION ops.forget_batches IS 'Forgets all but the last batches of each partition.';
GRANT EXECUTE ON FUNCTION ops.forget_batches TO clickstream_writer;

-- migrate:down
-- What the columns held is gone: `clickstream rebuild` works the marts out anew from raw.events.
DROP FUNCTION mart.compute_boards;
DROP FUNCTION ops.forget_batches;
DROP FUNCTION ops.drop_event_partitions;
DROP VIEW mart.ga4_events;
DROP VIEW mart.sessionization;
DROP VIEW mart.bought_together;
DROP VIEW mart.cohorts;
DROP VIEW mart.session_behaviour;
DROP VIEW mart.cart_abandonment;
DROP VIEW mart.product_day;
DROP VIEW mart.top_products;
DROP VIEW mart.kpis_day;
DROP VIEW mart.kpis_hour;
DROP VIEW mart.kpis;
DROP VIEW mart.funnel;
DROP VIEW mart.funnel_hour;
DROP VIEW mart.fact_sessions;
DROP VIEW mart.dim_channel;
DROP VIEW mart.dim_category;
DROP VIEW mart.dim_product;
DROP TABLE mart.dim_date;
DROP TABLE mart.dim_device;
DROP TABLE mart.dim_country;
DROP TABLE ops.boards;
DROP TABLE ops.quality_minute;
DROP TABLE ops.quality_rules;
DROP TABLE mart.sessionization_day;
DROP TABLE mart.cohort_day;
DROP TABLE mart.product_pairs;
DROP TABLE mart.dim_product_versions;
DROP TABLE mart.visitors_hour;
DROP TABLE mart.user_day;
DROP TABLE mart.dim_user;
DROP TABLE mart.pages_day;
DROP TABLE mart.sessions_hour;
DROP TABLE mart.traffic_day;
DROP INDEX ops.rejected_events_reason;
ALTER TABLE ops.rejected_events DROP COLUMN replayed_at, DROP COLUMN rule;
ALTER TABLE mart.product_hour DROP COLUMN revenue_minor, DROP COLUMN pieces, DROP COLUMN orders;
ALTER TABLE mart.product_hour ADD COLUMN product_name text NOT NULL DEFAULT '',
    ADD COLUMN brand text NOT NULL DEFAULT '', ADD COLUMN category text NOT NULL DEFAULT '';
ALTER TABLE mart.fact_order_items DROP CONSTRAINT fact_order_items_order_id_fkey;
ALTER TABLE mart.fact_order_items ADD CONSTRAINT fact_order_items_order_id_fkey
    FOREIGN KEY (order_id) REFERENCES mart.fact_orders;
ALTER TABLE ops.shards DROP COLUMN dropped_events;
ALTER TABLE ops.batches DROP COLUMN from_offset;
ALTER TABLE ops.progress DROP COLUMN final_before;
DROP INDEX mart.visits_user;
ALTER TABLE mart.visits DROP COLUMN left_minor, DROP COLUMN pages, DROP COLUMN os,
    DROP COLUMN language, ADD COLUMN is_final boolean NOT NULL DEFAULT false;
ALTER INDEX mart.visits_pkey RENAME TO fact_sessions_pkey;
ALTER TABLE mart.visits RENAME TO fact_sessions;
CREATE INDEX fact_sessions_open ON mart.fact_sessions (started_at) WHERE NOT is_final;
ALTER TABLE raw.events DROP COLUMN flags;

CREATE OR REPLACE FUNCTION ops.ensure_event_partitions(first_day date, last_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    day date := first_day;
    name text;
BEGIN
    IF last_day - first_day > 800 THEN
        RAISE EXCEPTION 'from % to % are more days than one call may add', first_day, last_day;
    END IF;
    WHILE day <= last_day LOOP
        name := 'events_' || to_char(day, 'YYYYMMDD');
        IF to_regclass('raw.' || name) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('raw.' || name));
            EXECUTE format(
                'CREATE TABLE IF NOT EXISTS raw.%I PARTITION OF raw.events'
                ' FOR VALUES FROM (%L) TO (%L)',
                name, day::text || ' 00:00+00', (day + 1)::text || ' 00:00+00'
            );
        END IF;
        day := day + 1;
    END LOOP;
END
$$;

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
