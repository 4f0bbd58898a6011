"""Retrying: an event that was refused for now is tried again by itself when what it waits for has arrived.

A refund may come before its purchase. It is kept, waiting for the purchase's business key; when a record with that key is
appended, the append says so, and the kept event is posted again under its own key. Whoever posts it once more meanwhile
does no harm: both carry one key. At the start, and now and then, everything is looked through, since the process that
appended may have ended before it tried.
"""

import asyncio
from contextlib import suppress
from uuid import UUID

import structlog

from ledger import store
from ledger.answers import Answer, command_of
from ledger.ending import end
from ledger.errors import DatabaseUnavailable, KeyReused, QueueFull, Refused
from ledger.leasing import lent
from ledger.store import Pool, Refusal
from ledger.writer import Writer

AT_ONCE = 500
LOOK_SECONDS = 60.0
PAUSE_SECONDS = 1.0

log = structlog.get_logger("retrying")


class Retrying:
    """Tries the waiting events of one log again."""

    def __init__(self, pool: Pool, log_id: int, writer: Writer) -> None:
        self._pool = pool
        self._log_id = log_id
        self._writer = writer
        self._event = asyncio.Event()
        self._event.set()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Something that is waited for may have arrived."""
        self._event.set()

    def start(self) -> None:
        """Begin to work, in the running event loop; first with what was left behind."""
        self._task = asyncio.create_task(self._work(), name=f"retrying of log {self._log_id}")

    async def close(self) -> None:
        """Stop; what waits goes on waiting."""
        await end(self._task)

    async def run_once(self) -> int:
        """Try everything again whose reason to wait is gone, oldest first; how many left the state of waiting.

        Raises:
            DatabaseUnavailable, QueueFull: some were not tried.
        """
        ended = 0
        tried: set[UUID] = set()
        while True:
            async with lent(self._pool) as conn:
                found = await store.refusals_awaiting_what_came(conn, self._log_id, limit=AT_ONCE + len(tried))
            due = [refusal for refusal in found if refusal.source_key not in tried]
            if not due:
                return ended
            tried.update(refusal.source_key for refusal in due)
            answers = await self._writer.post([command_of(refusal.event) for refusal in due])
            for refusal, answer in zip(due, answers, strict=True):
                ended += await self._end(refusal, answer)

    async def _end(self, refusal: Refusal, answer: Answer) -> bool:
        """Note what became of one; whether it waits no more."""
        error = answer.error
        if isinstance(error, DatabaseUnavailable):
            raise error
        if answer.replayed or isinstance(error, KeyReused):
            await self._settle(refusal.source_key)
        elif error is not None and not isinstance(error, Refused):
            log.warning("retry_failed", code=error.code, waits=refusal.code)
            return False
        return not (isinstance(error, Refused) and error.retryable)

    async def _settle(self, source_key: UUID) -> None:
        """Its event is in the log under another key, or its key under another event: there is nothing to wait for."""
        async with lent(self._pool) as conn:
            await store.settle_refusal(conn, self._log_id, source_key)

    async def _work(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._event.wait(), LOOK_SECONDS)
            self._event.clear()
            try:
                if ended := await self.run_once():
                    log.info("retried", ended=ended)
            except (DatabaseUnavailable, QueueFull):
                self._event.set()
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:
                log.exception("retrying_failed")
                await asyncio.sleep(PAUSE_SECONDS)
