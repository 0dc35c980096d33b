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
COMMENT ON TABLE mart.dim_user IS 'Users, as their first session shows them.';
COMMENT ON COLUMN mart.dim_user.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.dim_user.user_id IS 'The user.';
COMMENT ON COLUMN mart.dim_user.persona IS 'The kind of user.';
COMMENT ON COLUMN mart.dim_user.country IS 'ISO 3166-1 alpha-2 code.';
COMMENT ON COLUMN mart.dim_user.city IS 'The user''s city.';
COMMENT ON COLUMN mart.dim_user.language IS 'BCP 47 tag.';
COMMENT ON COLUMN mart.dim_user.device IS 'The user''s device.';
COMMENT ON COLUMN mart.dim_user.os IS 'Its operating system.';
COMMENT ON COLUMN mart.dim_user.browser IS 'Its browser.';
COMMENT ON COLUMN mart.dim_user.channel IS 'How the user first found the shop.';
COMMENT ON COLUMN mart.dim_user.first_seen_at IS 'Time of the first event.';

-- DELETE: for a user whose only session turns out to be another user's.
GRANT INSERT, UPDATE, DELETE ON mart.dim_user TO clickstream_writer;
