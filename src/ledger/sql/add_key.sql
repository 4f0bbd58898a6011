-- Registers the hash of an API key with whom it stands for and what it may do; the key itself never comes here.
CREATE OR REPLACE FUNCTION add_key(
    p_key_hash bytea,
    p_principal text,
    p_programs text[],
    p_scopes text[],
    p_sources text[],
    p_label text
)
RETURNS void
LANGUAGE sql
VOLATILE
SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$
    INSERT INTO api_keys (
        key_hash,
        principal,
        programs,
        scopes,
        sources,
        label
    )
    VALUES (
        p_key_hash,
        p_principal,
        p_programs,
        p_scopes,
        p_sources,
        p_label
    );
$$;

REVOKE ALL ON FUNCTION add_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_key TO ledger_keys;
