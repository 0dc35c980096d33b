CREATE TABLE mart.dim_user (
    -- derived: columns
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
    -- end
) WITH (fillfactor = 90);
-- derived: comments
COMMENT ON TABLE mart.dim_user IS 'Users, as their first session shows them.';
COMMENT ON COLUMN mart.dim_user.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.dim_user.user_id IS 'The user.';
COMMENT ON COLUMN mart.dim_user.persona IS 'The kind of user.';
COMMENT ON COLUMN mart.dim_user.country IS 'The user''s country.';
COMMENT ON COLUMN mart.dim_user.city IS 'The user''s city.';
COMMENT ON COLUMN mart.dim_user.language IS 'The user''s language, a BCP 47 tag.';
COMMENT ON COLUMN mart.dim_user.device IS 'The user''s device.';
COMMENT ON COLUMN mart.dim_user.os IS 'Operating system of the device.';
COMMENT ON COLUMN mart.dim_user.browser IS 'The user''s browser.';
COMMENT ON COLUMN mart.dim_user.channel IS 'How the user first found the shop.';
COMMENT ON COLUMN mart.dim_user.first_seen_at IS 'Time of the first event.';
-- end

-- DELETE: for a user whose only session turns out to be another user's.
GRANT INSERT, UPDATE, DELETE ON mart.dim_user TO clickstream_writer;
