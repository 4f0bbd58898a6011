-- Says how far a policy has followed a log; never back, so of two processes the farther one counts.
CREATE OR REPLACE FUNCTION mark_policy(
    p_log_id integer,
    p_name text,
    p_position bigint
)
RETURNS void
LANGUAGE sql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
    INSERT INTO policies AS p (
        log_id,
        name,
        position
    )
    VALUES (
        p_log_id,
        p_name,
        p_position
    )
    ON CONFLICT (log_id, name) DO UPDATE
    SET position = greatest(p.position, excluded.position)
$$;

REVOKE ALL ON FUNCTION mark_policy FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mark_policy TO ledger_service;
