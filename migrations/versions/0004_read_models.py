"""Read models: a schema of their own, whose tables belong to the role that runs the projections.

The role `ledger_projections` reads the log and writes here; it writes no table of the ledger. The service reads here, and may
act as that role, so that one URL is enough to serve and to project. Tables of rows are made by the projections themselves, one
for each build; here stand which builds there are, how far each has come, and which one answers.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "CREATE SCHEMA IF NOT EXISTS read_models"

BUILDS = """
CREATE TABLE read_models.builds (
    build integer GENERATED ALWAYS AS IDENTITY,
    model text NOT NULL,
    version text NOT NULL,
    asked_for boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    CONSTRAINT builds_number_once PRIMARY KEY (build)
)
"""

CHECKPOINTS = """
CREATE TABLE read_models.checkpoints (
    log_id integer NOT NULL,
    build integer NOT NULL,
    position bigint NOT NULL,
    recorded_at timestamptz,
    stopped_at bigint,
    reason text,
    CONSTRAINT checkpoints_one_per_log_and_build PRIMARY KEY (log_id, build),
    CONSTRAINT checkpoints_position_from_zero CHECK (position >= 0)
) WITH (fillfactor = 50)
"""

LIVE = """
CREATE TABLE read_models.live (
    log_id integer NOT NULL,
    model text NOT NULL,
    build integer NOT NULL,
    CONSTRAINT live_one_build_answers PRIMARY KEY (log_id, model)
)
"""

COMMENTS = {
    "builds": "Every table of rows there is: of which model, in which version, and whether a rebuild was asked for.",
    "checkpoints": "How far each build has come in each log, and at which record it stopped if it did.",
    "live": "Which build answers for a model of a log.",
}

GRANTS = (
    "GRANT USAGE, CREATE ON SCHEMA read_models TO ledger_projections",
    "GRANT USAGE ON SCHEMA read_models TO ledger_service",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA read_models TO ledger_projections",
    "GRANT SELECT ON ALL TABLES IN SCHEMA read_models TO ledger_service",
)

# Where the roles were made by somebody else, only they may grant this: `serve` then says what to have granted.
MAY_ACT_AS = """
DO $$
BEGIN
    IF current_setting('server_version_num')::integer >= 160000 THEN
        EXECUTE 'GRANT ledger_projections TO ledger_service WITH INHERIT FALSE, SET TRUE';
    ELSE
        EXECUTE 'GRANT ledger_projections TO ledger_service';
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE WARNING 'have a superuser run: GRANT ledger_projections TO ledger_service';
    -- Another database of this cluster is migrated at the same moment.
    WHEN unique_violation OR internal_error THEN NULL;
END
$$
"""


def upgrade() -> None:
    """Make the schema, what stands in it for every model, and who may write it."""
    for statement in (SCHEMA, BUILDS, CHECKPOINTS, LIVE):
        op.execute(statement)
    for table, comment in COMMENTS.items():
        op.execute(f"COMMENT ON TABLE read_models.{table} IS '{comment}'")
    for grant in GRANTS:
        op.execute(grant)
    op.execute(MAY_ACT_AS)


def downgrade() -> None:
    """Everything here can be made again from the log; the tables of rows go with their schema."""
    op.execute("DROP SCHEMA read_models CASCADE")
