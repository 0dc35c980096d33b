-- mart.refresh_summaries() stores these rows in mart.sessionization_day, and the verification compares
-- them. Only a session longer than 30 minutes can contain a pause of 30 minutes: only the events of
-- these sessions are read.
CREATE OR REPLACE VIEW ops.sessionization_day_definition AS
WITH long AS (
    SELECT session_id, started_at, last_event_at FROM mart.sessions
    WHERE last_event_at - started_at > interval '30 minutes'
), stretches AS (
    SELECT simulation, user_id, started_at AS from_time, last_event_at AS until_time,
        purchase_events > 0 AS bought, true AS is_beginning
    FROM mart.sessions
    WHERE last_event_at - started_at <= interval '30 minutes'
    UNION ALL
    SELECT simulation, user_id, min(event_time), max(event_time),
        bool_or(event_name = 'purchase'), stretch = 0
    FROM (
        SELECT simulation, user_id, session_id, event_time, event_name,
            count(*) FILTER (WHERE is_pause) OVER session AS stretch
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
        WINDOW session AS (PARTITION BY session_id ORDER BY session_seq)
    ) AS numbered
    GROUP BY simulation, user_id, session_id, stretch
), compared AS (
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
    FROM compared
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
    FROM mart.sessions GROUP BY 1, 2
), boundaries AS (
    SELECT simulation, (from_time AT TIME ZONE 'UTC')::date AS day,
        count(*) FILTER (WHERE is_beginning AND is_joined) AS joined,
        count(*) FILTER (WHERE NOT is_beginning AND NOT is_joined) AS split
    FROM rule GROUP BY 1, 2
)
SELECT
    day,
    simulation,
    coalesce(true_day.sessions, 0) AS true_sessions,
    coalesce(found_day.sessions, 0) AS rule_sessions,
    coalesce(joined, 0) AS joined_boundaries,
    coalesce(split, 0) AS split_boundaries,
    coalesce(true_day.converted, 0) AS true_converted,
    coalesce(found_day.converted, 0) AS rule_converted
FROM true_day
FULL JOIN found_day USING (simulation, day)
FULL JOIN boundaries USING (simulation, day);
COMMENT ON VIEW ops.sessionization_day_definition IS 'What mart.sessionization_day holds once it is computed.';
COMMENT ON COLUMN ops.sessionization_day_definition.day IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.simulation IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.true_sessions IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.rule_sessions IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.joined_boundaries IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.split_boundaries IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.true_converted IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.rule_converted IS 'As in mart.sessionization_day.';
