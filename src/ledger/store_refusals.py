"""Refusals that were kept: read, page, close."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg

from ledger.errors import DatabaseUnavailable
from ledger.store_connecting import Connection, OutcomeUnknown, translated


@dataclass(slots=True)
class Refusal:
    """A kept no."""

    source_key: UUID
    fingerprint: bytes
    recorded_at: datetime
    code: str
    status: Literal["final", "waiting", "settled", "waived"]
    waits_for: UUID | None
    customer_id: str
    problem: bytes
    event: bytes


_REFUSALS: Final = """
SELECT
    source_key,
    fingerprint,
    recorded_at,
    code,
    status,
    waits_for,
    customer_id,
    problem::text,
    event::text
FROM refusals
"""


async def refusals_by_key(conn: Connection, log_id: int, keys: Iterable[UUID]) -> dict[UUID, Refusal]:
    """The refusals kept under these source keys, whatever their status."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_REFUSALS_BY_KEY, log_id, list(keys))
    return {refusal.source_key: refusal for refusal in _refusals(rows)}


_REFUSALS_BY_KEY: Final = _REFUSALS + "WHERE log_id = $1 AND source_key = ANY ($2)"


async def refusals_waiting_for(conn: Connection, log_id: int, references: Iterable[UUID]) -> list[Refusal]:
    """The refusals that wait for one of these references, oldest first."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_WAITING_FOR, log_id, list(references))
    return _refusals(rows)


_WAITING_FOR: Final = (
    _REFUSALS
    + """
WHERE log_id = $1 AND status = 'waiting' AND waits_for = ANY ($2)
ORDER BY
    recorded_at,
    source_key
"""
)


async def refusals_awaiting_what_came(conn: Connection, log_id: int, *, limit: int) -> list[Refusal]:
    """Waiting refusals whose reference is in the log: a process ended before it tried them again."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_AWAITING_WHAT_CAME, log_id, limit)
    return _refusals(rows)


_AWAITING_WHAT_CAME: Final = (
    _REFUSALS
    + """
AS f
WHERE
    log_id = $1
    AND status = 'waiting'
    AND EXISTS (
        SELECT
        FROM events AS e
        WHERE e.log_id = $1 AND e.reference = f.waits_for
    )
ORDER BY
    recorded_at,
    source_key
LIMIT $2
"""
)


async def list_refusals(
    conn: Connection,
    log_id: int,
    *,
    after: tuple[datetime, UUID] | None,
    limit: int,
    statuses: Sequence[str] | None = None,
    customer_id: str | None = None,
) -> list[Refusal]:
    """Refusals a page at a time, oldest first, after the (`recorded_at`, `source_key`) of the last one of a page."""
    since, key = after or (_FIRST_STAMP, UUID(int=0))
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_LIST_REFUSALS, log_id, since, key, statuses, customer_id, limit)
    return _refusals(rows)


_FIRST_STAMP: Final = datetime.fromisoformat("1970-01-01T00:00:00Z")

_LIST_REFUSALS: Final = (
    _REFUSALS
    + """
WHERE
    log_id = $1
    AND (recorded_at, source_key) > ($2, $3)
    AND ($4::text[] IS NULL OR status = ANY ($4))
    AND ($5::text IS NULL OR customer_id = $5)
ORDER BY
    recorded_at,
    source_key
LIMIT $6
"""
)


async def settle_refusal(conn: Connection, log_id: int, source_key: UUID) -> bool:
    """End a waiting refusal whose event came into the log under another key; false where it was not waiting."""
    return await _close_refusal(conn, log_id, source_key, "settled")


async def waive_refusal(conn: Connection, log_id: int, source_key: UUID) -> bool:
    """End a waiting refusal by hand: its key stays spent; false where it was not waiting."""
    return await _close_refusal(conn, log_id, source_key, "waived")


async def _close_refusal(conn: Connection, log_id: int, source_key: UUID, status: str) -> bool:
    with translated(OutcomeUnknown):
        closed: bool = await conn.fetchval("SELECT close_refusal($1, $2, $3)", log_id, source_key, status)
    return closed


def _refusals(rows: Iterable[asyncpg.Record]) -> list[Refusal]:
    return [
        Refusal(key, fingerprint, recorded_at, code, status, waits_for, customer, problem.encode(), event.encode())
        for key, fingerprint, recorded_at, code, status, waits_for, customer, problem, event in rows
    ]
