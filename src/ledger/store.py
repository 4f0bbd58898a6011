"""The log in PostgreSQL: append units, read records and heads. The only module that touches the events table.

One append is one call of the SQL function `append_units` (sql/append_units.sql), which is one statement and one
transaction: it takes the log's row, looks, writes what still holds and says of every unit what became of it. Nothing
else writes records. Everything here takes an asyncpg connection (or, where it says so, a pool) of `open_pool`.

Bytes are bytes: a record goes in as the UTF-8 JSON the domain serialised and comes out as exactly that.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import asyncpg
import orjson

from ledger.errors import DatabaseUnavailable
from ledger.records import leaf_hash

Connection: TypeAlias = "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]"
Pool: TypeAlias = "asyncpg.Pool[Any]"


# --- What is appended -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class HeadRead:
    """A head as a decision read it; version 0 and no hash where there was no stream."""

    stream_id: UUID
    version: int
    head_hash: bytes | None


@dataclass(slots=True)
class RecordToAppend:
    """One serialised record and what it is found by."""

    stream_id: UUID
    version: int
    source_key: UUID
    reference: UUID | None
    type: str
    time: datetime
    record: bytes


@dataclass(slots=True)
class HeadToWrite:
    """A stream's head after the batch; `unit` is the place in the batch (from 0) of the last unit that writes it."""

    stream_id: UUID
    customer_id: str
    version: int
    head_hash: bytes
    state_schema: int
    state: bytes
    due_at: datetime | None
    unit: int


@dataclass(slots=True)
class RefusalToKeep:
    """A decided no. A waiting one names the reference whose arrival is reason to try the event again."""

    source_key: UUID
    fingerprint: bytes
    code: str
    status: Literal["final", "waiting"]
    waits_for: UUID | None
    customer_id: str
    problem: bytes
    event: bytes


@dataclass(slots=True)
class UnitToAppend:
    """What one command came to: records, or a refusal to keep; all of it or nothing.

    `reads` names every head the decision read, apart from the program's own (given once for the batch, unless an
    earlier unit of the batch writes it). `counters` are (name, amount, limit or None).
    """

    reads: list[HeadRead]
    records: list[RecordToAppend]
    source_key: UUID
    refusal: RefusalToKeep | None = None
    counters: list[tuple[str, int, int | None]] = field(default_factory=list)


# --- What became of it ------------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Appended:
    """In the log: the position of the unit's first record, None for a unit that only kept a refusal."""

    position: int | None


@dataclass(slots=True, frozen=True)
class Stale:
    """Not appended: decide again on what the log holds now."""


@dataclass(slots=True, frozen=True)
class Exists:
    """Not appended: one of its keys is in the log at `position`, or was refused for good."""

    position: int | None
    refused: bool


@dataclass(slots=True, frozen=True)
class LimitReached:
    """Not appended: counter `name`, with `used` before the unit, would have passed `limit`."""

    name: str
    used: int
    limit: int


Outcome: TypeAlias = Appended | Stale | Exists | LimitReached


@dataclass(slots=True, frozen=True)
class AppendResult:
    """`outcomes` stand in the order of the units; `behind`: the stamp was earlier than the log's, nothing was done."""

    log_recorded_at: datetime
    behind: bool
    outcomes: list[Outcome]
    awakened: bool


class OutcomeUnknown(DatabaseUnavailable):
    """The connection ended before the database said what became of the append; `settle_unknown` tells."""


class BatchUnwritable(Exception):
    """The database refuses the data of this batch; nothing was written. Halved until the bad unit is alone."""


# --- Connections ------------------------------------------------------------------------------------------------------


async def open_pool(url: str, *, size_min: int, size_max: int, application_name: str = "ledger") -> Pool:
    """A pool whose connections are set up as the store needs them.

    Raises:
        DatabaseUnavailable: no connection could be made.
    """
    with _translated(DatabaseUnavailable):
        return await asyncpg.create_pool(
            url,
            min_size=size_min,
            max_size=size_max,
            server_settings={"application_name": application_name, **_SETTINGS},
        )


_SETTINGS: Final = {
    "default_transaction_isolation": "read committed",
    "synchronous_commit": "on",
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}


@asynccontextmanager
async def hold_log(conn: Connection, log_id: int) -> AsyncIterator[None]:
    """A transaction that has the log's row: nothing is appended meanwhile but by this connection."""
    with _translated(OutcomeUnknown):
        async with conn.transaction():
            await conn.execute("SELECT lock_log($1)", log_id)
            yield


# --- Append -----------------------------------------------------------------------------------------------------------

_STALE: Final = Stale()

_APPEND: Final = f"SELECT * FROM append_units({', '.join(f'${n}' for n in range(1, 42))})"


async def append(
    conn: Connection,
    log_id: int,
    recorded_at: datetime,
    program_head: HeadRead,
    units: Sequence[UnitToAppend],
    heads: Iterable[HeadToWrite],
) -> AppendResult:
    """Append the units that still hold, in order, in one statement that is one transaction."""
    batch = _Batch(program_head)
    for place, unit in enumerate(units, start=1):
        batch.add(place, unit)
    with _translated(OutcomeUnknown):
        answer = await conn.fetchrow(_APPEND, log_id, recorded_at, len(units), *batch.arguments(heads))
    if answer is None:
        raise RuntimeError("append_units gave no row")
    if answer["behind"]:
        return AppendResult(answer["log_recorded_at"], behind=True, outcomes=[], awakened=False)
    return AppendResult(
        answer["log_recorded_at"],
        behind=False,
        outcomes=_outcomes(units, answer),
        awakened=answer["awakened"] or batch.awakens_itself(),
    )


def _outcomes(units: Sequence[UnitToAppend], answer: asyncpg.Record) -> list[Outcome]:
    failed: dict[int, Outcome] = dict.fromkeys(answer["stale_units"] or (), _STALE)
    for place, position in zip(answer["existing_units"] or (), answer["existing_positions"] or (), strict=True):
        failed[place] = Exists(position, refused=position is None)
    for place, name, used, limit in zip(
        answer["limit_units"] or (),
        answer["limit_counters"] or (),
        answer["limit_useds"] or (),
        answer["limit_limits"] or (),
        strict=True,
    ):
        failed[place] = LimitReached(name, used, limit)
    position = answer["first_position"]
    outcomes: list[Outcome] = []
    for place, unit in enumerate(units, start=1):
        outcome = failed.get(place) if failed else None
        if outcome is None:
            outcome = Appended(position if unit.records else None)
            position += len(unit.records)
        outcomes.append(outcome)
    return outcomes


_Placed: TypeAlias = list[tuple[int, HeadToWrite]]


class _Batch:
    """The arrays `append_units` takes, built unit by unit.

    It also finds what depends on what: the first unit that reads a head is compared with the log; one that reads a
    head an earlier unit of the batch writes must have read exactly what that unit leaves, and then builds on it.
    """

    def __init__(self, program_head: HeadRead) -> None:
        self.program_head = program_head
        self.program_written = False
        self.keys: set[UUID] = set()
        self.references: set[UUID] = set()
        # Stream → its last unit so far, the place of that unit's last record of it, and whether the stream begins here.
        self.written: dict[UUID, tuple[int, int, bool]] = {}
        self.stale: list[int] = []
        self.other_units: list[int] = []
        self.other_keys: list[UUID] = []
        self.read_units: list[int] = [0]
        self.reads: list[HeadRead] = [program_head]
        self.dependent_units: list[int] = []
        self.depends_on: list[int] = []
        self.record_units: list[int] = []
        self.records: list[RecordToAppend] = []
        self.refusal_units: list[int] = []
        self.refusals: list[RefusalToKeep] = []
        self.counters: dict[str, int] = {}
        self.raise_units: list[int] = []
        self.raise_counters: list[int] = []
        self.raise_amounts: list[int] = []
        self.raise_limits: list[int | None] = []

    def add(self, place: int, unit: UnitToAppend) -> None:
        free = self._claim_keys(place, unit)
        if not self._add_reads(place, unit) or not free:
            self.stale.append(place)
        self._add_records(place, unit)
        if unit.refusal is not None:
            self.refusal_units.append(place)
            self.refusals.append(unit.refusal)
        for name, amount, limit in unit.counters:
            self.raise_units.append(place)
            self.raise_counters.append(self.counters.setdefault(name, len(self.counters) + 1))
            self.raise_amounts.append(amount)
            self.raise_limits.append(limit)

    def _claim_keys(self, place: int, unit: UnitToAppend) -> bool:
        """Whether no earlier unit of the batch uses a source key or a reference of this one."""
        keys = [record.source_key for record in unit.records]
        references = [record.reference for record in unit.records if record.reference is not None]
        if unit.source_key not in keys:
            keys.append(unit.source_key)
            self.other_units.append(place)
            self.other_keys.append(unit.source_key)
        claimed = len(self.keys) + len(self.references) + len(keys) + len(references)
        self.keys.update(keys)
        self.references.update(references)
        if len(self.keys) + len(self.references) == claimed:
            return True
        if len(set(keys)) < len(keys) or len(set(references)) < len(references):
            raise ValueError("a unit uses one key twice")
        return False

    def _add_reads(self, place: int, unit: UnitToAppend) -> bool:
        """Whether every head was read as the earlier units of the batch leave it; the rest is the log's to compare."""
        holds = True
        for read in unit.reads:
            writer = self.written.get(read.stream_id)
            if writer is None:
                self.read_units.append(place)
                self.reads.append(read)
            else:
                self.dependent_units.append(place)
                self.depends_on.append(writer[0])
                left = self.records[writer[1] - 1]
                holds = holds and read.version == left.version and read.head_hash == leaf_hash(left.record)
        if self.program_written:
            # An earlier unit of the batch changed the rules: what did not read them so was decided under the old ones.
            holds = holds and any(read.stream_id == self.program_head.stream_id for read in unit.reads)
        return holds

    def _add_records(self, place: int, unit: UnitToAppend) -> None:
        versions = {read.stream_id: read.version for read in unit.reads}
        for record in unit.records:
            stream_id, version = record.stream_id, record.version
            if version != versions.get(stream_id, -1) + 1:
                raise ValueError("a record's version does not follow the one its unit read or wrote last")
            versions[stream_id] = version
            self.record_units.append(place)
            self.records.append(record)
            begins = version == 1 or (stream_id in self.written and self.written[stream_id][2])
            self.written[stream_id] = (place, len(self.records), begins)
            if version == self.program_head.version + 1 and stream_id == self.program_head.stream_id:
                self.program_written = True

    def awakens_itself(self) -> bool:
        """Whether a refusal of this batch waits for a reference of this batch."""
        return any(refusal.waits_for in self.references for refusal in self.refusals if refusal.waits_for is not None)

    def arguments(self, heads: Iterable[HeadToWrite]) -> list[Any]:
        """Everything from `p_stale` on, in the order of the function's parameters."""
        new, known = self._sorted_heads(heads)
        written = [head for _, head in new + known]
        return [
            self.stale,
            self.read_units,
            [read.stream_id for read in self.reads],
            [read.version for read in self.reads],
            [read.head_hash for read in self.reads],
            self.dependent_units,
            self.depends_on,
            self.record_units,
            [record.stream_id for record in self.records],
            [record.version for record in self.records],
            [record.source_key for record in self.records],
            [record.reference for record in self.records],
            [record.type for record in self.records],
            [record.time for record in self.records],
            [record.record.decode() for record in self.records],
            self.other_units,
            self.other_keys,
            len(new),
            [place for place, _ in new + known],
            [head.customer_id for head in written],
            [head.head_hash for head in written],
            [head.state_schema for head in written],
            [head.state.decode() for head in written],
            [head.due_at for head in written],
            self.refusal_units,
            [refusal.source_key for refusal in self.refusals],
            [refusal.fingerprint for refusal in self.refusals],
            [refusal.code for refusal in self.refusals],
            [refusal.status for refusal in self.refusals],
            [refusal.waits_for for refusal in self.refusals],
            [refusal.customer_id for refusal in self.refusals],
            [refusal.problem.decode() for refusal in self.refusals],
            [refusal.event.decode() for refusal in self.refusals],
            list(self.counters),
            self.raise_units,
            self.raise_counters,
            self.raise_amounts,
            self.raise_limits,
        ]

    def _sorted_heads(self, heads: Iterable[HeadToWrite]) -> tuple[_Placed, _Placed]:
        """The heads of streams that begin in this batch, and the others, each with the place of its last record."""
        new: _Placed = []
        known: _Placed = []
        for head in heads:
            unit, place, begins = self.written.get(head.stream_id, (0, 0, False))
            if unit != head.unit + 1 or self.records[place - 1].version != head.version:
                raise ValueError("a head to write is not what the units leave")
            (new if begins else known).append((place, head))
        if len(new) + len(known) != len(self.written):
            raise ValueError("a stream is written without its head")
        return new, known


async def settle_unknown(pool: Pool, log_id: int, source_keys: Iterable[UUID]) -> dict[UUID, Exists]:
    """What became of an append whose answer never came: the keys that are in the log, or kept as refused for good.

    Takes the log's row on a fresh connection first. Whatever held the row has ended by then, so a key that is not
    answered is not in the log and never will be by that append.
    """
    keys = list(source_keys)
    with _translated(DatabaseUnavailable):
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute("SELECT lock_log($1)", log_id)
            found = await conn.fetch(_SETTLE, log_id, keys)
    return {row["source_key"]: Exists(row["position"], refused=row["position"] is None) for row in found}


_SETTLE: Final = """
SELECT
    source_key,
    NULL AS position
FROM refusals
WHERE log_id = $1 AND source_key = ANY ($2) AND status IN ('final', 'waived')
UNION ALL
SELECT
    source_key,
    position
FROM events
WHERE log_id = $1 AND source_key = ANY ($2)
"""


# --- Programs and their logs ------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Log:
    """A program's log: where its next record goes, its last stamp, and up to when all that is due is written."""

    log_id: int
    program: str
    next_position: int
    recorded_at: datetime
    due_through: datetime | None


_LOG: Final = """
SELECT
    log_id,
    program,
    next_position,
    recorded_at,
    due_through
FROM logs
"""


async def create_log(conn: Connection, program: str) -> int:
    """Open the program's log, or name the one it has."""
    with _translated(OutcomeUnknown):
        log_id: int = await conn.fetchval("SELECT create_log($1)", program)
    return log_id


async def list_logs(conn: Connection) -> list[Log]:
    """Every program's log, by program."""
    with _translated(DatabaseUnavailable):
        return [Log(**row) for row in await conn.fetch(_LOG + "ORDER BY program")]


async def read_log_of(conn: Connection, program: str) -> Log | None:
    """The log of one program."""
    with _translated(DatabaseUnavailable):
        row = await conn.fetchrow(_LOG + "WHERE program = $1", program)
    return None if row is None else Log(**row)


async def read_logs(conn: Connection, log_ids: Iterable[int]) -> dict[int, Log]:
    """Where these logs stand: what a feed looks at to see whether there is more."""
    with _translated(DatabaseUnavailable):
        rows = await conn.fetch(_LOG + "WHERE log_id = ANY ($1)", list(log_ids))
    return {row["log_id"]: Log(**row) for row in rows}


async def set_due_through(conn: Connection, log_id: int, due_through: datetime) -> bool:
    """Say that nothing due before this instant is unwritten; false, and nothing done, while something is."""
    with _translated(OutcomeUnknown):
        moved: bool = await conn.fetchval("SELECT set_due_through($1, $2)", log_id, due_through)
    return moved


async def position_known_at(conn: Connection, log_id: int, instant: datetime) -> int:
    """The last position written at or before an instant; 0 where there is none."""
    with _translated(DatabaseUnavailable):
        position: int = await conn.fetchval("SELECT position_known_at($1, $2)", log_id, instant)
    return position


def stock_view(program: str) -> str:
    """Name of the view through which the stock eventsourcing library reads this program's log (see create_log.sql)."""
    return "customerledger_events" if program == "default" else f"customerledger_{program}_events"


async def notify_stock_readers(conn: Connection, program: str) -> None:
    """Wake the stock library's subscriptions, which never poll.

    Never inside the append: transactions that notify commit one after another.
    """
    with _translated(DatabaseUnavailable):
        await conn.execute("SELECT pg_notify($1, '')", stock_view(program))


# --- Records ----------------------------------------------------------------------------------------------------------


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
    with _translated(DatabaseUnavailable):
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
    with _translated(DatabaseUnavailable):
        rows = await conn.fetch(
            _RECORDS + "WHERE log_id = $1 AND stream_id = ANY ($2) ORDER BY stream_id, version",
            log_id,
            list(stream_ids),
        )
    streams: dict[UUID, list[StoredRecord]] = {}
    for record in _records(rows):
        streams.setdefault(record.stream_id, []).append(record)
    return streams


async def read_log(
    conn: Connection, log_id: int, *, after: int, limit: int, up_to: int | None = None
) -> list[StoredRecord]:
    """The log after a position, in order. Gapless and in commit order: going on from the last one misses nothing."""
    with _translated(DatabaseUnavailable):
        rows = await conn.fetch(_READ_LOG, log_id, after, after + limit if up_to is None else min(up_to, after + limit))
    return _records(rows)


_READ_LOG: Final = _RECORDS + "WHERE log_id = $1 AND position > $2 AND position <= $3 ORDER BY position"


async def by_source_key(conn: Connection, log_id: int, keys: Iterable[UUID]) -> dict[UUID, StoredRecord]:
    """The records posted under these source keys."""
    with _translated(DatabaseUnavailable):
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
    with _translated(DatabaseUnavailable):
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
    with _translated(DatabaseUnavailable):
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


# --- Heads ------------------------------------------------------------------------------------------------------------


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
    with _translated(DatabaseUnavailable):
        rows = await conn.fetch(_READ_HEADS, log_id, list(stream_ids))
    return {head.stream_id: head for head in _heads(rows)}


_READ_HEADS: Final = _HEADS + "WHERE log_id = $1 AND stream_id = ANY ($2)"


async def list_heads(conn: Connection, log_id: int, *, after: UUID | None, limit: int) -> list[Head]:
    """Every head of a log, a page at a time, in the order of stream ids."""
    with _translated(DatabaseUnavailable):
        rows = await conn.fetch(_LIST_HEADS, log_id, after or UUID(int=0), limit)
    return _heads(rows)


# No stream has the id of zeros: stream ids are UUIDs of version 5.
_LIST_HEADS: Final = _HEADS + "WHERE log_id = $1 AND stream_id > $2 ORDER BY stream_id LIMIT $3"


async def due_streams(conn: Connection, log_id: int, *, before: datetime, limit: int) -> list[Head]:
    """Heads with something due before an instant, the longest due first. Early is possible, late is not."""
    with _translated(DatabaseUnavailable):
        rows = await conn.fetch(_DUE_STREAMS, log_id, before, limit)
    return _heads(rows)


_DUE_STREAMS: Final = _HEADS + "WHERE log_id = $1 AND due_at < $2 ORDER BY due_at LIMIT $3"


async def heads_of_other_schema(
    conn: Connection, log_id: int, *, state_schema: int, after: UUID | None, limit: int
) -> list[Head]:
    """Heads whose state another fold wrote, or that have none, in the order of stream ids after one."""
    with _translated(DatabaseUnavailable):
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
    with _translated(OutcomeUnknown):
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


# --- Refusals ---------------------------------------------------------------------------------------------------------


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
    with _translated(DatabaseUnavailable):
        rows = await conn.fetch(_REFUSALS_BY_KEY, log_id, list(keys))
    return {refusal.source_key: refusal for refusal in _refusals(rows)}


_REFUSALS_BY_KEY: Final = _REFUSALS + "WHERE log_id = $1 AND source_key = ANY ($2)"


async def refusals_waiting_for(conn: Connection, log_id: int, references: Iterable[UUID]) -> list[Refusal]:
    """The refusals that wait for one of these references, oldest first."""
    with _translated(DatabaseUnavailable):
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
    with _translated(DatabaseUnavailable):
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
    with _translated(DatabaseUnavailable):
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
    with _translated(OutcomeUnknown):
        closed: bool = await conn.fetchval("SELECT close_refusal($1, $2, $3)", log_id, source_key, status)
    return closed


def _refusals(rows: Iterable[asyncpg.Record]) -> list[Refusal]:
    return [
        Refusal(key, fingerprint, recorded_at, code, status, waits_for, customer, problem.encode(), event.encode())
        for key, fingerprint, recorded_at, code, status, waits_for, customer, problem, event in rows
    ]


# --- Counters ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Counter:
    """A sum across customers, and the limit the last append that raised it kept."""

    used: int
    limit: int | None


async def read_counters(conn: Connection, log_id: int, names: Iterable[str] | None = None) -> Mapping[str, Counter]:
    """Counters by name, all of the log's or those named; one never raised has no entry."""
    with _translated(DatabaseUnavailable):
        rows = await conn.fetch(_READ_COUNTERS, log_id, None if names is None else list(names))
    return {row["name"]: Counter(row["used"], row["limit"]) for row in rows}


_READ_COUNTERS: Final = """
SELECT
    name,
    used,
    "limit"
FROM counters
WHERE log_id = $1 AND ($2::text[] IS NULL OR name = ANY ($2))
ORDER BY name
"""


# --- Errors -----------------------------------------------------------------------------------------------------------


@contextmanager
def _translated(lost: type[DatabaseUnavailable]) -> Iterator[None]:
    """Say what a driver's error means.

    Nothing was done (`DatabaseUnavailable`), the data cannot be written (`BatchUnwritable`), or, where the connection
    ended under the statement, what `lost` says. Anything else is our mistake and goes through as it is.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        kind = (error.sqlstate or _CONNECTION_LOST)[:2]
        if kind == _CONNECTION_LOST or _ends_the_session(error):
            raise lost(reason=str(error)) from error
        if kind in _DATA_REFUSED:
            raise BatchUnwritable(str(error)) from error
        if kind in _UNAVAILABLE:
            raise DatabaseUnavailable(reason=str(error)) from error
        raise
    except asyncpg.exceptions.DataError as error:
        # Raised by the driver before anything is sent: a value it cannot encode.
        raise BatchUnwritable(str(error)) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
        raise lost(reason=str(error)) from error


_CONNECTION_LOST: Final = "08"
_DATA_REFUSED: Final = frozenset({"22", "23", "54"})
_UNAVAILABLE: Final = frozenset({"25", "28", "3D", "40", "53", "55", "57", "58", "XX"})


def _ends_the_session(error: asyncpg.PostgresError) -> bool:
    return getattr(error, "severity_en", None) in {"FATAL", "PANIC"}
