"""Heads read in groups: shared statements, fresh answers, and nobody who suffers for another."""

import asyncio

import asyncpg
import pytest

from ledger.head_reads import HeadReads
from tests.store.batches import Batch, stream_of


class CountingPool:
    """Counts statements; the first waits for the gate, others find it open."""

    def __init__(self, pool):
        self.pool = pool
        self.asked = []
        self.began = asyncio.Event()
        self.gate = asyncio.Event()

    async def fetch(self, statement, log_id, stream_ids):
        self.asked.append(len(stream_ids))
        self.began.set()
        await self.gate.wait()
        return await self.pool.fetch(statement, log_id, stream_ids)


@pytest.fixture
async def customers(ledger, conn, log_id):
    batch = Batch()
    names = [f"c-{number}" for number in range(20)]
    for name in names:
        batch.post(name)
    await batch.append(conn, log_id)
    return names


async def test_who_asks_at_once_shares_a_statement_and_gets_his_own_head(ledger, customers, log_id):
    pool = CountingPool(ledger.pool)
    pool.gate.set()
    reads = HeadReads(pool, log_id)
    heads = await asyncio.gather(*(reads.read(stream_of(name)) for name in [*customers, *customers]))
    assert pool.asked == [20]
    assert [head.version for head in heads] == [1] * 40
    assert {head.position for head in heads} == {20}
    assert heads[0].state == '{"version":1}'


async def test_who_asks_while_a_statement_is_under_way_gets_what_was_written_since(ledger, customers, conn, log_id):
    pool = CountingPool(ledger.pool)
    reads = HeadReads(pool, log_id)
    first = asyncio.create_task(reads.read(stream_of("c-1")))
    await pool.began.wait()
    await Batch(known={}).post("c-new").append(conn, log_id)
    others = [asyncio.create_task(reads.read(stream_of(name))) for name in ("c-new", "c-2", "nobody")]
    await asyncio.sleep(0)
    pool.gate.set()
    assert (await first).version == 1
    new, known, nobody = await asyncio.gather(*others)
    assert pool.asked == [1, 3]
    assert (new.version, new.position) == (1, 21)
    assert known.position == 21
    assert nobody is None


async def test_a_reader_that_leaves_takes_no_other_along(ledger, customers, log_id):
    pool = CountingPool(ledger.pool)
    reads = HeadReads(pool, log_id)
    leaving, staying = (asyncio.create_task(reads.read(stream_of("c-3"))) for _ in range(2))
    await pool.began.wait()
    leaving.cancel()
    pool.gate.set()
    assert (await staying).version == 1
    assert leaving.cancelled()
    assert (await reads.read(stream_of("c-4"))).version == 1


async def test_what_the_database_says_reaches_everyone_who_asked_and_the_next_is_tried_anew(ledger, customers, log_id):
    class Failing:
        fails = True

        async def fetch(self, statement, log_id, stream_ids):
            if self.fails:
                raise asyncpg.InterfaceError("closed")
            return await ledger.pool.fetch(statement, log_id, stream_ids)

    pool = Failing()
    reads = HeadReads(pool, log_id)
    answers = await asyncio.gather(*(reads.read(stream_of(name)) for name in customers), return_exceptions=True)
    assert {type(answer) for answer in answers} == {asyncpg.InterfaceError}
    pool.fails = False
    assert (await reads.read(stream_of("c-5"))).version == 1
