"""What the bare append can do: batches of ready-made units through `store.append`, nothing else in the way.

    python -m tests.store.append_ceiling postgresql://ledger_service@…   # a migrated database; appends to its first log

The ceiling other figures are compared with, so it is measured on the same tables in the same run as they are.
"""

import argparse
import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import uvloop

from ledger import store
from ledger.records import customer_stream_id, leaf_hash, program_stream_id

STATE = (
    '{"version":%d,"latest":"2026-11-21T10:00:00Z","lots":[["14.1","points",85,85,"2027-12-01T00:00:00Z","purchase"],'
    '["15.1","points",60,10,"2027-12-01T00:00:00Z","purchase"]],"debts":[],"totals":{"orders":3,"refunds":0,'
    '"gross":{"CNY":25000},"net":{"CNY":25000},"first_order_at":"2026-01-02T09:30:00Z"},"day":"2026-11-21","earned":{}}'
)


@dataclass(frozen=True)
class Ceiling:
    """A measurement: `records` appended in `seconds` spent inside `store.append`."""

    records: int
    seconds: float
    batches: int

    @property
    def records_per_second(self) -> float:
        return self.records / self.seconds

    @property
    def milliseconds_per_batch(self) -> float:
        return self.seconds / self.batches * 1000


async def measure(
    conn: store.Connection,
    log: store.Log,
    *,
    records: int,
    batch_size: int = 1_000,
    record_bytes: int = 900,
    customers: int | None = None,
) -> Ceiling:
    """Append single-record units, each on a stream of its own within its batch.

    Args:
        conn: of `store.open_pool`.
        log: as `store.read_log_of` answers it; its program's own stream may have records.
        records: how many to append, whole batches.
        customers: streams to choose from, which become longer; None: every record opens a stream.
    """
    program = program_stream_id(log.program)
    found = (await store.read_heads(conn, log.log_id, [program])).get(program)
    program_head = (
        store.HeadRead(program, found.version, found.head_hash) if found else store.HeadRead(program, 0, None)
    )
    makes = _Units(log.program, record_bytes, batch_size, customers, random.Random())
    spent = 0.0
    batches = 0
    for units, heads in makes.batches(records):
        began = time.perf_counter()
        result = await store.append(conn, log.log_id, datetime.now(UTC), program_head, units, heads)
        spent += time.perf_counter() - began
        batches += 1
        if not all(isinstance(outcome, store.Appended) for outcome in result.outcomes):
            raise AssertionError("someone else writes to this log")
    return Ceiling(batches * batch_size, spent, batches)


class _Units:
    def __init__(
        self, program: str, record_bytes: int, batch_size: int, customers: int | None, chance: random.Random
    ) -> None:
        self.program = program
        self.batch_size = batch_size
        self.chance = chance
        self.run = uuid.uuid4().hex[:8]
        self.filling = "x" * max(0, record_bytes - 430)
        self.known: dict[int, tuple[int, bytes | None]] = {}
        self.customers = customers
        self.next_customer = 0
        self.now = datetime.now(UTC)
        self.due_at = self.now + timedelta(days=300)

    def batches(self, records: int) -> Iterator[tuple[list[store.UnitToAppend], list[store.HeadToWrite]]]:
        for _ in range(records // self.batch_size):
            made = [self._unit(place, number) for place, number in enumerate(self._numbers())]
            yield [unit for unit, _ in made], [head for _, head in made]

    def _numbers(self) -> list[int]:
        if self.customers is not None:
            return self.chance.sample(range(self.customers), self.batch_size)
        self.next_customer += self.batch_size
        return list(range(self.next_customer - self.batch_size, self.next_customer))

    def _unit(self, place: int, number: int) -> tuple[store.UnitToAppend, store.HeadToWrite]:
        customer = f"c-{self.run}-{number}"
        stream_id = customer_stream_id(self.program, customer)
        version, head_hash = self.known.get(number, (0, None))
        source_key = uuid.UUID(bytes=self.chance.randbytes(16))
        record = (
            f'{{"schema":2,"id":"{source_key}","source":"/pos/1","type":"purchase.recorded","subject":"{customer}",'
            f'"program":"{self.program}","time":"2026-11-21T10:00:00Z","recorded_at":"2026-11-21T10:00:00.123456Z",'
            f'"version":{version + 1},"unit":[1,1],"prev":"{"0" * 64}","rules":1,"actor":"service:pos",'
            f'"data":{{"order_id":"SO-{number}","lines":[{{"line":1,"amount":2598}}]}},"filling":"{self.filling}"}}'
        ).encode()
        hashed = leaf_hash(record)
        self.known[number] = (version + 1, hashed)
        unit = store.UnitToAppend(
            [store.HeadRead(stream_id, version, head_hash)],
            [
                store.RecordToAppend(
                    stream_id,
                    version + 1,
                    source_key,
                    uuid.UUID(bytes=self.chance.randbytes(16)),
                    "purchase.recorded",
                    self.now,
                    record,
                )
            ],
            source_key,
        )
        state = (STATE % (version + 1)).encode()
        head = store.HeadToWrite(stream_id, customer, version + 1, hashed, 1, state, self.due_at, place)
        return unit, head


async def _main(url: str, records: int, batch_sizes: list[int], customers: int | None) -> None:
    async with await store.open_pool(url, size_min=1, size_max=1) as pool, pool.acquire() as conn:
        version = await conn.fetchval("SHOW server_version")
        log = (await store.list_logs(conn))[0]
        for batch_size in batch_sizes:
            got = await measure(
                conn,
                log,
                records=max(records, batch_size) * min(1, batch_size),
                batch_size=batch_size,
                customers=customers,
            )
            print(  # noqa: T201 -- a program of its own, for people
                f"PostgreSQL {version}: {got.records} records in batches of {batch_size}: {got.records_per_second:,.0f}/s,"
                f" {got.milliseconds_per_batch:.2f} ms a batch"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1_000])
    parser.add_argument("--customers", type=int, default=None)
    given = parser.parse_args()
    uvloop.run(_main(given.url, given.records, given.batch_sizes, given.customers))
