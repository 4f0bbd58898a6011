"""A shop on a real database: writers on one log as several processes would have them, and a check of the whole at the end."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from ledger import store
from ledger.account import from_bytes, show_account
from ledger.answers import Answer
from ledger.checking import check
from ledger.deciding import Command
from ledger.events import validated
from ledger.heads import read_heads
from ledger.instants import MINUTE, show
from ledger.policies.retrying import Retrying
from ledger.records import PROGRAM_TYPES, Record, customer_stream_id, source_key
from ledger.store import StoredRecord
from ledger.writer import Limits, Writer
from tests.builders import Event, at, event, published, rules

PROGRAM = "default"
NOW = at("2026-03-01T12:00:00Z")


@dataclass
class Clock:
    """A clock that shows what it is told."""

    shows: int = NOW

    def __call__(self) -> int:
        return self.shows


def command(posted: Event, customer: str = "c-1", **more: Any) -> Command:
    """The command of an event; an event without an id gets one of its own."""
    data = posted.data if posted.type == "program.published" else validated(posted.type, posted.data, posted.time)
    return Command(
        source=posted.source,
        id=posted.id or f"e-{next(_NUMBERS)}",
        type=posted.type,
        subject=PROGRAM if posted.type in PROGRAM_TYPES else customer,
        time=posted.time,
        data=data,
        actor="till-1",
        may_backdate=posted.may_backdate,
        **more,
    )


_NUMBERS = itertools.count(1)

Result = TypeVar("Result")


def grant(points: int, *, time: int = NOW - MINUTE, **more: Any) -> Event:
    return event("points.granted", show(time), points=points, reason="goodwill", **more)


def redeem(redemption: str, points: int, *, time: int = NOW - MINUTE) -> Event:
    return event("points.redeemed", show(time), redemption_id=redemption, points=points)


@dataclass
class Shop:
    """One log and those who write to it.

    Attributes:
        url: where new writers connect; a proxy's, where the test has one.
        unforeseen: what the writers log of faults the test plants.
    """

    url: str
    log_id: int
    pool: store.Pool
    clock: Clock = field(default_factory=Clock)
    writers: list[Writer] = field(default_factory=list)
    pools: list[store.Pool] = field(default_factory=list)
    unforeseen: set[str] = field(default_factory=set)

    async def writer(self, *, clock: Clock | None = None, url: str | None = None, **limits: int) -> Writer:
        """One more writer with connections of its own, as another process would have them."""
        pool = await store.open_pool(url or self.url, size_min=1, size_max=5)
        self.pools.append(pool)
        writer = Writer(pool, self.log_id, PROGRAM, clock=clock or self.clock, limits=Limits(**limits))
        await writer.start()
        self.writers.append(writer)
        return writer

    def retrying(self) -> Retrying:
        return Retrying(self.pools[-1], self.log_id, self.writers[-1])

    async def stop(self) -> None:
        """Stop all writers as a process that ends well does."""
        await asyncio.gather(*(writer.close() for writer in self.writers))
        for pool in self.pools:
            await pool.close()
        self.writers.clear()
        self.pools.clear()

    async def records(self, customer: str = "c-1") -> list[Record]:
        """A customer's records in order of version."""
        return [Record.from_bytes(stored.record) for stored in await self.stored(customer)]

    async def stored(self, customer: str = "c-1") -> list[StoredRecord]:
        async with self.pool.acquire() as conn:
            return await store.read_stream(conn, self.log_id, customer_stream_id(PROGRAM, customer))

    async def points(self, customer: str = "c-1") -> int:
        """A customer's balance as the head row carries it."""
        stream_id = customer_stream_id(PROGRAM, customer)
        async with self.pool.acquire() as conn:
            head = (await store.read_heads(conn, self.log_id, [stream_id])).get(stream_id)
            if head is None or head.state is None:
                folded = await read_heads(conn, self.log_id, {stream_id: customer})
                return folded[stream_id].state.balances()["points"]
        shown: int = show_account(from_bytes(head.state, head.version), self.clock())["balances"]["points"]
        return shown

    async def refusal(self, posted: Command) -> store.Refusal | None:
        key = source_key(posted.source, posted.id)
        async with self.pool.acquire() as conn:
            return (await store.refusals_by_key(conn, self.log_id, [key])).get(key)

    async def log_length(self) -> int:
        async with self.pool.acquire() as conn:
            return (await store.read_logs(conn, [self.log_id]))[self.log_id].next_position - 1

    async def check(self) -> None:
        """Every promise about the log holds: gapless, chained, heads as their records fold, sums even."""
        async with self.pool.acquire() as conn:
            for report in await check(conn):
                assert report.is_whole, report


async def open_shop(url: str, *, document: dict[str, Any] | None = None) -> Shop:
    """Make program `default` with rules on a migrated database; nobody writes yet."""
    pool = await store.open_pool(url, size_min=1, size_max=5)
    async with pool.acquire() as conn:
        log_id = await store.create_log(conn, PROGRAM)
    shop = Shop(url, log_id, pool)
    writer = await shop.writer()
    (answer,) = await writer.post([command(published(document or rules(), "2026-01-01"))])
    assert answer.error is None, answer.error
    await shop.stop()
    return shop


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to be so, giving everything else its turn."""
    while not condition():
        await asyncio.sleep(0.001)


async def soon(waiting: Awaitable[Result]) -> Result:
    """What would wait for ever were the planted bug there fails instead."""
    async with asyncio.timeout(30):
        return await waiting


def receipt_of(answer: Answer) -> dict[str, Any]:
    """The receipt as a sender reads it."""
    assert answer.error is None, (answer.error, answer.error.facts)
    assert answer.receipt is not None
    receipt: dict[str, Any] = orjson.loads(orjson.dumps(answer.receipt))
    return receipt


def codes(answers: Sequence[Answer]) -> list[str]:
    """What became of each: `recorded`, `replayed`, or the code of the no."""
    return [answer.status if answer.error is None else answer.error.code for answer in answers]
