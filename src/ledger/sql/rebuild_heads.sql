-- Writes refolded states into heads that still have the version that was refolded, and answers which ones had.
-- The log's row is taken first, then the heads: a clock or a rebuild that took a head first deadlocked with the append.
CREATE OR REPLACE FUNCTION rebuild_heads(
    p_log_id integer,
    p_stream_ids uuid[],
    p_versions bigint[],
    p_state_schemas integer[],
    p_states json[],
    p_due_ats timestamptz[]
)
RETURNS uuid[]
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_custom_plan
SET jit = off
AS $$
DECLARE
    v_written uuid[];
BEGIN
    PERFORM lock_log(p_log_id);

    WITH written AS (
        UPDATE streams AS s
        SET
            state_schema = r.state_schema,
            state = r.state,
            due_at = r.due_at
        FROM unnest(p_stream_ids, p_versions, p_state_schemas, p_states, p_due_ats)
            AS r (stream_id, version, state_schema, state, due_at)
        WHERE s.log_id = p_log_id AND s.stream_id = r.stream_id AND s.version = r.version
        RETURNING
            s.stream_id,
            s.due_at
    ),
    lowered AS (
        UPDATE logs AS l
        SET due_through = d.due_at
        FROM (SELECT min(w.due_at) AS due_at FROM written AS w) AS d
        WHERE l.log_id = p_log_id AND l.due_through > d.due_at
    )
    SELECT array_agg(w.stream_id)
    INTO v_written
    FROM written AS w;
    RETURN coalesce(v_written, '{}');
END
$$;

REVOKE ALL ON FUNCTION rebuild_heads FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rebuild_heads TO ledger_service;
