-- Part of append_units, called under the log's row when not every unit held: a stream whose last unit of the batch does not
-- hold but an earlier one does. The state the caller folded is of a history that is not, so its head goes without one, due
-- at once, and whoever touches it next folds it again.
CREATE OR REPLACE FUNCTION write_torn_heads(
    p_log_id integer,
    p_recorded_at timestamptz,
    p_holds boolean[],
    p_record_units integer[],
    p_record_streams uuid[],
    p_record_versions bigint[],
    p_records json[],
    p_head_records integer[],
    p_head_customers text[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
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
    SELECT DISTINCT ON (r.stream_id)
        p_log_id,
        r.stream_id,
        h.customer_id,
        r.version,
        sha256('\x00'::bytea || convert_to(r.record::text, 'UTF8')),
        0,
        NULL,
        p_recorded_at
    FROM unnest(p_record_units, p_record_streams, p_record_versions, p_records) AS r (unit, stream_id, version, record)
    JOIN unnest(p_head_records, p_head_customers) AS h (record, customer_id)
        ON p_record_streams[h.record] = r.stream_id
    WHERE NOT p_holds[p_record_units[h.record]] AND p_holds[r.unit]
    ORDER BY
        r.stream_id,
        r.version DESC
    ON CONFLICT (log_id, stream_id) DO UPDATE
    SET
        version = excluded.version,
        head_hash = excluded.head_hash,
        state_schema = excluded.state_schema,
        state = excluded.state,
        due_at = excluded.due_at;
END
$$;

REVOKE ALL ON FUNCTION write_torn_heads FROM PUBLIC;
