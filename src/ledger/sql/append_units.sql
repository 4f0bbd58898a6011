-- The one way into the log: appends those units of a batch that still hold, all of a unit or nothing of it.
--
-- Promises:
--   * The log's row is taken first and only then is anything looked at (VOLATILE: every statement below takes a new
--     snapshot), so heads, source keys and references cannot change any more; positions are gapless and in the order
--     of commit. Lock order: the log's row, then heads, then counters. Heads need no lock of their own to be compared:
--     nothing writes one without holding its log's row.
--   * A stamp earlier than the log's last one does nothing at all: `behind` is true, the caller stamps again.
--   * Per unit, in this order of precedence: a key of it is in the log or finally refused (`exists`), a head it read
--     has moved or a unit it builds on does not hold (`stale`), a counter would pass its limit (`limit`), appended.
--   * It raises for nothing a sender can cause. Units that clash inside the batch are the caller's to find (`p_stale`);
--     a caller who does not meets the unique constraints.
--
-- Units are numbered from 1 in the order of the batch, records come in unit order. Only what was not appended is
-- answered by unit; the records appended have the positions from `first_position` on, in order.
--
-- Plans: every table is entered by an index with an array of keys, and the settings below leave the planner no other
-- way. So one plan is right for an empty table and a full one, and is made once per connection, not per call.
CREATE OR REPLACE FUNCTION append_units(
    p_log_id integer,
    p_recorded_at timestamptz,
    p_units integer,
    -- units that clash with an earlier one of the batch
    p_stale integer[],
    -- heads read and not written by an earlier unit of the batch; unit 0 stands for all (the program's own head)
    p_read_units integer[],
    p_read_streams uuid[],
    p_read_versions bigint[],
    p_read_hashes bytea[],
    -- which unit builds on which earlier one, in the order of the former
    p_dependent_units integer[],
    p_depends_on integer[],
    p_record_units integer[],
    p_record_streams uuid[],
    p_record_versions bigint[],
    p_record_source_keys uuid[],
    p_record_references uuid[],
    p_record_types text[],
    p_record_times timestamptz[],
    p_records json[],
    -- keys of units that none of their records carries
    p_other_units integer[],
    p_other_keys uuid[],
    -- heads as the last record that writes them (by its place) leaves them; first those of streams that begin here
    p_heads_new integer,
    p_head_records integer[],
    p_head_customers text[],
    p_head_hashes bytea[],
    p_head_schemas integer[],
    p_head_states json[],
    p_head_dues timestamptz[],
    p_refusal_units integer[],
    p_refusal_source_keys uuid[],
    p_refusal_fingerprints bytea[],
    p_refusal_codes text[],
    p_refusal_statuses text[],
    p_refusal_waits uuid[],
    p_refusal_customers text[],
    p_refusal_problems json[],
    p_refusal_events json[],
    -- what the units add to counters, in unit order; a counter is named by its place in p_counters
    p_counters text[],
    p_raise_units integer[],
    p_raise_counters integer[],
    p_raise_amounts bigint[],
    p_raise_limits bigint[],
    OUT log_recorded_at timestamptz,
    OUT behind boolean,
    OUT awakened boolean,
    OUT first_position bigint,
    OUT existing_units integer[],
    OUT existing_positions bigint[],
    OUT stale_units integer[],
    OUT limit_units integer[],
    OUT limit_counters text[],
    OUT limit_useds bigint[],
    OUT limit_limits bigint[]
)
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_nestloop = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
    v_holds boolean[] := array_fill(true, ARRAY[p_units]);
    v_exists boolean[] := array_fill(false, ARRAY[p_units]);
    v_all_hold boolean := true;
    v_keys uuid[] := p_record_source_keys || p_other_keys;
    v_key_units integer[] := p_record_units || p_other_units;
    v_hit record;
    v_unit integer;
    v_units integer[];
    v_waiting uuid[] := '{}';
    v_useds bigint[];
    v_counter integer;
    v_dependency integer := 1;
    v_raise integer := 1;
    v_raise_first integer;
    v_rows bigint;
BEGIN
    SELECT next_position, recorded_at
    INTO first_position, log_recorded_at
    FROM logs
    WHERE log_id = p_log_id
    FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no log %', p_log_id USING ERRCODE = 'no_data_found';
    END IF;

    awakened := false;
    behind := p_recorded_at < log_recorded_at;
    IF behind THEN
        RETURN;
    END IF;
    log_recorded_at := p_recorded_at;

    -- Keys. As a rule nothing is found.
    FOR v_hit IN
        SELECT 'recorded' AS found, e.source_key AS key, e.position
        FROM events AS e
        WHERE e.log_id = p_log_id AND e.source_key = ANY (v_keys)
        UNION ALL
        SELECT 'referenced', e.reference, e.position
        FROM events AS e
        WHERE e.log_id = p_log_id AND e.reference = ANY (p_record_references)
        UNION ALL
        SELECT f.status, f.source_key, NULL
        FROM refusals AS f
        WHERE f.log_id = p_log_id AND f.source_key = ANY (v_keys)
        UNION ALL
        SELECT 'awaited', f.waits_for, NULL
        FROM refusals AS f
        WHERE f.log_id = p_log_id AND f.status = 'waiting' AND f.waits_for = ANY (p_record_references)
    LOOP
        IF v_hit.found = 'awaited' THEN
            awakened := true;
        ELSIF v_hit.found = 'waiting' THEN
            v_waiting := v_waiting || v_hit.key;
        ELSIF v_hit.found <> 'settled' THEN
            v_units := CASE v_hit.found
                WHEN 'referenced' THEN
                    ARRAY(SELECT p_record_units[i] FROM unnest(array_positions(p_record_references, v_hit.key)) AS n (i))
                ELSE ARRAY(SELECT v_key_units[i] FROM unnest(array_positions(v_keys, v_hit.key)) AS n (i))
            END;
            FOREACH v_unit IN ARRAY v_units LOOP
                v_all_hold := false;
                v_holds[v_unit] := false;
                IF NOT v_exists[v_unit] THEN
                    v_exists[v_unit] := true;
                    existing_units := existing_units || v_unit;
                    existing_positions := existing_positions || v_hit.position;
                END IF;
            END LOOP;
        END IF;
    END LOOP;

    -- Heads.
    FOREACH v_unit IN ARRAY p_stale || ARRAY(
        WITH heads AS MATERIALIZED (
            SELECT
                s.stream_id,
                s.version,
                s.head_hash
            FROM streams AS s
            WHERE s.log_id = p_log_id AND s.stream_id = ANY (p_read_streams)
        )
        SELECT r.unit
        FROM unnest(p_read_units, p_read_streams, p_read_versions, p_read_hashes) AS r (unit, stream_id, version, head_hash)
        LEFT JOIN heads AS h ON h.stream_id = r.stream_id
        WHERE coalesce(h.version, 0) <> r.version OR h.head_hash IS DISTINCT FROM r.head_hash
    ) LOOP
        v_all_hold := false;
        IF v_unit = 0 THEN
            v_holds := array_fill(false, ARRAY[p_units]);
        ELSE
            v_holds[v_unit] := false;
        END IF;
    END LOOP;

    -- What builds on a unit that does not hold, and counters: one pass in unit order, since a unit that meets a limit
    -- takes what builds on it along, and that leaves room in the counters for what comes after.
    IF cardinality(p_raise_units) > 0 THEN
        v_useds := ARRAY(
            SELECT coalesce(c.used, 0)
            FROM unnest(p_counters) WITH ORDINALITY AS n (name, place)
            LEFT JOIN counters AS c ON c.log_id = p_log_id AND c.name = n.name
            ORDER BY n.place
        );
    END IF;
    WHILE v_raise <= cardinality(p_raise_units) OR (NOT v_all_hold AND v_dependency <= cardinality(p_dependent_units)) LOOP
        v_unit := least(p_raise_units[v_raise], p_dependent_units[v_dependency]);
        WHILE p_dependent_units[v_dependency] = v_unit LOOP
            v_holds[v_unit] := v_holds[v_unit] AND v_holds[p_depends_on[v_dependency]];
            v_dependency := v_dependency + 1;
        END LOOP;
        v_raise_first := v_raise;
        WHILE p_raise_units[v_raise] = v_unit LOOP
            v_counter := p_raise_counters[v_raise];
            IF v_holds[v_unit] AND p_raise_amounts[v_raise] > 0
                AND v_useds[v_counter] + p_raise_amounts[v_raise] > p_raise_limits[v_raise]
            THEN
                v_all_hold := false;
                v_holds[v_unit] := false;
                limit_units := limit_units || v_unit;
                limit_counters := limit_counters || p_counters[v_counter];
                limit_useds := limit_useds || v_useds[v_counter];
                limit_limits := limit_limits || p_raise_limits[v_raise];
            END IF;
            v_raise := v_raise + 1;
        END LOOP;
        IF v_holds[v_unit] THEN
            FOR i IN v_raise_first .. v_raise - 1 LOOP
                v_counter := p_raise_counters[i];
                v_useds[v_counter] := v_useds[v_counter] + p_raise_amounts[i];
            END LOOP;
        END IF;
    END LOOP;

    IF NOT v_all_hold THEN
        stale_units := ARRAY(
            SELECT u.unit
            FROM unnest(v_holds, v_exists) WITH ORDINALITY AS u (holds, exists, unit)
            WHERE NOT u.holds AND NOT u.exists AND u.unit <> ALL (coalesce(limit_units, '{}'))
        );
    END IF;

    IF NOT true = ANY (v_holds) THEN
        RETURN;
    END IF;

    -- From here on everything written holds.
    INSERT INTO events (
        log_id,
        position,
        stream_id,
        version,
        source_key,
        reference,
        type,
        time,
        recorded_at,
        record
    )
    SELECT
        p_log_id,
        first_position - 1 + row_number() OVER (ORDER BY r.place),
        r.stream_id,
        r.version,
        r.source_key,
        r.reference,
        r.type,
        r.time,
        p_recorded_at,
        r.record
    FROM unnest(
        p_record_units,
        p_record_streams,
        p_record_versions,
        p_record_source_keys,
        p_record_references,
        p_record_types,
        p_record_times,
        p_records
    ) WITH ORDINALITY AS r (unit, stream_id, version, source_key, reference, type, time, record, place)
    WHERE v_holds[r.unit];
    GET DIAGNOSTICS v_rows = ROW_COUNT;

    -- Streams that begin here: what was read is that they were not there, so no conflict is looked for.
    IF p_heads_new > 0 THEN
        INSERT INTO streams (
            log_id,
            stream_id,
            customer_id,
            version,
            head_hash,
            state_schema,
            state,
            due_at
        )
        SELECT
            p_log_id,
            p_record_streams[h.record],
            h.customer_id,
            p_record_versions[h.record],
            h.head_hash,
            h.state_schema,
            h.state,
            h.due_at
        FROM unnest(
            p_head_records[:p_heads_new],
            p_head_customers[:p_heads_new],
            p_head_hashes[:p_heads_new],
            p_head_schemas[:p_heads_new],
            p_head_states[:p_heads_new],
            p_head_dues[:p_heads_new]
        ) AS h (record, customer_id, head_hash, state_schema, state, due_at)
        WHERE v_holds[p_record_units[h.record]];
    END IF;

    IF p_heads_new < cardinality(p_head_records) THEN
        INSERT INTO streams (
            log_id,
            stream_id,
            customer_id,
            version,
            head_hash,
            state_schema,
            state,
            due_at
        )
        SELECT
            p_log_id,
            p_record_streams[h.record],
            h.customer_id,
            p_record_versions[h.record],
            h.head_hash,
            h.state_schema,
            h.state,
            h.due_at
        FROM unnest(
            p_head_records[p_heads_new + 1:],
            p_head_customers[p_heads_new + 1:],
            p_head_hashes[p_heads_new + 1:],
            p_head_schemas[p_heads_new + 1:],
            p_head_states[p_heads_new + 1:],
            p_head_dues[p_heads_new + 1:]
        ) AS h (record, customer_id, head_hash, state_schema, state, due_at)
        WHERE v_holds[p_record_units[h.record]]
        ON CONFLICT (log_id, stream_id) DO UPDATE
        SET
            version = excluded.version,
            head_hash = excluded.head_hash,
            state_schema = excluded.state_schema,
            state = excluded.state,
            due_at = excluded.due_at;
    END IF;

    IF NOT v_all_hold THEN
        PERFORM write_torn_heads(
            p_log_id,
            p_recorded_at,
            v_holds,
            p_record_units,
            p_record_streams,
            p_record_versions,
            p_records,
            p_head_records,
            p_head_customers
        );
    END IF;

    IF cardinality(p_raise_units) > 0 THEN
        PERFORM write_counters(p_log_id, v_holds, p_counters, v_useds, p_raise_units, p_raise_counters, p_raise_limits);
    END IF;
    IF cardinality(p_refusal_units) > 0 THEN
        PERFORM keep_refusals(
            p_log_id,
            p_recorded_at,
            v_holds,
            p_refusal_units,
            p_refusal_source_keys,
            p_refusal_fingerprints,
            p_refusal_codes,
            p_refusal_statuses,
            p_refusal_waits,
            p_refusal_customers,
            p_refusal_problems,
            p_refusal_events
        );
    END IF;
    IF cardinality(v_waiting) > 0 THEN
        PERFORM settle_refusals(p_log_id, v_waiting);
    END IF;

    UPDATE logs
    SET
        next_position = first_position + v_rows,
        recorded_at = p_recorded_at,
        -- Something due before the instant up to which the clock has worked: it has to come back.
        due_through = CASE
            WHEN due_through IS NULL THEN NULL
            WHEN NOT v_all_hold THEN least(due_through, p_recorded_at, (SELECT min(d.due_at) FROM unnest(p_head_dues) AS d (due_at)))
            ELSE least(due_through, (SELECT min(d.due_at) FROM unnest(p_head_dues) AS d (due_at)))
        END
    WHERE log_id = p_log_id;
END
$$;

REVOKE ALL ON FUNCTION append_units FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_units TO ledger_service;
