"""Builds batches for the store as a writer would: decided on known heads, each unit on top of the ones before."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from ledger import store
from ledger.records import customer_stream_id, leaf_hash, program_stream_id, reference_key, source_key

_numbers = itertools.count(1)


def now() -> datetime:
    return datetime.now(UTC)


def stream_of(customer: str, program: str = "default") -> UUID:
    """The customer's stream; the program's own for the program's name."""
    return program_stream_id(program) if customer == program else customer_stream_id(program, customer)


def key_of(name: str) -> UUID:
    return source_key("/test", name)


@dataclass
class Batch:
    """Units to append and the heads they leave.

    `known` are the heads the decisions stand on; a stream that is not in it was read as not being there.
    """

    program: str = "default"
    known: dict[UUID, store.HeadRead] = field(default_factory=dict)
    units: list[store.UnitToAppend] = field(default_factory=list)
    heads: dict[UUID, store.HeadToWrite] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.program_head = self.read(self.program)

    def read(self, customer: str) -> store.HeadRead:
        stream_id = stream_of(customer, self.program)
        return self.known.get(stream_id, store.HeadRead(stream_id, 0, None))

    def post(
        self,
        *customers: str,
        key: str | None = None,
        reference: str | None = None,
        also_reads: Sequence[str] = (),
        counters: Sequence[tuple[str, int, int | None]] = (),
        filling: str = "",
        due_at: datetime | None = None,
    ) -> "Batch":
        """Add a unit with one record for each customer named (twice named, two records)."""
        name = key or f"event-{next(_numbers)}"
        reads = [self.read(customer) for customer in dict.fromkeys([*customers, *also_reads])]
        records = []
        for place, customer in enumerate(customers, start=1):
            record = self._record(customer, name, place, len(customers), reference, filling)
            records.append(record)
            self._leave(customer, record, due_at)
        self.units.append(store.UnitToAppend(reads, records, key_of(name), None, list(counters)))
        return self

    def refuse(
        self, customer: str, *, key: str, status: str = "final", waits_for: str | None = None, code: str = "no"
    ) -> "Batch":
        """Add a unit that keeps a refusal and nothing else."""
        refusal = store.RefusalToKeep(
            key_of(key),
            b"fingerprint",
            code,
            status,  # type: ignore[arg-type]
            reference_key(waits_for) if waits_for else None,
            customer,
            b'{"status":422}',
            b'{"id":"1"}',
        )
        self.units.append(store.UnitToAppend([self.read(customer)], [], key_of(key), refusal))
        return self

    async def append(
        self, conn: store.Connection, log_id: int, recorded_at: datetime | None = None
    ) -> store.AppendResult:
        return await store.append(
            conn, log_id, recorded_at or now(), self.program_head, self.units, self.heads.values()
        )

    async def outcomes(self, conn: store.Connection, log_id: int) -> list[store.Outcome]:
        """Append, stamped again as long as others have a later stamp."""
        result = await self.append(conn, log_id)
        while result.behind:
            result = await self.append(conn, log_id, result.log_recorded_at)
        return result.outcomes

    def _record(
        self, customer: str, name: str, place: int, size: int, reference: str | None, filling: str
    ) -> store.RecordToAppend:
        read = self.read(customer)
        key = key_of(name if place == size else f"{name}/{place}")
        body = f'{{"id":"{name}","unit":[{place},{size}],"version":{read.version + 1},"filling":"{filling}"}}'
        return store.RecordToAppend(
            read.stream_id,
            read.version + 1,
            key,
            reference_key(reference) if reference and place == size else None,
            "points.granted",
            now(),
            body.encode(),
        )

    def _leave(self, customer: str, record: store.RecordToAppend, due_at: datetime | None) -> None:
        hashed = leaf_hash(record.record)
        self.known[record.stream_id] = store.HeadRead(record.stream_id, record.version, hashed)
        state = f'{{"version":{record.version}}}'.encode()
        self.heads[record.stream_id] = store.HeadToWrite(
            record.stream_id, customer, record.version, hashed, 1, state, due_at, len(self.units)
        )


async def known_heads(conn: store.Connection, log_id: int, customers: Iterable[str]) -> dict[UUID, store.HeadRead]:
    """The heads of these customers as the log has them now."""
    heads = await store.read_heads(conn, log_id, [stream_of(customer) for customer in customers])
    return {head.stream_id: store.HeadRead(head.stream_id, head.version, head.head_hash) for head in heads.values()}
