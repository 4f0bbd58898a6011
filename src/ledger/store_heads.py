"""Heads of streams: read, page, rebuild."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from ledger.errors import DatabaseUnavailable
from ledger.store_connecting import Connection, OutcomeUnknown, translated


@dataclass(slots=True)
class Head:
    """A stream's head: its last record's version and hash, and the state folded up to it (None: fold it again)."""

    stream_id: UUID
    customer_id: str
    version: int
    head_hash: bytes
    state_schema: int
    state: bytes | None
    due_at: datetime | None


_HEADS: Final = """
SELECT
    stream_id,
    customer_id,
    version,
    head_hash,
    state_schema,
    state::text,
    due_at
FROM streams
"""


async def read_heads(conn: Connection, log_id: int, stream_ids: Iterable[UUID]) -> dict[UUID, Head]:
    """The heads of these streams; a stream that is not there has no entry."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_READ_HEADS, log_id, list(stream_ids))
    return {head.stream_id: head for head in _heads(rows)}


_READ_HEADS: Final = _HEADS + "WHERE log_id = $1 AND stream_id = ANY ($2)"


async def list_heads(conn: Connection, log_id: int, *, after: UUID | None, limit: int) -> list[Head]:
    """Every head of a log, a page at a time, in the order of stream ids."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_LIST_HEADS, log_id, after or UUID(int=0), limit)
    return _heads(rows)


# No stream has the id of zeros: stream ids are UUIDs of version 5.
_LIST_HEADS: Final = _HEADS + "WHERE log_id = $1 AND stream_id > $2 ORDER BY stream_id LIMIT $3"


async def due_streams(conn: Connection, log_id: int, *, before: datetime, limit: int) -> list[Head]:
    """Heads with something due before an instant, the longest due first. Early is possible, late is not."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_DUE_STREAMS, log_id, before, limit)
    return _heads(rows)


_DUE_STREAMS: Final = _HEADS + "WHERE log_id = $1 AND due_at < $2 ORDER BY due_at LIMIT $3"


async def heads_of_other_schema(
    conn: Connection, log_id: int, *, state_schema: int, after: UUID | None, limit: int
) -> list[Head]:
    """Heads whose state another fold wrote, or that have none, in the order of stream ids after one."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_OTHER_SCHEMA, log_id, after or UUID(int=0), state_schema, limit)
    return _heads(rows)


_OTHER_SCHEMA: Final = (
    _HEADS
    + """
WHERE log_id = $1 AND stream_id > $2 AND (state_schema <> $3 OR state IS NULL)
ORDER BY stream_id
LIMIT $4
"""
)


@dataclass(slots=True)
class HeadToRebuild:
    """A state folded again from the records up to `version`."""

    stream_id: UUID
    version: int
    state_schema: int
    state: bytes
    due_at: datetime | None


async def rebuild_heads(conn: Connection, log_id: int, heads: Sequence[HeadToRebuild]) -> set[UUID]:
    """Write refolded states where the version is still the one that was refolded; answers the streams written."""
    with translated(OutcomeUnknown):
        written: list[UUID] = await conn.fetchval(
            "SELECT rebuild_heads($1, $2, $3, $4, $5, $6)",
            log_id,
            [head.stream_id for head in heads],
            [head.version for head in heads],
            [head.state_schema for head in heads],
            [head.state.decode() for head in heads],
            [head.due_at for head in heads],
        )
    return set(written)


async def rebuild_head(conn: Connection, log_id: int, head: HeadToRebuild) -> bool:
    """Write one refolded state; false where the stream has moved on."""
    return bool(await rebuild_heads(conn, log_id, [head]))


def _heads(rows: Iterable[asyncpg.Record]) -> list[Head]:
    return [
        Head(
            stream_id, customer_id, version, head_hash, state_schema, None if state is None else state.encode(), due_at
        )
        for stream_id, customer_id, version, head_hash, state_schema, state, due_at in rows
    ]
