-- Part of append_units, called under the log's row: writes the sums the units that hold have raised, by name, each with the
-- limit the last of them kept to.
CREATE OR REPLACE FUNCTION write_counters(
    p_log_id integer,
    p_holds boolean[],
    p_counters text[],
    p_useds bigint[],
    p_units integer[],
    p_raised integer[],
    p_limits bigint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    INSERT INTO counters AS c (
        log_id,
        name,
        used,
        "limit"
    )
    SELECT
        p_log_id,
        p_counters[r.counter],
        p_useds[r.counter],
        (array_agg(r.kept ORDER BY r.place DESC))[1]
    FROM unnest(p_units, p_raised, p_limits) WITH ORDINALITY AS r (unit, counter, kept, place)
    WHERE p_holds[r.unit]
    GROUP BY r.counter
    ORDER BY p_counters[r.counter]
    ON CONFLICT (log_id, name) DO UPDATE
    SET
        used = excluded.used,
        "limit" = excluded."limit";
END
$$;

REVOKE ALL ON FUNCTION write_counters FROM PUBLIC;
