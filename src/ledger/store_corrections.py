"""What corrections and their register read: streams with records of some types and times, and adjustments, a stretch at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from ledger.errors import DatabaseUnavailable
from ledger.store_connecting import Connection, translated
from ledger.store_policies import read_types
from ledger.store_records import StoredRecord

POSITIONS_AT_ONCE: Final = 100_000
"""Positions looked at by one statement, so that none takes long however long the log is."""


async def streams_with(
    conn: Connection, log_id: int, types: Sequence[str], *, since: datetime, before: datetime, after: int, up_to: int
) -> list[UUID]:
    """Streams that hold a record of these types of a time within a window at positions after … up to, in order of their ids."""
    found: set[UUID] = set()
    with translated(DatabaseUnavailable):
        for start in range(after, up_to, POSITIONS_AT_ONCE):
            end = min(up_to, start + POSITIONS_AT_ONCE)
            rows = await conn.fetch(_STREAMS, log_id, start, end, list(types), since, before)
            found.update(row[0] for row in rows)
    return sorted(found)


_STREAMS: Final = """
SELECT DISTINCT stream_id
FROM events
WHERE log_id = $1 AND position > $2 AND position <= $3 AND type = ANY ($4) AND time >= $5 AND time < $6
"""


async def read_adjustments(
    conn: Connection, log_id: int, *, after: int, up_to: int, limit: int, stream_id: UUID | None = None
) -> list[StoredRecord]:
    """Adjustments at positions after … up to, in order, of one stream or of all."""
    found: list[StoredRecord] = []
    if stream_id is not None:
        with translated(DatabaseUnavailable):
            rows = await conn.fetch(_OF_STREAM, log_id, stream_id, after, up_to, limit)
        return [StoredRecord(position, stream, version, record.encode()) for position, stream, version, record in rows]
    for start in range(after, up_to, POSITIONS_AT_ONCE):
        end = min(up_to, start + POSITIONS_AT_ONCE)
        left = limit - len(found)
        found += await read_types(conn, log_id, ["points.adjusted"], after=start, up_to=end, limit=left)
        if len(found) == limit:
            break
    return found


_OF_STREAM: Final = """
SELECT
    position,
    stream_id,
    version,
    record::text
FROM events
WHERE log_id = $1 AND stream_id = $2 AND position > $3 AND position <= $4 AND type = 'points.adjusted'
ORDER BY position
LIMIT $5
"""
