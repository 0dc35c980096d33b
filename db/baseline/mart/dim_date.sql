CREATE TABLE mart.dim_date (
    day date PRIMARY KEY,
    year smallint NOT NULL,
    month smallint NOT NULL,
    iso_week smallint NOT NULL,
    iso_weekday smallint NOT NULL,
    weekday text NOT NULL,
    is_weekend boolean NOT NULL
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
