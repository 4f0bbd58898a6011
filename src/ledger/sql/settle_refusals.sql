-- Part of append_units, called under the log's row after its records are written: of the events that waited, those that
-- are in the log now wait no longer.
CREATE OR REPLACE FUNCTION settle_refusals(
    p_log_id integer,
    p_source_keys uuid[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE refusals AS f
    SET status = 'settled'
    WHERE
        f.log_id = p_log_id
        AND f.status = 'waiting'
        AND f.source_key = ANY (p_source_keys)
        AND f.source_key IN (
            SELECT e.source_key
            FROM events AS e
            WHERE e.log_id = p_log_id AND e.source_key = ANY (p_source_keys)
        );
END
$$;

REVOKE ALL ON FUNCTION settle_refusals FROM PUBLIC;
