"""Clients at work: each sends one event after the other, mostly sums of points, and sends again what was not answered.

Customers `hot-…` and `c-…` are granted points, buy and redeem; `x-…` are granted points that have expired since, which the
clock writes; `r-…` have their refund before their purchase, which waits and is tried again by itself.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ledger.instants import MINUTE, show
from tests.faults.client import Client
from tests.faults.fleet import Server
from tests.faults.journal import PAUSE_SECONDS, TIME, Entry, Journal

HOT_CUSTOMERS = 4
CUSTOMERS = 40
STUCK_SECONDS = 15.0
"""What has not happened by then does not happen."""


class Worker:
    """One client of the service with dice of its own.

    Args:
        clients: a connection to each server it may use; it changes to the next one when an answer is missing.
        exotic: the chance of an event for a customer `x-…` or `r-…`.
        patience: the chance that it sends an unanswered event again at once; else that is left to the end.
    """

    def __init__(
        self, journal: Journal, clients: list[Client], seed: int, *, exotic: float = 0.1, patience: float = 0.8
    ) -> None:
        self._journal = journal
        self._clients = clients
        self._dice = random.Random(seed)
        self._seed = seed
        self._exotic = exotic
        self._patience = patience
        self._soon: list[Entry] = []
        self._place = seed % len(clients)
        self._mine: list[Entry] = []
        self._number = 0

    async def run(self, goes_on: Callable[[], bool]) -> None:
        """Work until told to stop; what is not answered then stays unknown."""
        while goes_on():
            await self._deliver(self._next(), goes_on)

    def close(self) -> None:
        for client in self._clients:
            client.close()

    async def _deliver(self, entry: Entry, goes_on: Callable[[], bool]) -> None:
        while True:
            response = await self._journal.send(entry, self._clients[self._place])
            if response is None:
                self._place = (self._place + 1) % len(self._clients)
                await asyncio.sleep(PAUSE_SECONDS)
                if self._dice.random() > self._patience or not goes_on():
                    return
            elif response.status in (429, 503):
                await asyncio.sleep(PAUSE_SECONDS)
                if not goes_on():
                    return
            else:
                return

    def _next(self) -> Entry:
        if self._soon:
            return self._soon.pop()
        if self._dice.random() < self._exotic:
            return self._dice.choice([self._expiring, self._refund_first])()
        if self._mine and self._dice.random() < 0.15:
            return self._dice.choice(self._mine)
        self._number += 1
        name = f"{self._seed}-{self._number}"
        kind, data = self._dice.choice([self._grant, self._purchase, self._redemption, self._redemption])(name)
        entry = self._journal.enter(kind, self._customer(), data)
        self._mine.append(entry)
        return entry

    def _expiring(self) -> Entry:
        self._number += 1
        expires_at = show(TIME + self._dice.randrange(1, 60) * MINUTE)
        data = {"points": self._dice.randrange(1, 50), "reason": "goodwill", "expires_at": expires_at}
        return self._journal.enter("points.granted", f"x-{self._seed % 3}", data)

    def _refund_first(self) -> Entry:
        self._number += 1
        order, customer, total = (
            f"{self._seed}-{self._number}",
            f"r-{self._seed % 3}",
            self._dice.randrange(2, 40) * 100,
        )
        refund = {"refund_id": order, "order_id": order, "amount": self._dice.randrange(1, total // 100) * 100}
        purchase = {"order_id": order, "currency": "CNY", "total": total}
        entry = self._journal.enter("purchase.refunded", customer, refund)
        self._soon.append(self._journal.enter("purchase.recorded", customer, purchase))
        return entry

    def _customer(self) -> str:
        if self._dice.random() < 0.5:
            return f"hot-{self._dice.randrange(HOT_CUSTOMERS)}"
        return f"c-{self._dice.randrange(CUSTOMERS)}"

    def _grant(self, name: str) -> tuple[str, dict[str, Any]]:
        return "points.granted", {"points": self._dice.randrange(1, 50), "reason": "goodwill", "grant_id": name}

    def _purchase(self, name: str) -> tuple[str, dict[str, Any]]:
        total = self._dice.randrange(1, 40) * 100
        return "purchase.recorded", {"order_id": name, "currency": "CNY", "total": total}

    def _redemption(self, name: str) -> tuple[str, dict[str, Any]]:
        return "points.redeemed", {"redemption_id": name, "points": self._dice.randrange(1, 60)}


class Crowd:
    """Workers at work on several servers."""

    def __init__(
        self, journal: Journal, connect: list[Callable[[], Client]], count: int, *, seed: int, exotic: float
    ) -> None:
        self._going = True
        self._workers = [
            Worker(journal, [make() for make in connect], seed * 1000 + number, exotic=exotic)
            for number in range(count)
        ]
        self._tasks = [asyncio.create_task(worker.run(lambda: self._going)) for worker in self._workers]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to happen while they post; what they raise is raised here."""
        async with asyncio.timeout(STUCK_SECONDS):
            while not condition():
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.001)

    async def rest(self) -> None:
        """Let them end what they are at."""
        self._going = False
        async with asyncio.timeout(STUCK_SECONDS):
            await asyncio.gather(*self._tasks)

    async def leave(self) -> None:
        """End them, whatever they are at."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self._workers:
            worker.close()


@asynccontextmanager
async def at_work(
    journal: Journal, servers: Sequence[Server], count: int, *, seed: int = 1, exotic: float = 0.1
) -> AsyncIterator[Crowd]:
    """So many workers, each with a connection of its own to every server; at the end of the block they come to rest."""
    crowd = Crowd(journal, [server.client for server in servers], count, seed=seed, exotic=exotic)
    try:
        yield crowd
        await crowd.rest()
    finally:
        await crowd.leave()
