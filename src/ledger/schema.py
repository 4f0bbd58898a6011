"""The tables, described once. Migrations build them; a test proves the two equal.

Every key begins with `log_id`, so programs can be spread over machines by it. No foreign keys: the append holds the
log's row, which proves the log, and writes record and head together.
A constraint's name is the rule it keeps.
"""

from sqlalchemy import (
    ARRAY,
    DDL,
    JSON,
    TIMESTAMP,
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    event,
    text,
)

METADATA = MetaData()

_INSTANT = TIMESTAMP(timezone=True)

LOGS = Table(
    "logs",
    METADATA,
    Column("log_id", Integer, Identity(always=True), nullable=False),
    Column("program", Text, nullable=False),
    Column("next_position", BigInteger, server_default=text("1"), nullable=False),
    Column("recorded_at", _INSTANT, server_default=text("'1970-01-01 00:00:00+00'"), nullable=False),
    Column("due_through", _INSTANT),
    PrimaryKeyConstraint("log_id", name="logs_id_once"),
    UniqueConstraint("program", name="logs_one_per_program"),
    CheckConstraint("program ~ '^[a-z0-9][a-z0-9_-]{0,39}$'", name="logs_program_is_a_short_lower_case_name"),
    CheckConstraint("next_position >= 1", name="logs_position_from_one"),
    comment="One row per program: the lock every append takes first, and where its records go on.",
    # One row, rewritten by every append: room on its page keeps those rewrites in place.
    postgresql_with={"fillfactor": "50"},
)

EVENTS = Table(
    "events",
    METADATA,
    Column("log_id", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("stream_id", Uuid, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("source_key", Uuid, nullable=False),
    Column("reference", Uuid),
    Column("type", Text, nullable=False),
    Column("time", _INSTANT, nullable=False),
    Column("recorded_at", _INSTANT, nullable=False),
    Column("record", JSON, nullable=False),
    PrimaryKeyConstraint("log_id", "stream_id", "version", name="events_version_once"),
    UniqueConstraint("log_id", "position", name="events_position_once"),
    UniqueConstraint("log_id", "source_key", name="events_source_key_once"),
    UniqueConstraint("log_id", "reference", name="events_reference_once"),
    CheckConstraint("position >= 1", name="events_position_from_one"),
    CheckConstraint("version >= 1", name="events_version_from_one"),
    CheckConstraint("octet_length(record::text) <= 61440", name="events_record_at_most_60_kib"),
    comment="The records. Their bytes are the truth, the columns beside them an index. Never updated, never deleted.",
)

STREAMS = Table(
    "streams",
    METADATA,
    Column("log_id", Integer, nullable=False),
    Column("stream_id", Uuid, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("head_hash", LargeBinary, nullable=False),
    Column("state_schema", Integer, nullable=False),
    Column("state", JSON),
    Column("due_at", _INSTANT),
    PrimaryKeyConstraint("log_id", "stream_id", name="streams_one_head"),
    CheckConstraint("version >= 1", name="streams_version_from_one"),
    CheckConstraint("octet_length(head_hash) = 32", name="streams_head_hash_is_sha256"),
    comment="Heads: version and hash of a stream's last record, and the state folded up to it (null: fold again).",
    postgresql_with={"fillfactor": "80"},
)
# A state is rewritten by every append, and compressing a long one costs more than all the rest of it.
_UNCOMPRESSED = DDL("ALTER TABLE streams ALTER COLUMN state SET STORAGE EXTERNAL")  # type: ignore[no-untyped-call]
event.listen(STREAMS, "after_create", _UNCOMPRESSED)
Index(
    "streams_due",
    STREAMS.c.log_id,
    STREAMS.c.due_at,
    postgresql_where=STREAMS.c.due_at.is_not(None),
)

COUNTERS = Table(
    "counters",
    METADATA,
    Column("log_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("limit", BigInteger),
    PrimaryKeyConstraint("log_id", "name", name="counters_name_once"),
    comment="Sums across customers (budgets, caps), raised by the append that uses them up.",
    postgresql_with={"fillfactor": "50"},
)

REFUSALS = Table(
    "refusals",
    METADATA,
    Column("log_id", Integer, nullable=False),
    Column("source_key", Uuid, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("recorded_at", _INSTANT, nullable=False),
    Column("code", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("waits_for", Uuid),
    Column("customer_id", Text, nullable=False),
    Column("problem", JSON, nullable=False),
    Column("event", JSON, nullable=False),
    PrimaryKeyConstraint("log_id", "source_key", name="refusals_source_key_once"),
    CheckConstraint("status IN ('final', 'waiting', 'settled', 'waived')", name="refusals_status_known"),
    CheckConstraint("status <> 'waiting' OR waits_for IS NOT NULL", name="refusals_waiting_name_what_for"),
    comment="What was decided against: final, waiting for a reference, settled by a later record, or waived by hand.",
)
Index(
    "refusals_awaited",
    REFUSALS.c.log_id,
    REFUSALS.c.waits_for,
    postgresql_where=REFUSALS.c.status == "waiting",
)
Index("refusals_by_age", REFUSALS.c.log_id, REFUSALS.c.recorded_at, REFUSALS.c.source_key)

POLICIES = Table(
    "policies",
    METADATA,
    Column("log_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    PrimaryKeyConstraint("log_id", "name", name="policies_name_once"),
    CheckConstraint("position >= 0", name="policies_position_from_zero"),
    comment="How far each policy has followed a log.",
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key_hash", LargeBinary, nullable=False),
    Column("principal", Text, nullable=False),
    Column("programs", ARRAY(Text), nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("sources", ARRAY(Text)),
    Column("label", Text, nullable=False),
    Column("created_at", _INSTANT, server_default=text("statement_timestamp()"), nullable=False),
    Column("revoked_at", _INSTANT),
    PrimaryKeyConstraint("key_hash", name="api_keys_hash_once"),
    CheckConstraint("octet_length(key_hash) = 32", name="api_keys_hash_is_sha256"),
    comment="Hashes of API keys and whom they stand for. The service reads them; only ledger_keys adds and revokes.",
)
