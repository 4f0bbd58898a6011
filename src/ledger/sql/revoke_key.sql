-- Ends an API key, once and for all; its row stays, since records name its principal. Answers whether it was alive.
CREATE OR REPLACE FUNCTION revoke_key(p_key_hash bytea)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE api_keys
    SET revoked_at = statement_timestamp()
    WHERE key_hash = p_key_hash AND revoked_at IS NULL;
    RETURN FOUND;
END
$$;

REVOKE ALL ON FUNCTION revoke_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION revoke_key TO ledger_keys;
