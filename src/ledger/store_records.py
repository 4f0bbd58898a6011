"""Reading records: a stream, the log, by key, by unit."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from ledger.errors import DatabaseUnavailable, InvariantBroken
from ledger.store_connecting import Connection, translated


@dataclass(slots=True)
class StoredRecord:
    """A record as it is in the log."""

    position: int
    stream_id: UUID
    version: int
    record: bytes


_RECORDS: Final = """
SELECT
    position,
    stream_id,
    version,
    record::text
FROM events
"""


async def read_stream(
    conn: Connection,
    log_id: int,
    stream_id: UUID,
    *,
    after: int = 0,
    up_to_position: int | None = None,
    limit: int | None = None,
) -> list[StoredRecord]:
    """Records of one stream after a version, oldest first, as far as they were written by a position."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_READ_STREAM, log_id, stream_id, after, up_to_position, limit)
    return _records(rows)


_READ_STREAM: Final = (
    _RECORDS
    + """
WHERE log_id = $1 AND stream_id = $2 AND version > $3 AND ($4::bigint IS NULL OR position <= $4)
ORDER BY version
LIMIT $5
"""
)


async def read_streams(conn: Connection, log_id: int, stream_ids: Iterable[UUID]) -> dict[UUID, list[StoredRecord]]:
    """Whole streams for a batch, each oldest first; a stream that is not there has no entry."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(
            _RECORDS + "WHERE log_id = $1 AND stream_id = ANY ($2) ORDER BY stream_id, version",
            log_id,
            list(stream_ids),
        )
    streams: dict[UUID, list[StoredRecord]] = {}
    for record in _records(rows):
        streams.setdefault(record.stream_id, []).append(record)
    return streams


async def streams_in_order(conn: Connection, log_id: int) -> AsyncIterator[tuple[UUID, list[bytes]]]:
    """Every stream of a log whole, its records oldest first; read ahead by a cursor, so within a transaction."""
    with translated(DatabaseUnavailable):
        cursor = await conn.cursor(_IN_ORDER, log_id)
        stream_id, records = None, list[bytes]()
        while rows := await cursor.fetch(ROWS_AT_ONCE):
            for found, record in rows:
                if found != stream_id:
                    if stream_id is not None:
                        yield stream_id, records
                    stream_id, records = found, []
                records.append(record.encode())
        if stream_id is not None:
            yield stream_id, records


_IN_ORDER: Final = """
SELECT
    stream_id,
    record::text
FROM events
WHERE log_id = $1
ORDER BY
    stream_id,
    version
"""

ROWS_AT_ONCE: Final = 2_000


async def read_log(
    conn: Connection, log_id: int, *, after: int, limit: int, up_to: int | None = None
) -> list[StoredRecord]:
    """The log after a position, in order. Gapless and in commit order: going on from the last one misses nothing."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_READ_LOG, log_id, after, after + limit if up_to is None else min(up_to, after + limit))
    return _records(rows)


async def read_log_text(conn: Connection, log_id: int, *, after: int, up_to: int) -> list[str]:
    """The bytes of the records after a position up to another, as text, in order: what reads the log in bulk reads this.

    Raises:
        InvariantBroken: a position is missing.
    """
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_READ_LOG_TEXT, log_id, after, up_to)
    if len(rows) != up_to - after:
        raise InvariantBroken(f"the log has {len(rows)} records after position {after} up to {up_to}")
    return [text for (text,) in rows]


_READ_LOG_TEXT: Final = (
    "SELECT record::text FROM events WHERE log_id = $1 AND position > $2 AND position <= $3 ORDER BY position"
)

_READ_LOG: Final = _RECORDS + "WHERE log_id = $1 AND position > $2 AND position <= $3 ORDER BY position"


async def by_source_key(conn: Connection, log_id: int, keys: Iterable[UUID]) -> dict[UUID, StoredRecord]:
    """The records posted under these source keys."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_BY_SOURCE_KEY, log_id, list(keys))
    return {row["key"]: _record(row) for row in rows}


_BY_SOURCE_KEY: Final = """
SELECT
    source_key AS key,
    position,
    stream_id,
    version,
    record::text
FROM events
WHERE log_id = $1 AND source_key = ANY ($2)
"""


async def by_reference(conn: Connection, log_id: int, references: Iterable[UUID]) -> dict[UUID, StoredRecord]:
    """The records that carry these business keys."""
    with translated(DatabaseUnavailable):
        rows = await conn.fetch(_BY_REFERENCE, log_id, list(references))
    return {row["key"]: _record(row) for row in rows}


_BY_REFERENCE: Final = """
SELECT
    reference AS key,
    position,
    stream_id,
    version,
    record::text
FROM events
WHERE log_id = $1 AND reference = ANY ($2)
"""


async def read_unit(conn: Connection, log_id: int, position: int) -> list[StoredRecord]:
    """Every record of the unit that has a record at this position, in order; none where the log is shorter."""
    return (await read_units(conn, log_id, [position])).get(position, [])


async def read_units(conn: Connection, log_id: int, positions: Iterable[int]) -> dict[int, list[StoredRecord]]:
    """The units these positions belong to; the record says which of how many consecutive ones it is."""
    with translated(DatabaseUnavailable):
        named = {record.position: record for record in _records(await conn.fetch(_AT, log_id, list(positions)))}
        spans = {position: _span(record) for position, record in named.items()}
        others = sorted({near for span in spans.values() for near in span} - named.keys())
        found = dict(named)
        if others:
            found.update((record.position, record) for record in _records(await conn.fetch(_AT, log_id, others)))
    return {position: [found[near] for near in span] for position, span in spans.items()}


_AT: Final = _RECORDS + "WHERE log_id = $1 AND position = ANY ($2)"


def _span(record: StoredRecord) -> range:
    place, size = orjson.loads(record.record)["unit"]
    first = record.position - place + 1
    return range(first, first + size)


def _records(rows: Iterable[asyncpg.Record]) -> list[StoredRecord]:
    return [
        StoredRecord(position, stream_id, version, record.encode()) for position, stream_id, version, record in rows
    ]


def _record(row: asyncpg.Record) -> StoredRecord:
    return StoredRecord(row["position"], row["stream_id"], row["version"], row["record"].encode())
