-- Part of append_units, called under the log's row: keeps the refusals of the units that hold. A waiting one may be
-- replaced, by a later answer to the same event; a final one never is.
CREATE OR REPLACE FUNCTION keep_refusals(
    p_log_id integer,
    p_recorded_at timestamptz,
    p_holds boolean[],
    p_units integer[],
    p_source_keys uuid[],
    p_fingerprints bytea[],
    p_codes text[],
    p_statuses text[],
    p_waits uuid[],
    p_customers text[],
    p_problems json[],
    p_events json[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO refusals AS f (
        log_id,
        source_key,
        fingerprint,
        recorded_at,
        code,
        status,
        waits_for,
        customer_id,
        problem,
        event
    )
    SELECT
        p_log_id,
        r.source_key,
        r.fingerprint,
        p_recorded_at,
        r.code,
        r.status,
        r.waits_for,
        r.customer_id,
        r.problem,
        r.event
    FROM unnest(
        p_units,
        p_source_keys,
        p_fingerprints,
        p_codes,
        p_statuses,
        p_waits,
        p_customers,
        p_problems,
        p_events
    ) AS r (unit, source_key, fingerprint, code, status, waits_for, customer_id, problem, event)
    WHERE p_holds[r.unit]
    ON CONFLICT (log_id, source_key) DO UPDATE
    SET
        fingerprint = excluded.fingerprint,
        recorded_at = excluded.recorded_at,
        code = excluded.code,
        status = excluded.status,
        waits_for = excluded.waits_for,
        customer_id = excluded.customer_id,
        problem = excluded.problem,
        event = excluded.event
    WHERE f.status = 'waiting';
END
$$;

REVOKE ALL ON FUNCTION keep_refusals FROM PUBLIC;
