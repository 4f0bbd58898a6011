-- Opens the log of a program, or names the one it has; a program has exactly one. With it comes the view through which
-- the stock eventsourcing library reads this log: `customerledger_events` for `default`, else
-- `customerledger_<program>_events`, with the library's columns. Its reader may select from these views and nothing else.
CREATE OR REPLACE FUNCTION create_log(p_program text)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    v_log_id integer;
    v_view text := CASE p_program WHEN 'default' THEN 'customerledger_events' ELSE 'customerledger_' || p_program || '_events' END;
BEGIN
    SELECT log_id
    INTO v_log_id
    FROM logs
    WHERE program = p_program;
    IF FOUND THEN
        RETURN v_log_id;
    END IF;

    -- Two that create one program at once: the second waits here for the first and then finds its log.
    INSERT INTO logs (program)
    VALUES (p_program)
    ON CONFLICT (program) DO NOTHING
    RETURNING log_id INTO v_log_id;
    IF NOT FOUND THEN
        SELECT log_id
        INTO STRICT v_log_id
        FROM logs
        WHERE program = p_program;
        RETURN v_log_id;
    END IF;

    EXECUTE format(
        'CREATE VIEW public.%I AS
         SELECT
             stream_id AS originator_id,
             version AS originator_version,
             type AS topic,
             convert_to(record::text, ''UTF8'') AS state,
             position AS notification_id
         FROM public.events
         WHERE log_id = %s',
        v_view,
        v_log_id
    );
    EXECUTE format('GRANT SELECT ON public.%I TO ledger_stock', v_view);
    RETURN v_log_id;
END
$$;

REVOKE ALL ON FUNCTION create_log FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_log TO ledger_service;
