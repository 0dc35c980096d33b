-- ingested_at: one time for all rows of a COPY, which the stream can read back. The default is not
-- volatile: with a volatile default PostgreSQL inserts the rows of a COPY one by one.
CREATE TABLE raw.events (
    -- derived: columns
    event_id uuid NOT NULL,
    session_id uuid NOT NULL,
    event_time timestamptz NOT NULL,
    schema_version integer NOT NULL,
    simulation text NOT NULL,
    run_id uuid NOT NULL,
    event_name text NOT NULL,
    shard integer NOT NULL,
    shard_seq bigint NOT NULL,
    session_seq integer NOT NULL,
    user_id text NOT NULL,
    persona text NOT NULL,
    channel text NOT NULL,
    country text NOT NULL,
    city text NOT NULL,
    language text NOT NULL,
    device text NOT NULL,
    os text NOT NULL,
    browser text NOT NULL,
    page text NOT NULL,
    referrer text,
    campaign text,
    user_agent text,
    session_number integer,
    experiments text,
    search_term text,
    category text,
    product_id text,
    product_name text,
    brand text,
    price_minor bigint,
    quantity integer,
    shipping_tier text,
    payment_type text,
    order_id uuid,
    items jsonb,
    cart_quantity integer,
    value_minor bigint,
    currency text,
    sent_at timestamptz NOT NULL,
    -- end
    kafka_partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    ingested_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    flags text,
    PRIMARY KEY (event_id, event_time)
) PARTITION BY RANGE (event_time);
COMMENT ON TABLE raw.events IS 'One row per event, even if it was sent twice.';
-- derived: comments
COMMENT ON COLUMN raw.events.event_id IS 'Identity of the event: RFC 9562 version 8, made of run, shard and shard_seq, so a record sent twice has it twice.';
COMMENT ON COLUMN raw.events.session_id IS 'The session.';
COMMENT ON COLUMN raw.events.event_time IS 'When the user did it.';
COMMENT ON COLUMN raw.events.schema_version IS 'Version of this table.';
COMMENT ON COLUMN raw.events.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN raw.events.run_id IS 'The run of that simulation.';
COMMENT ON COLUMN raw.events.event_name IS 'What the user did.';
COMMENT ON COLUMN raw.events.shard IS 'Logical shard that made it.';
COMMENT ON COLUMN raw.events.shard_seq IS 'Its number within run and shard: 1, 2, 3 and so on without a gap.';
COMMENT ON COLUMN raw.events.session_seq IS 'Its number within the session: 1, 2, 3 and so on without a gap.';
COMMENT ON COLUMN raw.events.user_id IS 'The user, the same in every session; also the key of the Kafka record.';
COMMENT ON COLUMN raw.events.persona IS 'The kind of user: the truth, which a real stream does not contain.';
COMMENT ON COLUMN raw.events.channel IS 'How the user first found the shop.';
COMMENT ON COLUMN raw.events.country IS 'ISO 3166-1 alpha-2 code.';
COMMENT ON COLUMN raw.events.city IS 'The user''s city.';
COMMENT ON COLUMN raw.events.language IS 'BCP 47 tag, such as de-DE.';
COMMENT ON COLUMN raw.events.device IS 'The user''s device.';
COMMENT ON COLUMN raw.events.os IS 'Operating system of the device.';
COMMENT ON COLUMN raw.events.browser IS 'Browser, without its version.';
COMMENT ON COLUMN raw.events.page IS 'Path of the page.';
COMMENT ON COLUMN raw.events.referrer IS 'The page that led to the shop; absent for direct sessions.';
COMMENT ON COLUMN raw.events.campaign IS 'The campaign that led to the shop; absent without one.';
COMMENT ON COLUMN raw.events.user_agent IS 'The browser''s own name.';
COMMENT ON COLUMN raw.events.session_number IS 'Number of the session among the user''s sessions in this run; 1 is the first.';
COMMENT ON COLUMN raw.events.experiments IS 'The arms in which the session is, as experiment=arm, separated by commas; absent without one.';
COMMENT ON COLUMN raw.events.search_term IS 'What was searched for.';
COMMENT ON COLUMN raw.events.category IS 'Category of list or item.';
COMMENT ON COLUMN raw.events.product_id IS 'The product.';
COMMENT ON COLUMN raw.events.product_name IS 'Its name.';
COMMENT ON COLUMN raw.events.brand IS 'Its brand.';
COMMENT ON COLUMN raw.events.price_minor IS 'Price of one. Unit: minor units.';
COMMENT ON COLUMN raw.events.quantity IS 'How many were put in or taken out. Unit: pieces.';
COMMENT ON COLUMN raw.events.shipping_tier IS 'Kind of delivery.';
COMMENT ON COLUMN raw.events.payment_type IS 'Means of payment.';
COMMENT ON COLUMN raw.events.order_id IS 'The order.';
COMMENT ON COLUMN raw.events.items IS 'The lines of the order; since version 2 also those of the cart, unless it is empty.';
COMMENT ON COLUMN raw.events.cart_quantity IS 'How many pieces the cart holds after the event; before it for a purchase. Unit: pieces.';
COMMENT ON COLUMN raw.events.value_minor IS 'Value of what the event is about: the item viewed, the pieces put in or taken out, the cart at checkout, the order. Unit: minor units.';
COMMENT ON COLUMN raw.events.currency IS 'ISO 4217 code of the shop''s currency.';
COMMENT ON COLUMN raw.events.sent_at IS 'When the generator handed it to Kafka.';
-- end
COMMENT ON COLUMN raw.events.kafka_partition IS 'Partition of the topic it came in.';
COMMENT ON COLUMN raw.events.kafka_offset IS 'Its offset there.';
COMMENT ON COLUMN raw.events.ingested_at IS 'When the stream began to write the rows of its share of the batch.';
COMMENT ON COLUMN raw.events.flags IS 'Rules of ops.quality_rules that found it odd, separated by commas; null if none did.';

-- Finds the events of the last seconds. Rows come nearly in order of time, so a summary for each
-- range of pages is enough, and it costs the writer next to nothing.
CREATE INDEX events_time ON raw.events USING brin (event_time) WITH (autosummarize = on);

GRANT INSERT ON raw.events TO clickstream_writer;
