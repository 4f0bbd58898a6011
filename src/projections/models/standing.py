"""Where the read models stand: for /readyz, /metrics and whoever asks what lags."""

from dataclasses import dataclass
from typing import Any

from ledger.errors import DatabaseUnavailable
from ledger.store import Connection
from ledger.store_connecting import translated


@dataclass(frozen=True, slots=True)
class Standing:
    """The build of a model that answers for a log, or, where none does yet, the one that comes nearest.

    Attributes:
        lag_records: records of the log it has not folded. lag_seconds: how long the first of them has waited.
        stopped_at, reason: of a build that stopped, the position of the record it could not fold, and why.
    """

    program: str
    model: str
    is_live: bool
    position: int
    lag_records: int
    lag_seconds: float
    stopped_at: int | None
    reason: str | None

    def shown(self) -> dict[str, Any]:
        """What anybody may know of one that stopped."""
        return {"projection": self.model, "program": self.program, "position": self.stopped_at, "reason": self.reason}


async def read_standings(conn: Connection) -> list[Standing]:
    """Every model of every log that has a checkpoint."""
    with translated(DatabaseUnavailable):
        return [Standing(**row) for row in await conn.fetch(_STANDINGS)]


_STANDINGS = """
SELECT DISTINCT ON (l.program, b.model)
    l.program,
    b.model,
    v.build IS NOT NULL AS is_live,
    c.position,
    greatest(l.next_position - 1 - c.position, 0) AS lag_records,
    coalesce(
        (
            SELECT greatest(extract(EPOCH FROM clock_timestamp() - e.recorded_at), 0)
            FROM events AS e
            WHERE e.log_id = c.log_id AND e.position = c.position + 1
        ),
        0
    )::double precision AS lag_seconds,
    c.stopped_at,
    c.reason
FROM read_models.checkpoints AS c
JOIN read_models.builds AS b ON b.build = c.build
JOIN logs AS l ON l.log_id = c.log_id
LEFT JOIN read_models.live AS v ON v.log_id = c.log_id AND v.build = c.build
ORDER BY
    l.program,
    b.model,
    v.build IS NULL,
    c.position DESC
"""
