CREATE TABLE mart.dim_country (
    country text PRIMARY KEY,
    name text NOT NULL,
    utc_offset_minutes integer NOT NULL,
    language text NOT NULL
);
COMMENT ON TABLE mart.dim_country IS 'Countries that users can come from.';
COMMENT ON COLUMN mart.dim_country.country IS 'ISO 3166-1 alpha-2 code.';
COMMENT ON COLUMN mart.dim_country.name IS 'Its English name.';
COMMENT ON COLUMN mart.dim_country.utc_offset_minutes IS 'Standard time less UTC. Unit: minutes.';
COMMENT ON COLUMN mart.dim_country.language IS 'BCP 47 tag of what most users from there speak.';

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
