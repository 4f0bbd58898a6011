"""How far each policy has followed each log. Losing it loses nothing: a policy that begins again changes nothing twice."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

POLICIES = """
CREATE TABLE policies (
    log_id integer NOT NULL,
    name text NOT NULL,
    position bigint NOT NULL,
    CONSTRAINT policies_name_once PRIMARY KEY (log_id, name),
    CONSTRAINT policies_position_from_zero CHECK (position >= 0)
)
"""


def upgrade() -> None:
    """Add an empty table; the service writes it by a function."""
    op.execute(POLICIES)
    op.execute("COMMENT ON TABLE policies IS 'How far each policy has followed a log.'")
    op.execute("GRANT SELECT ON policies TO ledger_service, ledger_projections")


def downgrade() -> None:
    """Forget how far they were."""
    op.execute("DROP TABLE policies")
