"""The worker that seals ranges as logs grow, so that no question has to wait for it.

One process at a time seals a log, by advisory lock; the lock is the connection's, so it ends with the process however that ends.
A build that was killed leaves nothing that counts, and whoever comes next writes the same bytes (see `ranges`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

from ledger import store
from ledger.errors import DatabaseUnavailable
from ledger.heads import ProgramHead, read_program
from ledger.leasing import UNREACHABLE, lent
from ledger.program import ProgramState
from ledger.reading import Book
from ledger.records import program_stream_id
from ledger.settings import Mirrored
from ledger.store import Connection, Log, Pool
from projections.twin.building import Built, Progress, build
from projections.twin.ranges import RANGE

LOOK_SECONDS = 5.0
"""How often the logs are looked at."""

_SEALER = 0x7477696E
"""Advisory lock, with the number of a log: of the one process that seals it."""

log = structlog.get_logger("projections")


@asynccontextmanager
async def sealing(conn: Connection, log_id: int) -> AsyncIterator[bool]:
    """Whether this connection is the one that seals a log while the block lasts; nobody waits for the other."""
    has_it = await conn.fetchval("SELECT pg_try_advisory_lock($1, $2)", _SEALER, log_id)
    try:
        yield has_it
    finally:
        if has_it:
            with suppress(*UNREACHABLE):
                await conn.execute("SELECT pg_advisory_unlock($1, $2)", _SEALER, log_id)


class Sealer:
    """Seals whole ranges of every log of a database.

    Args:
        twin: where sealed ranges are kept.
    """

    def __init__(self, pool: Pool, twin: Path | Mirrored, *, progress: Progress = lambda _: None) -> None:
        self._pool = pool
        self._twin = twin
        self._progress = progress
        self._sealed: dict[int, int] = {}
        self._failed: dict[int, int] = {}

    async def run(self) -> None:
        """Work for ever."""
        while True:
            try:
                await self.step()
            except (DatabaseUnavailable, *UNREACHABLE) as error:
                log.warning("database_unavailable", reason=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> list[Built]:
        """Seal what is whole now, log by log; what could not be sealed is logged, and tried again once there is more.

        Raises:
            DatabaseUnavailable
        """
        done = []
        async with lent(self._pool) as conn:
            for one in await store.list_logs(conn):
                if self._wanted(one):
                    built = await self._sealed_by_us(conn, one)
                    done += [built] if built is not None else []
        return done

    def _wanted(self, one: Log) -> bool:
        whole = (one.next_position - 1) // RANGE
        return whole > max(self._sealed.get(one.log_id, 0), self._failed.get(one.log_id, 0))

    async def _sealed_by_us(self, conn: Connection, one: Log) -> Built | None:
        async with sealing(conn, one.log_id) as has_it:
            if not has_it:
                return None
            last = one.next_position - 1
            try:
                built = await build(conn, await book_of(conn, one), self._twin, last=last, progress=self._progress)
            except (DatabaseUnavailable, *UNREACHABLE[:3]):
                raise
            except Exception as error:  # whatever it is, it stops this log and no other, and is said
                self._failed[one.log_id] = last // RANGE
                log.exception("twin_not_sealed", program=one.program, reason=str(error))
                return None
        self._sealed[one.log_id] = built.sealed_through // RANGE
        if built.ranges:
            log.info("twin_sealed", program=one.program, ranges=built.ranges, through=built.sealed_through)
        return built


async def book_of(conn: Connection, one: Log) -> Book:
    """The book of a log, read without a ledger at work.

    Raises:
        InvariantBroken: it has no rules. StreamUnreadable, DatabaseUnavailable
    """
    unread = ProgramHead(0, None, ProgramState())
    state = (await read_program(conn, one.log_id, program_stream_id(one.program), unread)).state
    return Book(one.log_id, one.program, state.rules.latest.document.zone, state)
