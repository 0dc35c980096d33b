CREATE OR REPLACE VIEW mart.dim_channel AS
SELECT DISTINCT channel, channel IN ('paid_search', 'social', 'affiliate') AS is_paid
FROM mart.traffic_day;
COMMENT ON VIEW mart.dim_channel IS 'Channels through which users found the shop.';
COMMENT ON COLUMN mart.dim_channel.channel IS 'The channel.';
COMMENT ON COLUMN mart.dim_channel.is_paid IS 'Whether it is paid for.';
