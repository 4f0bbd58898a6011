"""Readers that follow the feed while eight clients post through four processes and processes are killed.

Every record comes once, in the order of the log, without a gap, in the bytes it has in the database; a reader that loses
its server goes on at another one, after the last line it has read whole.

Planted, and caught here:
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import orjson
import psycopg
import pytest

from ledger.records import leaf_hash
from tests.faults.client import Client, Lost
from tests.faults.conftest import repeated
from tests.faults.fleet import Fleet
from tests.faults.journal import PAUSE_SECONDS, Journal
from tests.faults.load import at_work
from tests.faults.oracle import settle, verify
from tests.postgres import Database

SERVERS = 4
WORKERS = 8
FEED = "/v1/programs/default/feed"


class Reader:
    """Follows the log through one server after the other, by pages of changing size or live.

    Attributes:
        lines: every line, in the order in which it came.
        broken_off: how often a server ended under it.
    """

    def __init__(self, clients: Sequence[Client], seed: int, *, live: bool) -> None:
        self._clients = clients
        self._dice = random.Random(seed)
        self._live = live
        self.lines: list[bytes] = []
        self.broken_off = 0
        self._cursor = "0"
        self._position = 0

    async def read(self) -> None:
        """Read until cancelled."""
        while True:
            client = self._dice.choice(self._clients)
            try:
                async with asyncio.timeout(self._dice.uniform(0.1, 2)):
                    await (self._follow(client) if self._live else self._page(client))
            except Lost:
                self.broken_off += 1
                await asyncio.sleep(PAUSE_SECONDS)
            except TimeoutError:
                pass
            finally:
                client.close()

    async def until(self, position: int) -> None:
        """Wait until everything up to a position has come."""
        async with asyncio.timeout(60):
            while self._position < position:
                await asyncio.sleep(0.01)

    async def _page(self, client: Client) -> None:
        while True:
            path = f"{FEED}?after={self._cursor}&limit={self._dice.choice([1, 7, 100, 1000])}"
            before = self._position
            async for line in _lines(client, path, {}, b"\n"):
                self._take(line)
            if self._position == before:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self, client: Client) -> None:
        headers = {"accept": "text/event-stream", "last-event-id": self._cursor}
        async for event in _lines(client, FEED, headers, b"\n\n"):
            for line in event.split(b"\n"):
                if line.startswith(b"data: "):
                    self._take(line.removeprefix(b"data: "))

    def _take(self, line: bytes) -> None:
        shown = orjson.loads(line)
        assert shown["position"] == self._position + 1, f"{shown['position']} follows {self._position}"
        self._position = shown["position"]
        self._cursor = f"{self._position}:{shown['hash']}"
        self.lines.append(line)


async def _lines(client: Client, path: str, headers: dict[str, str], end: bytes) -> AsyncIterator[bytes]:
    """Whole lines of an answer, as they come; what of it was cut is nobody's."""
    rest = b""
    async for chunk in client.follow(path, headers):
        *whole, rest = (rest + chunk).split(end)
        for line in whole:
            yield line


async def tail_under_load(fleet: Fleet, kills: int, *, seed: int) -> dict[str, int]:
    dice = random.Random(seed)
    journal = Journal()
    servers = [await fleet.server() for _ in range(SERVERS)]
    readers = [Reader([server.client() for server in servers], seed + n, live=n % 2 == 0) for n in range(4)]
    reading = [asyncio.create_task(reader.read()) for reader in readers]
    try:
        async with at_work(journal, servers, WORKERS, seed=seed) as crowd:
            for _ in range(kills):
                reached = journal.decided + dice.randrange(50, 200)
                await crowd.until(lambda reached=reached: journal.decided >= reached)
                victim = dice.choice(servers)
                victim.kill()
                await victim.start()
        await settle(journal, [server.client() for server in servers])
        stored = await asyncio.to_thread(_stored, fleet.database)
        for reader in readers:
            await reader.until(len(stored))
    finally:
        for task in reading:
            task.cancel()
        ended = await asyncio.gather(*reading, return_exceptions=True)
    assert not [error for error in ended if not isinstance(error, asyncio.CancelledError)], ended
    for reader in readers:
        assert reader.lines == stored
    counted = await verify(journal, fleet.database)
    return {"kills": kills, "readers broken off": sum(reader.broken_off for reader in readers), **counted}


def _stored(database: Database) -> list[bytes]:
    """The feed's lines as the database gives them."""
    with psycopg.connect(database.superuser_url) as connection:
        rows = connection.execute("SELECT position, record::text FROM events ORDER BY position").fetchall()
    return [
        b'{"position":%d,"hash":"%s","record":%s}' % (position, leaf_hash(text.encode()).hex().encode(), text.encode())
        for position, text in rows
    ]


@pytest.mark.slow
async def test_readers_miss_nothing_and_repeat_nothing_while_processes_are_killed(fleet: Fleet, note):
    note(**await tail_under_load(fleet, 8, seed=1))


@pytest.mark.campaign
async def test_readers_through_a_thousand_kills(fleet: Fleet, note):
    note(**await tail_under_load(fleet, repeated("tail_kills", times=1_000), seed=2))
