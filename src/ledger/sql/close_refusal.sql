-- Ends a waiting refusal: 'settled' when its event is in the log after all, 'waived' when someone decided that it need
-- not wait any longer (its key stays spent). Answers whether it was waiting. The append settles what it appends itself.
CREATE OR REPLACE FUNCTION close_refusal(
    p_log_id integer,
    p_source_key uuid,
    p_status text
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF p_status NOT IN ('settled', 'waived') THEN
        RAISE EXCEPTION 'a refusal is settled or waived, not %', p_status USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM lock_log(p_log_id);

    UPDATE refusals
    SET status = p_status
    WHERE log_id = p_log_id AND source_key = p_source_key AND status = 'waiting';
    RETURN FOUND;
END
$$;

REVOKE ALL ON FUNCTION close_refusal FROM PUBLIC;
GRANT EXECUTE ON FUNCTION close_refusal TO ledger_service;
