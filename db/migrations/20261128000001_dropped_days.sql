-- migrate:up
-- A visit with a pause in it is looked at event by event. Days that retention has dropped keep the
-- figures that were worked out when their events were still there.
CREATE OR REPLACE FUNCTION mart.compute_boards() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    began timestamptz;
    kept_since date;
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
    -- What has begun on a dropped day, or on the day after, cannot be told apart any more.
    SELECT (max_event_time AT TIME ZONE 'UTC')::date INTO kept_since
    FROM ops.progress WHERE query = 'retention';
    kept_since := coalesce(kept_since, '-infinity');
    DELETE FROM mart.sessionization_day WHERE day > kept_since;
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
    FULL JOIN boundaries USING (simulation, day)
    WHERE day > kept_since;
    INSERT INTO ops.boards (board, computed_at, seconds)
    VALUES ('mart.sessionization_day', began, extract(epoch FROM clock_timestamp() - began))
    ON CONFLICT (board) DO UPDATE
        SET computed_at = excluded.computed_at, seconds = excluded.seconds;
END
$$;

CREATE OR REPLACE FUNCTION ops.drop_event_partitions(before_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    part record;
    dropped integer := 0;
BEGIN
    -- Who reads for long must not make the stream wait for long: it is tried again later.
    SET LOCAL lock_timeout = '3s';
    -- A rebuild asks which days are left, and then deletes what none of them explains.
    PERFORM pg_advisory_xact_lock(hashtext('raw.events.days'));
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

-- migrate:down
CREATE OR REPLACE FUNCTION ops.drop_event_partitions(before_day date) RETURNS integer
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

CREATE OR REPLACE FUNCTION mart.compute_boards() RETURNS void
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
