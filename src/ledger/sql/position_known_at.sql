-- The last position whose record was written at or before an instant; 0 where there is none. Stamps never go back along
-- a log, so halving finds it on the index of positions: an index of stamps would cost every append for this one question.
CREATE OR REPLACE FUNCTION position_known_at(
    p_log_id integer,
    p_instant timestamptz
)
RETURNS bigint
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    v_known bigint := 0;
    v_unknown bigint;
    v_middle bigint;
    v_last timestamptz;
BEGIN
    SELECT next_position, recorded_at
    INTO v_unknown, v_last
    FROM logs
    WHERE log_id = p_log_id;
    IF v_last <= p_instant THEN
        RETURN v_unknown - 1;
    END IF;
    WHILE v_unknown - v_known > 1 LOOP
        v_middle := (v_known + v_unknown) / 2;
        IF (SELECT recorded_at FROM events WHERE log_id = p_log_id AND position = v_middle) <= p_instant THEN
            v_known := v_middle;
        ELSE
            v_unknown := v_middle;
        END IF;
    END LOOP;
    RETURN v_known;
END
$$;

REVOKE ALL ON FUNCTION position_known_at FROM PUBLIC;
GRANT EXECUTE ON FUNCTION position_known_at TO ledger_service, ledger_projections;
