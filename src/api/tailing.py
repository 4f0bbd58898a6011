"""Waking those who follow a log: one task per process looks how far the followed logs have grown.

It looks every 50 ms while anyone follows, and is spared the wait by this process's own writer. Positions are gapless and in
commit order, so one number per log says all: a follower that has read up to it has missed nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from ledger.errors import DatabaseUnavailable

LOOK_SECONDS = 0.05

log = structlog.get_logger("tailing")

LookUp = Callable[[Iterable[int]], Awaitable[dict[int, int]]]
"""The next position of each of these logs."""


class Tail:
    """How far the followed logs have grown, as far as this process knows."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._next: dict[int, int] = {}
        self._waiting: dict[int, dict[asyncio.Future[None], int]] = {}
        self._wanted = asyncio.Event()
        self._closing = False

    async def run(self) -> None:
        """Look, for as long as the process lives."""
        while not self._closing:
            await self._wanted.wait()
            try:
                grown = await self._look_up(list(self._waiting))
            except DatabaseUnavailable as error:
                log.warning("database_unavailable", detail=error.message)
                grown = {}
            for log_id, next_position in grown.items():
                self.grown(log_id, next_position)
            await asyncio.sleep(LOOK_SECONDS)

    def grown(self, log_id: int, next_position: int) -> None:
        """Take note that a log's next record goes to this position, and wake who has not read up to it."""
        self._next[log_id] = next_position
        for woken, position in self._waiting.get(log_id, {}).items():
            if next_position > position + 1 and not woken.done():
                woken.set_result(None)

    async def beyond(self, log_id: int, position: int, seconds: float) -> None:
        """Wait until the log has a record after a position, the seconds are over, or the service ends."""
        if self._closing or self._next.get(log_id, 0) > position + 1:
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(log_id, {})
        waiting[woken] = position
        self._wanted.set()
        try:
            await asyncio.wait({woken}, timeout=seconds)
        finally:
            del waiting[woken]
            self._forget(log_id)

    @property
    def closing(self) -> bool:
        """Whether followers should end."""
        return self._closing

    def close(self) -> None:
        """Wake everyone for the last time."""
        self._closing = True
        self._wanted.set()
        for waiting in self._waiting.values():
            for woken in waiting:
                if not woken.done():
                    woken.set_result(None)

    def _forget(self, log_id: int) -> None:
        if not self._waiting[log_id]:
            del self._waiting[log_id]
        if not self._waiting:
            self._wanted.clear()
