"""The clock: writes what time itself brings, such as expiry, on streams that nobody posts to.

It changes no answer: a reader sees what has fallen due whether or not it is written, and a decision writes what falls due
on its way. The clock reads streams by `due_at`, hands each to the writer like any command, and moves the log's
`due_through`. Ids of what it writes derive from what is written, so two clocks change nothing twice; that only one works at
a time on a log spares them the attempt.

An import holds the clock at the oldest time it has not posted, which keeps its events from being late.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import structlog

from ledger import account as accounts
from ledger import store
from ledger.account import STATE_SCHEMA
from ledger.ending import end
from ledger.errors import DatabaseUnavailable
from ledger.heads import read_heads
from ledger.instants import SECOND, to_datetime
from ledger.leasing import UNREACHABLE, lent
from ledger.store import Connection, Head, HeadToRebuild, Pool
from ledger.waiting import Advance
from ledger.writer import Writer

CLOCKS_AT_ONCE = 2
"""Clocks of one process that work at a time: each keeps a connection while its writer needs others."""

MARK_SECONDS = 60 * SECOND
"""How often `due_through` is moved while nothing falls due: each time costs the log's row a write."""

DUE_AT_ONCE = 2_000
_PAUSE_SECONDS = 0.1

_LOCKS = 0x6C656467
"""The first half of this service's advisory locks; the second is the log's number."""

log = structlog.get_logger("clock")


class Clock:
    """The clock of one log in this process."""

    def __init__(
        self,
        pool: Pool,
        log_id: int,
        writer: Writer,
        *,
        now: Callable[[], int],
        turns: asyncio.Semaphore | None = None,
    ) -> None:
        self._pool = pool
        self._turns = turns or asyncio.Semaphore(1)
        self._event = asyncio.Event()
        self._log_id = log_id
        self._writer = writer
        self._now = now
        self._stuck: dict[UUID, int] = {}
        self._marked_at = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work, in the running event loop."""
        self._task = asyncio.create_task(self._work(), name=f"clock of log {self._log_id}")

    def wake(self) -> None:
        """Something has fallen due."""
        self._event.set()

    async def close(self) -> None:
        """Stop looking; what was handed to the writer is still written."""
        await end(self._task)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Keep the clocks of all processes off this log; only `run_once` with an instant goes on.

        Raises:
            DatabaseUnavailable
        """
        async with lent(self._pool) as conn:
            while not await conn.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCKS, self._log_id):
                await asyncio.sleep(_PAUSE_SECONDS)
            try:
                yield
            finally:
                await self._unlock(conn)

    async def run_once(self, until: int | None = None) -> int:
        """Write all that has fallen due by an instant; how many streams were advanced.

        Args:
            until: microseconds; None: the clock's now.

        Raises:
            DatabaseUnavailable: what is left is for the next time.
        """
        until = self._now() if until is None else until
        advanced = 0
        seen: dict[UUID, int] = {}
        while due := await self._due(until):
            early = [head for head in due if seen.get(head.stream_id) == head.version]
            fresh = [head for head in due if seen.get(head.stream_id) != head.version]
            # What is as it was comes at once again, since the longest due come first: no more need be remembered.
            seen = {head.stream_id: head.version for head in fresh}
            await self._correct(early, until)
            advanced += await self._advance(fresh, until)
        if advanced or until - self._marked_at >= MARK_SECONDS:
            await self._mark(until)
        return advanced

    async def _work(self) -> None:
        while True:
            await self._event.wait()
            self._event.clear()
            try:
                async with self._turns:
                    await self._run_if_free()
            except (DatabaseUnavailable, *UNREACHABLE) as error:
                log.warning("database_unavailable", reason=type(error).__name__)
            except Exception:
                log.exception("clock_failed")

    async def _run_if_free(self) -> None:
        """Run, unless another process's clock runs on this log or an import holds it."""
        async with lent(self._pool) as conn:
            if not await conn.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCKS, self._log_id):
                return
            try:
                await self.run_once()
            finally:
                await self._unlock(conn)

    async def _unlock(self, conn: Connection) -> None:
        """Let another clock run; a connection that has died has let it already."""
        with suppress(*UNREACHABLE):
            await conn.execute("SELECT pg_advisory_unlock($1, $2)", _LOCKS, self._log_id)

    async def _due(self, until: int) -> list[Head]:
        """Streams with something due by an instant, the longest due first, but for those that are stuck."""
        async with lent(self._pool) as conn:
            limit = DUE_AT_ONCE + len(self._stuck)
            due = await store.due_streams(conn, self._log_id, before=to_datetime(until + 1), limit=limit)
        return [head for head in due if self._stuck.get(head.stream_id) != head.version]

    async def _advance(self, heads: Sequence[Head], until: int) -> int:
        """Hand streams to the writer; how many it could work on."""
        answers = await self._writer.advance([Advance(head.customer_id, until) for head in heads])
        for head, answer in zip(heads, answers, strict=False):
            if isinstance(answer.error, DatabaseUnavailable):
                raise answer.error
            if answer.error is not None:
                log.error("stream_stuck", code=answer.error.code, version=head.version)
                self._stuck[head.stream_id] = head.version
        return sum(answer.error is None for answer in answers)

    async def _correct(self, heads: Sequence[Head], until: int) -> None:
        """Write the right `due_at` of streams on which nothing was due: theirs was early, or their state was not ours."""
        if not heads:
            return
        async with lent(self._pool) as conn:
            folded = await read_heads(conn, self._log_id, {head.stream_id: head.customer_id for head in heads})
            rebuilt = []
            for stream_id, head in folded.items():
                due_at = head.state.due_at()
                if head.error is not None or (due_at is not None and due_at <= until):
                    self._stuck[stream_id] = head.version
                    continue
                instant = None if due_at is None else to_datetime(due_at)
                rebuilt.append(
                    HeadToRebuild(stream_id, head.version, STATE_SCHEMA, accounts.to_bytes(head.state), instant)
                )
            await store.rebuild_heads(conn, self._log_id, rebuilt)

    async def _mark(self, until: int) -> None:
        """Say up to when all that is due is written; not while something is stuck."""
        async with lent(self._pool) as conn:
            await store.set_due_through(conn, self._log_id, to_datetime(until))
        self._marked_at = until
