"""What policies read and keep: the records of some types after a position, and how far they have come."""

from collections.abc import Sequence
from typing import Final

from ledger.errors import DatabaseUnavailable
from ledger.store_connecting import Connection, translated
from ledger.store_records import StoredRecord


async def read_types(
    conn: Connection, log_id: int, types: Sequence[str], *, after: int, up_to: int, limit: int
) -> list[StoredRecord]:
    """Records of these types at positions after … up to, in order; the others are not decoded."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_READ_TYPES, log_id, after, up_to, list(types), limit)
    return [StoredRecord(position, stream, version, record.encode()) for position, stream, version, record in rows]


_READ_TYPES: Final = """
SELECT
    position,
    stream_id,
    version,
    record::text
FROM events
WHERE log_id = $1 AND position > $2 AND position <= $3 AND type = ANY ($4)
ORDER BY position
LIMIT $5
"""


async def policy_position(conn: Connection, log_id: int, name: str) -> int:
    """How far a policy has followed a log; 0 where it has not begun."""
    with translated(DatabaseUnavailable):
        position: int | None = await conn.fetchval(
            "SELECT position FROM policies WHERE log_id = $1 AND name = $2", log_id, name
        )
    return position or 0


async def mark_policy(conn: Connection, log_id: int, name: str, position: int) -> None:
    """Keep how far a policy has come; never back."""
    with translated(DatabaseUnavailable):
        await conn.execute("SELECT mark_policy($1, $2, $3)", log_id, name, position)
