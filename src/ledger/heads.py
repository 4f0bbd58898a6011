"""Heads as the writer holds them: read from the log, decoded, remembered while nobody else appends.

A head read here may be old by the time it is used; the append compares every head it was given, so an old one costs a
second decision and never a wrong record.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from asyncpg.pgproto import pgproto

from ledger import account as accounts
from ledger import program as programs
from ledger import store
from ledger.account import STATE_SCHEMA, Account
from ledger.errors import InvariantBroken, LedgerError, StreamUnreadable
from ledger.program import ProgramState
from ledger.records import Record, leaf_hash
from ledger.store import Connection, StoredRecord

REFOLDED_AT_ONCE = 500
"""Records decoded before others have their turn."""

_EMPTY_BYTES = 1_500
_BYTES_PER_STATE_BYTE = 8
"""What a decoded account takes in memory, measured: some 1.5 KiB and 8 bytes for each byte of its JSON."""


@dataclass(slots=True, eq=False)
class Head:
    """The head of a customer's stream.

    Attributes:
        hash: of the last record; None where there is no stream, and, in flight, until its records are serialised.
        state: the account after that record; never changed in place.
        size: estimate of its memory in bytes.
        error: why nothing can be decided on this stream.
    """

    customer: str
    version: int
    hash: bytes | None
    state: Account
    size: int = _EMPTY_BYTES
    error: LedgerError | None = None


@dataclass(slots=True, eq=False)
class ProgramHead:
    """The head of the program's own stream."""

    version: int
    hash: bytes | None
    state: ProgramState


class HeadCache:
    """The heads used last, as far as they fit into some bytes."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._heads: OrderedDict[UUID, Head] = OrderedDict()

    def get(self, stream_id: UUID) -> Head | None:
        """A head remembered, which is then the one used last."""
        head = self._heads.get(stream_id)
        if head is not None:
            self._heads.move_to_end(stream_id)
        return head

    def put(self, stream_id: UUID, head: Head) -> None:
        """Remember a head, and forget those used longest ago beyond the bound."""
        self.drop(stream_id)
        self._heads[stream_id] = head
        self._bytes += head.size
        while self._bytes > self._bytes_max:
            _, forgotten = self._heads.popitem(last=False)
            self._bytes -= forgotten.size

    def drop(self, stream_id: UUID) -> None:
        """Forget one head."""
        head = self._heads.pop(stream_id, None)
        if head is not None:
            self._bytes -= head.size

    def clear(self) -> None:
        """Forget all of them."""
        self._heads.clear()
        self._bytes = 0


def stream_ids(program_stream: UUID) -> Callable[[str], UUID]:
    """`records.customer_stream_id` for one program: the same ids in a third of the time.

    They are the driver's own UUIDs, which hash and compare in C; a decided command looks some thirty of them up.
    """
    namespace = program_stream.bytes

    def of(customer: str) -> UUID:
        digest = bytearray(hashlib.sha1(namespace + customer.encode(), usedforsecurity=False).digest()[:16])
        digest[6] = digest[6] & 0x0F | 0x50  # version 5
        digest[8] = digest[8] & 0x3F | 0x80  # the variant of RFC 9562
        return pgproto.UUID(bytes(digest))

    return of


def size_of(state: bytes) -> int:
    """Estimate of a decoded account's memory, from the length of its JSON."""
    return _EMPTY_BYTES + _BYTES_PER_STATE_BYTE * len(state)


async def read_heads(conn: Connection, log_id: int, customers: dict[UUID, str]) -> dict[UUID, Head]:
    """The heads of customers' streams by stream id, every one of them: a stream that is not there has version 0.

    One that another fold wrote, or that has no state, is folded again from its records.
    """
    stored = await store.read_heads(conn, log_id, customers)
    heads = {stream_id: _decoded(head) for stream_id, head in stored.items() if _is_ours(head)}
    for stream_id, head in stored.items():
        if stream_id not in heads:
            heads[stream_id] = await _refolded(conn, log_id, head)
    for stream_id, customer in customers.items():
        if stream_id not in heads:
            heads[stream_id] = Head(customer, 0, None, accounts.empty())
    return heads


async def read_histories(conn: Connection, log_id: int, stream_ids: Iterable[UUID]) -> dict[UUID, list[Record]]:
    """All records of streams, decoded, in order of version; a stream that is not there has none.

    Raises:
        StreamUnreadable: in place of the records of that stream: it is left out of the answer.
    """
    stored = await store.read_streams(conn, log_id, stream_ids)
    return {stream_id: await decoded_records(records) for stream_id, records in stored.items()}


async def decoded_records(stored: list[StoredRecord]) -> list[Record]:
    """Decode records, letting others have their turn in between.

    Raises:
        StreamUnreadable: a type or schema this version does not know.
    """
    records: list[Record] = []
    for start in range(0, len(stored), REFOLDED_AT_ONCE):
        records += [Record.from_bytes(record.record) for record in stored[start : start + REFOLDED_AT_ONCE]]
        await asyncio.sleep(0)
    return records


async def read_program(conn: Connection, log_id: int, stream_id: UUID, known: ProgramHead | None) -> ProgramHead:
    """The program's own head: the known one, folded on with what was written since.

    Where what is known is no part of the log any more, as after a restore, everything is folded again.

    Raises:
        StreamUnreadable
    """
    known = known or ProgramHead(0, None, ProgramState())
    head = (await store.read_heads(conn, log_id, [stream_id])).get(stream_id)
    if (known.version, known.hash) == ((head.version, head.head_hash) if head is not None else (0, None)):
        return known
    stored = await store.read_stream(conn, log_id, stream_id, after=known.version)
    records = await decoded_records(stored)
    if known.version and not (records and records[0].prev == (known.hash or b"").hex()):
        return await read_program(conn, log_id, stream_id, None)
    state = known.state
    for record in records:
        state = programs.evolve(state, record)
    return ProgramHead(state.version, leaf_hash(stored[-1].record) if stored else None, state)


def _is_ours(head: store.Head) -> bool:
    return head.state is not None and head.state_schema == STATE_SCHEMA


def _decoded(head: store.Head) -> Head:
    state = head.state or b""
    return Head(
        head.customer_id, head.version, head.head_hash, accounts.from_bytes(state, head.version), size_of(state)
    )


async def _refolded(conn: Connection, log_id: int, head: store.Head) -> Head:
    """Fold a stream again, up to the head's version: records may have come since it was read."""
    folded = Head(head.customer_id, head.version, head.head_hash, accounts.empty())
    try:
        stored = await store.read_stream(conn, log_id, head.stream_id, limit=head.version)
        for record in await decoded_records(stored):
            accounts.apply(folded.state, record)
    except (StreamUnreadable, InvariantBroken) as error:
        folded.error = unreadable(error)
    return folded


def unreadable(error: Exception) -> StreamUnreadable:
    """What stops a stream, as its senders are told."""
    if isinstance(error, StreamUnreadable):
        return error
    return StreamUnreadable(f"Work on this stream has stopped: {error}")
