CREATE TABLE mart.dim_device (
    device text PRIMARY KEY,
    is_handheld boolean NOT NULL
);
COMMENT ON TABLE mart.dim_device IS 'Kinds of device.';
COMMENT ON COLUMN mart.dim_device.device IS 'The device.';
COMMENT ON COLUMN mart.dim_device.is_handheld IS 'Whether it is held in the hand.';

INSERT INTO mart.dim_device VALUES ('mobile', true), ('desktop', false), ('tablet', true);
