-- Moves the instant before which nothing due is unwritten, if that is so: answers false, and moves nothing, while a head
-- of the log is due before it. Under the log's row, so no append can make it untrue; later ones lower it themselves.
CREATE OR REPLACE FUNCTION set_due_through(
    p_log_id integer,
    p_due_through timestamptz
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM lock_log(p_log_id);

    UPDATE logs AS l
    SET due_through = p_due_through
    WHERE
        l.log_id = p_log_id
        AND NOT EXISTS (
            SELECT
            FROM streams AS s
            WHERE s.log_id = p_log_id AND s.due_at < p_due_through
        );
    RETURN FOUND;
END
$$;

REVOKE ALL ON FUNCTION set_due_through FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_due_through TO ledger_service;
