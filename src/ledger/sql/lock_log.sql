-- Takes the log's row until the end of the transaction: what was in flight has ended, nothing new begins. First in the
-- lock order, so a caller may append afterwards; a writer does so for units that were stale again and again.
CREATE OR REPLACE FUNCTION lock_log(p_log_id integer)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    PERFORM
    FROM logs
    WHERE log_id = p_log_id
    FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no log %', p_log_id USING ERRCODE = 'no_data_found';
    END IF;
END
$$;

REVOKE ALL ON FUNCTION lock_log FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lock_log TO ledger_service;
