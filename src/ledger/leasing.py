"""Connections of the pool: lent for a moment, or kept while there is work.

What is kept while something else is waited for is counted, or everyone would hold one connection and wait for another: a
writer takes its two only at a desk, and there are no more desks than the pool has pairs of connections to spare.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias

import asyncpg

from ledger.errors import DatabaseUnavailable
from ledger.store import Pool
from ledger.store_connecting import CONNECT_SECONDS_MAX

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[Any]"

GIVE_BACK_SECONDS_MAX = 2.0
"""A connection that cannot be tidied up within this is closed."""

UNREACHABLE: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""What the driver raises where no connection can be had, or one ends; the third while a server's last words are read."""


async def take(pool: Pool) -> Connection:
    """A connection, to be released by the caller.

    Raises:
        DatabaseUnavailable
    """
    try:
        return await pool.acquire(timeout=CONNECT_SECONDS_MAX)
    except UNREACHABLE as error:
        raise DatabaseUnavailable(reason=str(error)) from error


@asynccontextmanager
async def lent(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for a moment.

    Raises:
        DatabaseUnavailable: there is none to be had.
    """
    conn = await take(pool)
    try:
        yield conn
    finally:
        await _give_back(pool, conn)


class Desks:
    """Places at which writers work, fewer than the pool's pairs of connections; in order of asking.

    Attributes:
        free: how many nobody has.
    """

    def __init__(self, count: int) -> None:
        self.free = count
        self._turns = asyncio.Semaphore(count)
        self._asking = 0

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for one."""
        return self._asking > 0

    async def take(self) -> None:
        """Wait for a desk."""
        self._asking += 1
        try:
            await self._turns.acquire()
        finally:
            self._asking -= 1
        self.free -= 1

    def leave(self) -> None:
        """Let the next one have it."""
        self.free += 1
        self._turns.release()


class Lease:
    """A connection kept while there is work: giving it back and taking it again costs a round trip each."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._conn: Connection | None = None

    async def get(self) -> Connection:
        """The connection, a fresh one where there is none or it was closed.

        Raises:
            DatabaseUnavailable
        """
        if self._conn is not None and _is_lost(self._conn):
            await self.drop()
        if self._conn is None:
            self._conn = await take(self._pool)
        return self._conn

    async def drop(self) -> None:
        """Give up the connection, whatever state it is in."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(asyncpg.InterfaceError):
                conn.terminate()
            await _give_back(self._pool, conn)

    async def release(self) -> None:
        """Give the connection back to the pool."""
        conn, self._conn = self._conn, None
        if conn is not None:
            await _give_back(self._pool, conn)


async def _give_back(pool: Pool, conn: Connection) -> None:
    """Give a connection back. One that has died is the pool's to replace, and no reason for what was asked on it to fail."""
    with suppress(*UNREACHABLE):
        await pool.release(conn, timeout=GIVE_BACK_SECONDS_MAX)


def _is_lost(conn: Connection) -> bool:
    """Whether the connection ended; the pool takes one back by itself then, and nothing more can be asked of it."""
    try:
        return conn.is_closed()
    except asyncpg.InterfaceError:
        return True
