"""Fill a program with very many records in minutes: histories decided once, given to many customers, written by COPY.

What the append checks one by one holds here by construction: versions and positions have no gap, `prev` is the hash of the
record before, keys are unlike each other, stamps rise. `ledger check` then proves it record by record.
"""

import random
import struct
import time
from array import array
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg

from benchmarks.templates import History, Template
from ledger.account import STATE_SCHEMA
from ledger.deciding import Command, Context, decide_program
from ledger.instants import SECOND, from_datetime, to_datetime
from ledger.program import ProgramState
from ledger.records import Record, leaf_hash, program_stream_id, source_key

SHIFT_MAX = 9 * 3_600
"""Seconds by which a history is moved at most: everything stays within its day, before the midnight of any program here."""

_POSTGRES_EPOCH = from_datetime(datetime(2000, 1, 1, tzinfo=UTC))
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_COPY_END = struct.pack(">h", -1)
_CHUNK_BYTES = 1 << 20

_TIMES = [b"%02d:%02d:%02d" % (second // 3_600, second // 60 % 60, second % 60) for second in range(86_400)]

_EVENT = struct.Struct(">hiiiqi16siqi16s")
"""Number of columns; log_id, position, stream_id, version, source_key, each after its length."""
_EVENT_COLUMNS = (
    "log_id",
    "position",
    "stream_id",
    "version",
    "source_key",
    "reference",
    "type",
    "time",
    "recorded_at",
    "record",
)
_STREAM_COLUMNS = ("log_id", "stream_id", "customer_id", "version", "head_hash", "state_schema", "state", "due_at")
_NULL = struct.pack(">i", -1)
_UUID_SIZE = struct.pack(">i", 16)
_SIZE = struct.Struct(">i")
_INSTANTS = struct.Struct(">iqiqi")
_HEAD = struct.Struct(">hiii16si")
_HEAD_REST = struct.Struct(">iqi32siii")
_DUE = struct.Struct(">iq")

_OF_SECOND, _OF_CUSTOMER = 40, 12
_CUSTOMER, _PLACE = (1 << _OF_SECOND - _OF_CUSTOMER) - 1, (1 << _OF_CUSTOMER) - 1
"""How a record's place in its day is packed: second, customer, place in the customer's history."""


@dataclass(frozen=True)
class Filled:
    """What was written, and how fast."""

    records: int
    customers: int
    histories: int
    seconds: float


async def fill(
    url: str, publication: Record, histories: list[History], owners: Sequence[int], *, end: int, seed: int
) -> Filled:
    """Write a program's log whole.

    Args:
        url: of a role that owns the tables; they are locked meanwhile.
        publication: the program's first record.
        owners: the history of each customer, by its number.
        end: up to when the clock has worked, microseconds.

    Raises:
        RuntimeError: the program has records.
    """
    began = time.perf_counter()
    conn = await asyncpg.connect(url)
    try:
        log_id: int = await conn.fetchval("SELECT create_log($1)", publication.program)
        if await conn.fetchval("SELECT next_position > 1 FROM logs WHERE log_id = $1", log_id):
            raise RuntimeError(f"program {publication.program} is not empty")
        log = _Log(log_id, publication, histories, owners, seed)
        async with conn.transaction():
            await conn.execute("SET LOCAL maintenance_work_mem = '1GB'")
            removed = [definition async for definition in _removed(conn)]
            await conn.copy_to_table("events", source=_chunks(log.events()), columns=_EVENT_COLUMNS, format="binary")
            await conn.copy_to_table("streams", source=_chunks(log.heads()), columns=_STREAM_COLUMNS, format="binary")
            for definition in removed:
                await conn.execute(definition)
            await conn.execute(_LOG, log_id, log.position + 1, to_datetime(end))
        await conn.execute("VACUUM (ANALYZE) events, streams")
    finally:
        await conn.close()
    return Filled(log.position - 1, len(owners), len(histories), time.perf_counter() - began)


def published(program: str, document: dict[str, Any], at: int) -> tuple[Record, ProgramState]:
    """The record that publishes a program's first rules, and the program's state after it."""
    command = Command(
        "ledger:rules", f"{program}/1", "program.published", program, at, {"document": document}, "ledger"
    )
    decision = decide_program(ProgramState(), command, Context(program, at, ProgramState()))
    record = decision.records[0]
    record.recorded_at = at
    return record, decision.state


_LOG = "UPDATE logs SET next_position = $2, recorded_at = $3, due_through = $3 WHERE log_id = $1"

_CONSTRAINTS = """
SELECT
    conrelid::regclass::text AS relation,
    conname AS name,
    pg_get_constraintdef(oid) AS definition
FROM pg_constraint
WHERE conrelid IN ('events'::regclass, 'streams'::regclass) AND contype IN ('p', 'u')
ORDER BY conname
"""


async def _removed(conn: asyncpg.Connection) -> AsyncIterator[str]:
    """Remove what keeps keys apart, and yield what makes it again: an index is built at once ten times as fast as row by row."""
    for row in await conn.fetch(_CONSTRAINTS):
        await conn.execute(f'ALTER TABLE {row["relation"]} DROP CONSTRAINT "{row["name"]}"')
        yield f'ALTER TABLE {row["relation"]} ADD CONSTRAINT "{row["name"]}" {row["definition"]}'
    definition = await conn.fetchval("SELECT pg_get_indexdef('streams_due'::regclass)")
    await conn.execute("DROP INDEX streams_due")
    yield definition


async def _chunks(rows: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Rows of a binary COPY in pieces worth sending."""
    held, size = [_COPY_HEADER], 0
    for row in rows:
        held.append(row)
        size += len(row)
        if size >= _CHUNK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join((*held, _COPY_END))


class _Log:
    """The rows of a log in the order of time, and the heads they leave."""

    def __init__(
        self, log_id: int, publication: Record, histories: list[History], owners: Sequence[int], seed: int
    ) -> None:
        customers = len(owners)
        chance = random.Random(seed)
        self.log_id = log_id
        self.position = 0
        self._publication = publication
        self._histories = histories
        self._owners = owners
        self._customers: list[list[int]] = [[] for _ in histories]
        for customer, owner in enumerate(owners):
            self._customers[owner].append(customer)
        self._numbers = array("i", range(customers))
        chance.shuffle(self._numbers)
        self._shifts = array("i", (chance.randrange(SHIFT_MAX) for _ in range(customers)))
        self._hashes: list[bytes] = [b""] * customers
        namespace = program_stream_id(publication.program)
        self._streams = [uuid5(namespace, f"c-{number}") for number in self._numbers]

    def events(self) -> Iterator[bytes]:
        """Every record, day after day, a stream's in the order of its versions."""
        yield self._published()
        days: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, history in enumerate(self._histories):
            for place, template in enumerate(history.templates):
                days[template.day].append((number, place))
        for day in sorted(days):
            yield from self._events_of(days[day])

    def heads(self) -> Iterator[bytes]:
        """The program's head, then those of the customers."""
        body = self._publication.to_bytes()
        stream = program_stream_id(self._publication.program)
        yield self._head(stream, self._publication.program.encode(), 1, leaf_hash(body), b"null", None)
        for customer, number in enumerate(self._numbers):
            history = self._histories[self._owners[customer]]
            shift = self._shifts[customer] * SECOND
            values: dict[bytes, Any] = {b"m%d" % instant: instant + shift for instant in history.instants}
            name = b"%d" % number
            state = history.state % {b"n": name, **values}
            version = len(history.templates)
            yield self._head(
                self._streams[customer], b"c-" + name, version, self._hashes[customer], state, history.due_at
            )

    def _published(self) -> bytes:
        record = self._publication
        body = record.to_bytes()
        key = source_key(record.source, record.id).bytes
        stream = program_stream_id(record.program)
        return self._row(stream.bytes, 1, key, None, record.type.encode(), record.time, body)

    def _events_of(self, places: list[tuple[int, int]]) -> Iterator[bytes]:
        """One day's records: in the order of seconds, customers and versions, packed into one number each."""
        keys = []
        histories, shifts, owners = self._histories, self._shifts, self._owners
        for number, place in places:
            template = histories[number].templates[place]
            second, moves = template.second, template.moves
            for customer in self._customers[number]:
                at = second + shifts[customer] if moves else second
                keys.append(at << _OF_SECOND | customer << _OF_CUSTOMER | place)
        keys.sort()
        for key in keys:
            customer = key >> _OF_CUSTOMER & _CUSTOMER
            place = key & _PLACE
            yield self._event(customer, place, histories[owners[customer]].templates[place], key >> _OF_SECOND)

    def _event(self, customer: int, place: int, template: Template, second: int) -> bytes:
        shift = self._shifts[customer]
        values: dict[bytes, bytes] = {name: _TIMES[at + shift] for name, at in template.seconds}
        values[b"n"] = b"%d" % self._numbers[customer]
        before = self._hashes[customer]
        values[b"p"] = b'"%b"' % before.hex().encode() if before else b"null"
        if template.due is not None:
            due = f"{self._streams[customer]}/{template.due}"
            values[b"i"] = str(uuid5(NAMESPACE_URL, due)).encode()
        body = template.record % values
        self._hashes[customer] = sha256(b"\0" + body).digest()
        key = sha256(template.source_key % values).digest()[:16]
        reference = None if template.reference is None else sha256(template.reference % values).digest()[:16]
        at = (template.day * 86_400 + second) * SECOND
        return self._row(self._streams[customer].bytes, place + 1, key, reference, template.type, at, body)

    def _row(
        self,
        stream: bytes,
        version: int,
        key: bytes,
        reference: bytes | None,
        kind: bytes,
        at: int,
        body: bytes,
    ) -> bytes:
        self.position += 1
        return b"".join(
            (
                _EVENT.pack(10, 4, self.log_id, 8, self.position, 16, stream, 8, version, 16, key),
                _NULL if reference is None else _UUID_SIZE + reference,
                _SIZE.pack(len(kind)),
                kind,
                _INSTANTS.pack(8, at - _POSTGRES_EPOCH, 8, at - _POSTGRES_EPOCH, len(body)),
                body,
            )
        )

    def _head(
        self, stream: UUID, customer: bytes, version: int, head_hash: bytes, state: bytes, due_at: int | None
    ) -> bytes:
        return b"".join(
            (
                _HEAD.pack(8, 4, self.log_id, 16, stream.bytes, len(customer)),
                customer,
                _HEAD_REST.pack(8, version, 32, head_hash, 4, STATE_SCHEMA, len(state)),
                state,
                _NULL if due_at is None else _DUE.pack(8, due_at - _POSTGRES_EPOCH),
            )
        )
