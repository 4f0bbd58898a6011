"""Ready-made units: decided and serialised as the writer does it, so that the append can be measured bare, and fills tables.

The bare append is `store.append` with such units, one batch after the other, nothing else in the way. It is the ceiling of every
intake, measured on the same tables with the same kind of records in the same run.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

from benchmarks.cluster import Database
from benchmarks.purchases import PROGRAM
from ledger import account as accounts
from ledger import store
from ledger.account import STATE_SCHEMA, Account
from ledger.deciding import Command, Context, decide, decide_program
from ledger.instants import from_datetime, to_datetime
from ledger.program import ProgramState
from ledger.program import fold as fold_program
from ledger.records import Record, customer_stream_id, leaf_hash, program_stream_id, reference_key, source_key
from ledger.rules import DEFAULT_DOCUMENT
from ledger.store import HeadRead, HeadToWrite, RecordToAppend, UnitToAppend

BATCH = 1_000
DECIDED_AT_ONCE = 50
COHORT = 250_000
"""Records of which the customers come in no other cohort."""

Ready = tuple[list[UnitToAppend], list[HeadToWrite], datetime]


@dataclass
class _Head:
    version: int
    hash: bytes | None
    state: Account


class Log:
    """One log, an open connection to it, and the heads that were read or written last."""

    def __init__(self, conn: store.Connection, log_id: int, state: ProgramState, head: HeadRead) -> None:
        self.conn = conn
        self.log_id = log_id
        self.state = state
        self.program_head = head
        self.heads: dict[UUID, _Head] = {}

    async def read_heads(self, commands: Iterable[Command]) -> None:
        """Have the heads of all these commands at hand."""
        wanted = {customer_stream_id(PROGRAM, command.subject) for command in commands} - self.heads.keys()
        found = await store.read_heads(self.conn, self.log_id, wanted)
        for stream_id in wanted:
            head = found.get(stream_id)
            if head is None:
                self.heads[stream_id] = _Head(0, None, accounts.empty())
            else:
                state = accounts.from_bytes(head.state or b"", head.version)
                self.heads[stream_id] = _Head(head.version, head.head_hash, state)

    async def ready(self, commands: list[Command]) -> Ready:
        """Decide a batch on top of what was made ready before. Others have their turn in between."""
        instant = from_datetime(datetime.now(UTC))
        context = Context(PROGRAM, instant, self.state)
        units: list[UnitToAppend] = []
        last: dict[UUID, tuple[int, str]] = {}
        for start in range(0, len(commands), DECIDED_AT_ONCE):
            for command in commands[start : start + DECIDED_AT_ONCE]:
                stream_id = customer_stream_id(PROGRAM, command.subject)
                last[stream_id] = (len(units), command.subject)
                units.append(self._unit(stream_id, command, context, instant))
            await asyncio.sleep(0)
        heads = [self._head_to_write(stream_id, *place) for stream_id, place in last.items()]
        return units, heads, to_datetime(instant)

    async def append(self, ready: Ready) -> None:
        """Append a batch that was made ready.

        Raises:
            RuntimeError: not all of it was appended.
        """
        units, heads, recorded_at = ready
        while True:
            result = await store.append(self.conn, self.log_id, recorded_at, self.program_head, units, heads)
            if not result.behind:
                break
            recorded_at = result.log_recorded_at
        if not all(isinstance(outcome, store.Appended) for outcome in result.outcomes):
            raise RuntimeError("somebody else writes to this log")

    def _unit(self, stream_id: UUID, command: Command, context: Context, instant: int) -> UnitToAppend:
        head = self.heads.get(stream_id)
        if head is None:
            head = self.heads[stream_id] = _Head(0, None, accounts.empty())
        decision = decide(head.state, command, context)
        read = HeadRead(stream_id, head.version, head.hash)
        records = []
        for place, record in enumerate(decision.records, start=1):
            record.recorded_at, record.unit = instant, (place, len(decision.records))
            record.prev = None if head.hash is None else head.hash.hex()
            records.append(_to_append(stream_id, record, head))
        head.state = decision.account
        return UnitToAppend([read], records, command.source_key)

    def _head_to_write(self, stream_id: UUID, unit: int, customer: str) -> HeadToWrite:
        head = self.heads[stream_id]
        due_at = head.state.due_at()
        return HeadToWrite(
            stream_id,
            customer,
            head.version,
            head.hash or b"",
            STATE_SCHEMA,
            accounts.to_bytes(head.state),
            None if due_at is None else to_datetime(due_at),
            unit,
        )


async def open_log(conn: store.Connection) -> Log:
    """The log of the program, which is created with the default rules where it is not there."""
    log_id = await store.create_log(conn, PROGRAM)
    stream_id = program_stream_id(PROGRAM)
    if not await store.read_stream(conn, log_id, stream_id):
        await _publish(conn, log_id, stream_id)
    stored = await store.read_stream(conn, log_id, stream_id)
    state = fold_program([Record.from_bytes(record.record) for record in stored])
    return Log(conn, log_id, state, HeadRead(stream_id, stored[-1].version, leaf_hash(stored[-1].record)))


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Log]:
    """The log of a database, on a connection as the store sets it up."""
    async with await store.open_pool(database.url(), size_min=1, size_max=1) as pool, pool.acquire() as conn:
        yield await open_log(conn)


async def fill(database: Database, commands: Iterable[Command], *, cohort: int = COHORT) -> float:
    """Append commands as fast as one process can: a batch is decided while the one before it is written.

    Args:
        database: its log knows none of the customers yet.
        commands: in the order in which they are to stand in the log.
        cohort: after so many commands come other customers, so the heads are forgotten and memory stays flat.

    Returns:
        Records per second.
    """
    async with opened(database) as log:
        began, count = time.perf_counter(), 0
        writing: asyncio.Task[None] | None = None
        for chunk in _chunks(commands, BATCH):
            if count % cohort < BATCH:
                log.heads.clear()
            ready = await log.ready(chunk)
            if writing is not None:
                await writing
            writing = asyncio.create_task(log.append(ready))
            count += len(chunk)
        if writing is not None:
            await writing
        return count / (time.perf_counter() - began)


async def bare_append(database: Database, commands: list[Command]) -> float:
    """Records per second of `store.append` alone, its units ready-made, in batches of 1,000 one after the other."""
    async with opened(database) as log:
        await log.read_heads(commands)
        made = [await log.ready(chunk) for chunk in _chunks(commands, BATCH)]
        spent = 0.0
        for ready in made:
            began = time.perf_counter()
            await log.append(ready)
            spent += time.perf_counter() - began
    return len(commands) / spent


def _to_append(stream_id: UUID, record: Record, head: _Head) -> RecordToAppend:
    body = record.to_bytes()
    head.version, head.hash = record.version, leaf_hash(body)
    return RecordToAppend(
        stream_id,
        record.version,
        source_key(record.source, record.id),
        None if record.reference is None else reference_key(record.reference),
        record.type,
        to_datetime(record.time),
        body,
    )


async def _publish(conn: store.Connection, log_id: int, stream_id: UUID) -> None:
    """The default rules as the program's first record, as the service writes them at its first start."""
    instant = from_datetime(datetime.now(UTC))
    command = Command(
        "ledger:rules", f"{PROGRAM}/1", "program.published", PROGRAM, instant, {"document": DEFAULT_DOCUMENT}, "ledger"
    )
    decision = decide_program(ProgramState(), command, Context(PROGRAM, instant, ProgramState()))
    record = decision.records[0]
    record.recorded_at = instant
    head = _Head(0, None, accounts.empty())
    to_append = _to_append(stream_id, record, head)
    unit = UnitToAppend([HeadRead(stream_id, 0, None)], [to_append], to_append.source_key)
    written = HeadToWrite(stream_id, PROGRAM, 1, head.hash or b"", STATE_SCHEMA, b"null", None, 0)
    await store.append(conn, log_id, to_datetime(instant), HeadRead(stream_id, 0, None), [unit], [written])


def _chunks(commands: Iterable[Command], size: int) -> Iterator[list[Command]]:
    source = iter(commands)
    while chunk := list(islice(source, size)):
        yield chunk
