"""The log: tables and roles.

Roles belong to the cluster, so they are made only where they are missing, and never dropped. They have no password: where
the server asks for one, an installation sets it, or makes these roles itself beforehand.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROLES = ("ledger_service", "ledger_projections", "ledger_keys", "ledger_stock")

CREATE_ROLE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {role} LOGIN;
    END IF;
EXCEPTION
    -- Another database of this cluster is migrated at the same moment.
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$
"""

LOGS = """
CREATE TABLE logs (
    log_id integer GENERATED ALWAYS AS IDENTITY,
    program text NOT NULL,
    next_position bigint NOT NULL DEFAULT 1,
    recorded_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    due_through timestamptz,
    CONSTRAINT logs_id_once PRIMARY KEY (log_id),
    CONSTRAINT logs_one_per_program UNIQUE (program),
    CONSTRAINT logs_program_is_a_short_lower_case_name CHECK (program ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    CONSTRAINT logs_position_from_one CHECK (next_position >= 1)
) WITH (fillfactor = 50)
"""

EVENTS = """
CREATE TABLE events (
    log_id integer NOT NULL,
    position bigint NOT NULL,
    stream_id uuid NOT NULL,
    version bigint NOT NULL,
    source_key uuid NOT NULL,
    reference uuid,
    type text NOT NULL,
    time timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    record json NOT NULL,
    CONSTRAINT events_version_once PRIMARY KEY (log_id, stream_id, version),
    CONSTRAINT events_position_once UNIQUE (log_id, position),
    CONSTRAINT events_source_key_once UNIQUE (log_id, source_key),
    CONSTRAINT events_reference_once UNIQUE (log_id, reference),
    CONSTRAINT events_position_from_one CHECK (position >= 1),
    CONSTRAINT events_version_from_one CHECK (version >= 1),
    CONSTRAINT events_record_at_most_60_kib CHECK (octet_length(record::text) <= 61440)
)
"""

STREAMS = """
CREATE TABLE streams (
    log_id integer NOT NULL,
    stream_id uuid NOT NULL,
    customer_id text NOT NULL,
    version bigint NOT NULL,
    head_hash bytea NOT NULL,
    state_schema integer NOT NULL,
    state json,
    due_at timestamptz,
    CONSTRAINT streams_one_head PRIMARY KEY (log_id, stream_id),
    CONSTRAINT streams_version_from_one CHECK (version >= 1),
    CONSTRAINT streams_head_hash_is_sha256 CHECK (octet_length(head_hash) = 32)
) WITH (fillfactor = 80)
"""

STREAMS_DUE = """
CREATE INDEX streams_due ON streams (log_id, due_at) WHERE due_at IS NOT NULL
"""

COUNTERS = """
CREATE TABLE counters (
    log_id integer NOT NULL,
    name text NOT NULL,
    used bigint NOT NULL,
    "limit" bigint,
    CONSTRAINT counters_name_once PRIMARY KEY (log_id, name)
) WITH (fillfactor = 50)
"""

REFUSALS = """
CREATE TABLE refusals (
    log_id integer NOT NULL,
    source_key uuid NOT NULL,
    fingerprint bytea NOT NULL,
    recorded_at timestamptz NOT NULL,
    code text NOT NULL,
    status text NOT NULL,
    waits_for uuid,
    customer_id text NOT NULL,
    problem json NOT NULL,
    event json NOT NULL,
    CONSTRAINT refusals_source_key_once PRIMARY KEY (log_id, source_key),
    CONSTRAINT refusals_status_known CHECK (status IN ('final', 'waiting', 'settled', 'waived')),
    CONSTRAINT refusals_waiting_name_what_for CHECK (status <> 'waiting' OR waits_for IS NOT NULL)
)
"""

REFUSALS_AWAITED = """
CREATE INDEX refusals_awaited ON refusals (log_id, waits_for) WHERE status = 'waiting'
"""

REFUSALS_BY_AGE = """
CREATE INDEX refusals_by_age ON refusals (log_id, recorded_at, source_key)
"""

API_KEYS = """
CREATE TABLE api_keys (
    key_hash bytea NOT NULL,
    principal text NOT NULL,
    programs text[] NOT NULL,
    scopes text[] NOT NULL,
    sources text[],
    label text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    revoked_at timestamptz,
    CONSTRAINT api_keys_hash_once PRIMARY KEY (key_hash),
    CONSTRAINT api_keys_hash_is_sha256 CHECK (octet_length(key_hash) = 32)
)
"""

COMMENTS = {
    "logs": "One row per program: the lock every append takes first, and where its records go on.",
    "events": "The records. Their bytes are the truth, the columns beside them an index. Never updated, never deleted.",
    "streams": "Heads: version and hash of a stream's last record, and the state folded up to it (null: fold again).",
    "counters": "Sums across customers (budgets, caps), raised by the append that uses them up.",
    "refusals": "What was decided against: final, waiting for a reference, settled by a later record, "
    "or waived by hand.",
    "api_keys": "Hashes of API keys and whom they stand for. The service reads them; only ledger_keys adds and "
    "revokes.",
}

GRANTS = (
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO ledger_service, ledger_projections, ledger_keys, ledger_stock",
    "GRANT SELECT ON logs, events, streams, counters, refusals, api_keys TO ledger_service",
    "GRANT SELECT ON alembic_version TO ledger_service",
    "GRANT SELECT ON logs, events, streams, counters, refusals TO ledger_projections",
    "GRANT SELECT ON api_keys TO ledger_keys",
)


def upgrade() -> None:
    """Make what is not there yet."""
    for role in ROLES:
        op.execute(CREATE_ROLE.format(role=role))
    for table in (LOGS, EVENTS, STREAMS, STREAMS_DUE, COUNTERS, REFUSALS, REFUSALS_AWAITED, REFUSALS_BY_AGE, API_KEYS):
        op.execute(table)
    for table, comment in COMMENTS.items():
        op.execute(f"COMMENT ON TABLE {table} IS '{comment.replace(chr(39), chr(39) * 2)}'")
    for grant in GRANTS:
        op.execute(grant)


def downgrade() -> None:
    """There is no way back from here: a log is not dropped by a tool."""
    raise NotImplementedError
