-- Whether a session is over follows from ops.runs and ops.shards, so no row is written again for
-- that.
CREATE TABLE mart.sessions (
    -- derived: columns
    session_id uuid NOT NULL,
    simulation text NOT NULL,
    run_id uuid NOT NULL,
    user_id text NOT NULL,
    persona text NOT NULL,
    country text NOT NULL,
    city text NOT NULL,
    language text NOT NULL,
    device text NOT NULL,
    os text NOT NULL,
    browser text NOT NULL,
    channel text NOT NULL,
    entry_page text NOT NULL,
    exit_page text NOT NULL,
    campaign text,
    referrer text,
    session_number integer,
    experiments text,
    started_at timestamptz NOT NULL,
    last_event_at timestamptz NOT NULL,
    first_seq integer NOT NULL,
    last_seq integer NOT NULL,
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
    duration_seconds numeric GENERATED ALWAYS AS (
        extract(epoch FROM last_event_at - started_at)
    ) VIRTUAL,
    pages integer GENERATED ALWAYS AS (
        page_view_events + search_events + view_item_list_events + view_item_events
        + view_cart_events
    ) VIRTUAL,
    is_bounce boolean GENERATED ALWAYS AS (events <= 2) VIRTUAL,
    is_converted boolean GENERATED ALWAYS AS (purchase_events > 0) VIRTUAL,
    is_abandoned boolean GENERATED ALWAYS AS (
        add_to_cart_events > 0 AND purchase_events = 0
    ) VIRTUAL,
    left_minor bigint GENERATED ALWAYS AS (
        CASE WHEN add_to_cart_events > 0 AND purchase_events = 0
            THEN greatest(added_minor - removed_minor, 0) ELSE 0 END
    ) VIRTUAL,
    PRIMARY KEY (session_id)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.sessions IS 'One row per session, from its first event on. Columns about the user are from the event with the lowest session_seq. mart.fact_sessions adds whether the session is over.';
COMMENT ON COLUMN mart.sessions.session_id IS 'The session.';
COMMENT ON COLUMN mart.sessions.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.sessions.run_id IS 'The run.';
COMMENT ON COLUMN mart.sessions.user_id IS 'The user.';
COMMENT ON COLUMN mart.sessions.persona IS 'The kind of user.';
COMMENT ON COLUMN mart.sessions.country IS 'The user''s country.';
COMMENT ON COLUMN mart.sessions.city IS 'The user''s city.';
COMMENT ON COLUMN mart.sessions.language IS 'The user''s language, a BCP 47 tag.';
COMMENT ON COLUMN mart.sessions.device IS 'The user''s device.';
COMMENT ON COLUMN mart.sessions.os IS 'Operating system of the device.';
COMMENT ON COLUMN mart.sessions.browser IS 'The user''s browser.';
COMMENT ON COLUMN mart.sessions.channel IS 'How the user first found the shop.';
COMMENT ON COLUMN mart.sessions.entry_page IS 'Page of the first event.';
COMMENT ON COLUMN mart.sessions.exit_page IS 'Page of the last event so far.';
COMMENT ON COLUMN mart.sessions.campaign IS 'The campaign that led to this session.';
COMMENT ON COLUMN mart.sessions.referrer IS 'The page that led to the shop; null for direct sessions.';
COMMENT ON COLUMN mart.sessions.session_number IS 'Number of the session among the user''s sessions in this run; 1 is the first.';
COMMENT ON COLUMN mart.sessions.experiments IS 'The arms in which the session is, as experiment=arm, separated by commas; null without one.';
COMMENT ON COLUMN mart.sessions.started_at IS 'Time of the first event.';
COMMENT ON COLUMN mart.sessions.last_event_at IS 'Time of the last event so far.';
COMMENT ON COLUMN mart.sessions.first_seq IS 'Lowest session_seq; 1 if nothing is missing.';
COMMENT ON COLUMN mart.sessions.last_seq IS 'Highest session_seq.';
COMMENT ON COLUMN mart.sessions.events IS 'Events of all names.';
COMMENT ON COLUMN mart.sessions.session_start_events IS 'Events named session_start.';
COMMENT ON COLUMN mart.sessions.page_view_events IS 'Events named page_view.';
COMMENT ON COLUMN mart.sessions.search_events IS 'Events named search.';
COMMENT ON COLUMN mart.sessions.view_item_list_events IS 'Events named view_item_list.';
COMMENT ON COLUMN mart.sessions.view_item_events IS 'Events named view_item.';
COMMENT ON COLUMN mart.sessions.add_to_cart_events IS 'Events named add_to_cart.';
COMMENT ON COLUMN mart.sessions.remove_from_cart_events IS 'Events named remove_from_cart.';
COMMENT ON COLUMN mart.sessions.view_cart_events IS 'Events named view_cart.';
COMMENT ON COLUMN mart.sessions.begin_checkout_events IS 'Events named begin_checkout.';
COMMENT ON COLUMN mart.sessions.add_shipping_info_events IS 'Events named add_shipping_info.';
COMMENT ON COLUMN mart.sessions.add_payment_info_events IS 'Events named add_payment_info.';
COMMENT ON COLUMN mart.sessions.purchase_events IS 'Events named purchase.';
COMMENT ON COLUMN mart.sessions.added_minor IS 'Value put into the cart. Unit: minor units.';
COMMENT ON COLUMN mart.sessions.removed_minor IS 'Value taken out of it. Unit: minor units.';
COMMENT ON COLUMN mart.sessions.revenue_minor IS 'Value of the orders. Unit: minor units.';
COMMENT ON COLUMN mart.sessions.duration_seconds IS 'From the first event to the last.';
COMMENT ON COLUMN mart.sessions.pages IS 'Pages seen: pages, searches, lists, items and carts.';
COMMENT ON COLUMN mart.sessions.is_bounce IS 'Whether the user saw one page at most.';
COMMENT ON COLUMN mart.sessions.is_converted IS 'Whether something was bought.';
COMMENT ON COLUMN mart.sessions.is_abandoned IS 'Whether something was put into the cart and nothing bought.';
COMMENT ON COLUMN mart.sessions.left_minor IS 'Value left in a cart from which nothing was bought. Unit: minor units.';
-- end

-- Returns the latest sessions of a simulation, page by page.
CREATE INDEX sessions_started ON mart.sessions (simulation, started_at, session_id);

-- Returns a user's sessions in order, for mart.sessionization_day.
CREATE INDEX sessions_user ON mart.sessions (user_id, started_at);

GRANT INSERT, UPDATE ON mart.sessions TO clickstream_writer;
