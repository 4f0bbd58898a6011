"""The store under several hands at once, on real connections."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import asyncpg
import pytest

from ledger import store
from ledger.store import Appended, Exists, LimitReached, Stale
from tests.postgres import on_every_version
from tests.store.batches import Batch, key_of, known_heads, now, stream_of
from tests.store.conftest import Ledger

pytestmark = on_every_version


T = TypeVar("T")


async def at_once(*works: Coroutine[Any, Any, T]) -> list[T]:
    """Run all together; what one of them raises ends the others."""
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
    return [task.result() for task in tasks]


async def test_of_eight_first_appends_to_one_stream_one_wins(ledger: Ledger) -> None:
    """Planted: the lock of the log's row left out; several found no head and met the unique constraints."""
    for customer in (f"c-{number}" for number in range(10)):

        async def first_append(customer: str = customer) -> store.Outcome:
            async with ledger.pool.acquire() as conn:
                return (await Batch().post(customer).outcomes(conn, ledger.log_id))[0]

        outcomes = Counter(type(outcome) for outcome in await at_once(*(first_append() for _ in range(8))))
        assert outcomes == {Appended: 1, Stale: 7}


@pytest.mark.parametrize("colliding", [True, False], ids=["colliding", "each on streams of its own"])
async def test_a_tailing_reader_misses_nothing_of_eight_writers(ledger: Ledger, *, colliding: bool) -> None:
    """Every position comes once and in order, although writers overlap, collide and stamp with clocks that disagree.

    Planted: positions taken from a sequence and the log's row not taken; the reader missed 70 to 98 of some 7,000.
    """
    written: dict[int, str] = {}
    writers_left = 8

    async def write(writer: int) -> None:
        nonlocal writers_left
        chance = random.Random(writer)
        skew = timedelta(milliseconds=chance.uniform(-50, 50))
        for number in range(60):
            size = chance.randrange(1, 30)
            customers = [f"c-{'' if colliding else writer}-{chance.randrange(200)}" for _ in range(size)]
            batch = Batch()
            async with ledger.pool.acquire() as conn:
                batch.known.update(await known_heads(conn, ledger.log_id, customers))
                for place, customer in enumerate(customers):
                    batch.post(customer, key=f"{writer}/{number}/{place}")
                stamp = now() + skew
                result = await batch.append(conn, ledger.log_id, stamp)
                while result.behind:
                    assert result.log_recorded_at > stamp
                    stamp = result.log_recorded_at
                    result = await batch.append(conn, ledger.log_id, stamp)
            for place, outcome in enumerate(result.outcomes):
                if isinstance(outcome, Appended):
                    assert outcome.position is not None
                    assert written.setdefault(outcome.position, f"{writer}/{number}/{place}")
        writers_left -= 1

    async def tail() -> list[store.StoredRecord]:
        seen: list[store.StoredRecord] = []
        async with ledger.pool.acquire() as conn:
            while True:
                ended = writers_left == 0
                last = seen[-1].position if seen else 0
                page = await store.read_log(conn, ledger.log_id, after=last, limit=50)
                seen += page
                if ended and not page:
                    return seen

    reading = asyncio.create_task(tail())
    try:
        await at_once(*(write(writer) for writer in range(8)))
        seen = await reading
    finally:
        reading.cancel()

    missed = written.keys() - {record.position for record in seen}
    assert len(missed) == 0
    assert [record.position for record in seen] == list(range(1, len(written) + 1))
    assert {record.position: record.record.split(b'"')[3].decode() for record in seen} == written
    assert len(seen) > 2_000
    async with ledger.pool.acquire() as conn:
        stamps = await conn.fetch("SELECT recorded_at FROM events WHERE log_id = $1 ORDER BY position", ledger.log_id)
    assert stamps == sorted(stamps)


async def test_streams_have_no_gap_when_many_write_them(ledger: Ledger) -> None:
    async def write(writer: int) -> None:
        async with ledger.pool.acquire() as conn:
            for number in range(40):
                customers = ["hot", f"c-{number % 5}"]
                batch = Batch(known=await known_heads(conn, ledger.log_id, customers))
                await (
                    batch.post("hot")
                    .post("hot", f"c-{number % 5}")
                    .post(f"w-{writer}-{number}")
                    .append(conn, ledger.log_id, now() + timedelta(days=1))
                )

    await at_once(*(write(writer) for writer in range(8)))

    async with ledger.pool.acquire() as conn:
        heads = await store.list_heads(conn, ledger.log_id, after=None, limit=1_000)
        streams = await store.read_streams(conn, ledger.log_id, [head.stream_id for head in heads])
    for head in heads:
        records = streams[head.stream_id]
        assert [record.version for record in records] == list(range(1, head.version + 1))
        assert store.leaf_hash(records[-1].record) == head.head_hash


async def test_a_counter_is_exact_under_64_rivals_for_the_last_100(ledger: Ledger) -> None:
    """Planted: the sum written without being read under the lock (raised by what was read before it); 137 got in."""
    async with ledger.pool.acquire() as conn:
        await Batch().post("c-first", counters=[("budget", 900, 1_000)]).append(conn, ledger.log_id)

    async def take(rival: int) -> int:
        taken = 0
        while True:
            async with ledger.pool.acquire() as conn:
                batch = Batch().post(f"c-{rival}-{taken}", counters=[("budget", 1, 1_000)])
                outcome = (await batch.outcomes(conn, ledger.log_id))[0]
            if isinstance(outcome, LimitReached):
                assert outcome == LimitReached("budget", 1_000, 1_000)
                return taken
            assert isinstance(outcome, Appended)
            taken += 1

    assert sum(await at_once(*(take(rival) for rival in range(64)))) == 100
    async with ledger.pool.acquire() as conn:
        assert (await store.read_counters(conn, ledger.log_id))["budget"] == store.Counter(1_000, 1_000)


class Crowd:
    """Everything that locks, at work on the same dozen streams."""

    customers = tuple(f"c-{number}" for number in range(12))

    def __init__(self, log_id: int) -> None:
        self.log_id = log_id

    async def append(self, conn: store.Connection, chance: random.Random) -> None:
        chosen = chance.sample(self.customers, 6)
        batch = Batch(known=await known_heads(conn, self.log_id, chosen))
        counters = [(f"counter-{number}", 1, None) for number in chance.sample(range(4), 2)]
        for customer in chosen:
            batch.post(customer, counters=counters, due_at=now())
        await batch.outcomes(conn, self.log_id)

    async def append_under_the_lock(self, conn: store.Connection, chance: random.Random) -> None:
        async with store.hold_log(conn, self.log_id):
            chosen = chance.sample(self.customers, 6)
            batch = Batch(known=await known_heads(conn, self.log_id, chosen))
            for customer in chosen:
                batch.post(customer, due_at=now())
            assert all(isinstance(outcome, Appended) for outcome in await batch.outcomes(conn, self.log_id))

    async def rebuild(self, conn: store.Connection, chance: random.Random) -> None:
        heads = await store.read_heads(conn, self.log_id, [stream_of(customer) for customer in self.customers])
        rebuilt = [store.HeadToRebuild(head.stream_id, head.version, 2, b"{}", now()) for head in heads.values()]
        chance.shuffle(rebuilt)
        await store.rebuild_heads(conn, self.log_id, rebuilt)

    async def run_clock(self, conn: store.Connection, chance: random.Random) -> None:
        due = await store.due_streams(conn, self.log_id, before=now(), limit=5)
        known = {head.stream_id: store.HeadRead(head.stream_id, head.version, head.head_hash) for head in due}
        batch = Batch(known=known)
        for head in due:
            batch.post(head.customer_id, due_at=now() if chance.random() < 0.5 else None)
        await batch.outcomes(conn, self.log_id)
        await store.set_due_through(conn, self.log_id, now())

    async def settle(self, conn: store.Connection, chance: random.Random) -> None:
        await store.settle_refusal(conn, self.log_id, key_of(str(chance.random())))


async def test_append_rebuild_clock_and_posts_never_deadlock(ledger: Ledger) -> None:
    """All that lock do so in one order: the log's row, heads, counters.

    Planted: rebuild_heads updating the heads before it takes the log's row; PostgreSQL reported a deadlock at once.
    """
    crowd = Crowd(ledger.log_id)

    async def work(task: Callable[[store.Connection, random.Random], Coroutine[Any, Any, None]], seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            async with ledger.pool.acquire() as conn:
                await task(conn, chance)

    tasks = [
        *[crowd.append] * 3,
        *[crowd.rebuild] * 2,
        *[crowd.run_clock] * 2,
        crowd.append_under_the_lock,
        crowd.settle,
    ]
    await at_once(*(work(task, seed) for seed, task in enumerate(tasks)))


async def test_an_unknown_outcome_is_looked_up_after_what_held_the_log_has_ended(ledger: Ledger) -> None:
    """Planted: the look-up without the log's row; it answered "absent" a moment before the record appeared."""
    async with ledger.pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        assert await Batch().post("c-1", key="a").refuse("c-2", key="b").outcomes(conn, ledger.log_id) == [
            Appended(1),
            Appended(None),
        ]
        looking = asyncio.create_task(
            store.settle_unknown(ledger.pool, ledger.log_id, [key_of("a"), key_of("b"), key_of("never sent")])
        )
        await someone_waits_for_a_lock(ledger, looking)
        await transaction.commit()
    assert await looking == {key_of("a"): Exists(1, refused=False), key_of("b"): Exists(None, refused=True)}


async def test_a_connection_cut_under_an_append_leaves_its_outcome_unknown(ledger: Ledger) -> None:
    pool = ledger.pool
    async with pool.acquire() as holder, pool.acquire() as conn, store.hold_log(holder, ledger.log_id):
        appending = asyncio.create_task(Batch().post("c-1", key="a").append(conn, ledger.log_id))
        await someone_waits_for_a_lock(ledger, appending)
        await as_superuser(ledger, "SELECT pg_terminate_backend($1)", conn.get_server_pid())
        with pytest.raises(store.OutcomeUnknown):
            await appending
    assert await store.settle_unknown(ledger.pool, ledger.log_id, [key_of("a")]) == {}


async def test_an_append_that_waits_too_long_for_the_log_has_done_nothing(ledger: Ledger) -> None:
    async with ledger.pool.acquire() as holder, ledger.pool.acquire() as conn:
        await conn.execute("SET lock_timeout = '20ms'")
        async with store.hold_log(holder, ledger.log_id):
            with pytest.raises(store.DatabaseUnavailable) as caught:
                await Batch().post("c-1", key="a").append(conn, ledger.log_id)
        assert not isinstance(caught.value, store.OutcomeUnknown)
        await conn.execute("RESET lock_timeout")
        assert await Batch().post("c-1", key="a").outcomes(conn, ledger.log_id) == [Appended(1)]


async def test_programs_created_at_once_get_one_log_each(ledger: Ledger) -> None:
    async def create(program: str) -> int:
        async with ledger.pool.acquire() as conn:
            return await store.create_log(conn, program)

    log_ids = await at_once(*(create(f"program-{number % 3}") for number in range(12)))
    assert len(set(log_ids)) == 3
    async with ledger.pool.acquire() as conn:
        assert [log.program for log in await store.list_logs(conn)] == [
            "default",
            "program-0",
            "program-1",
            "program-2",
        ]


async def someone_waits_for_a_lock(ledger: Ledger, task: asyncio.Task[object]) -> None:
    """Wait until a connection to the database is blocked by another's lock; the task is expected not to end before."""
    connection = await asyncpg.connect(ledger.database.superuser_url)
    try:
        while not await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            assert not task.done(), "it did not wait"
    finally:
        await connection.close()


async def as_superuser(ledger: Ledger, statement: str, *arguments: object) -> None:
    connection = await asyncpg.connect(ledger.database.superuser_url)
    try:
        await connection.execute(statement, *arguments)
    finally:
        await connection.close()
