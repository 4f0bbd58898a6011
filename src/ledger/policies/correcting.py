"""Correcting: every order to correct is carried out, customer by customer, by whoever sees it first.

What is posted has ids made from the order and the customer, so it may be killed between any two customers, run twice, or run in
two processes, and nobody is adjusted twice; how far it came is kept only so that a start is short.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from ledger import store, store_policies
from ledger.answers import Answer
from ledger.correcting import Outcome, commands, survey
from ledger.corrections import Correction
from ledger.ending import end
from ledger.errors import DatabaseUnavailable, KeyReused, QueueFull, Refused
from ledger.leasing import UNREACHABLE, lent
from ledger.program import ProgramState
from ledger.records import source_key
from ledger.store import Pool
from ledger.writer import Writer

NAME = "correcting"
LOOK_SECONDS = 1.0
PAUSE_SECONDS = 1.0
POSTED_AT_ONCE = 100

log = structlog.get_logger("correcting")


class Correcting:
    """Carries out the orders of one program."""

    def __init__(
        self,
        pool: Pool,
        log_id: int,
        program: str,
        writer: Writer,
        state: Callable[[], ProgramState],
        *,
        now: Callable[[], int],
    ) -> None:
        self._pool = pool
        self._log_id = log_id
        self._program = program
        self._writer = writer
        self._state = state
        self._now = now
        self._event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._seen: set[str] = set()

    def wake(self) -> None:
        """Something was appended."""
        self._event.set()

    def start(self) -> None:
        """Begin to work, in the running event loop; first with what was left behind."""
        self._task = asyncio.create_task(self._work(), name=f"correcting of log {self._log_id}")

    async def close(self) -> None:
        """Stop; what is not adjusted yet is adjusted after the next start."""
        await end(self._task)

    async def unfinished(self) -> list[tuple[int, Correction]]:
        """Orders not known to be carried out, with their positions in the log, oldest first."""
        orders = self._state().corrections.values()
        if all(order.id in self._seen for order in orders):
            return []
        keys = {source_key(order.source, order.id): order for order in orders}
        async with lent(self._pool) as conn:
            done = await store_policies.policy_position(conn, self._log_id, NAME)
            found = await store.by_source_key(conn, self._log_id, keys)
        placed = sorted((stored.position, keys[key].id) for key, stored in found.items() if stored.position > done)
        by_id = {order.id: order for order in orders}
        self._seen |= by_id.keys() - {number for _, number in placed}
        return [(position, by_id[number]) for position, number in placed]

    async def run_once(self, on_progress: Callable[[int], None] = lambda _: None) -> int:
        """Carry out every order that is not; how many customers were adjusted.

        Raises:
            DatabaseUnavailable, QueueFull: what is left is for the next time.
        """
        adjusted = 0
        for position, order in await self.unfinished():
            whole = True
            waiting: list[Outcome] = []
            surveyed = survey(
                self._pool,
                self._log_id,
                self._program,
                self._state(),
                order,
                now=self._now(),
                on_progress=on_progress,
            )
            async for outcome in surveyed:
                waiting.append(outcome)
                if len(waiting) == POSTED_AT_ONCE:
                    whole &= await self._post(order, waiting)
                    adjusted += len(waiting)
                    waiting = []
            whole &= await self._post(order, waiting)
            adjusted += len(waiting)
            self._seen.add(order.id)
            if whole:
                async with lent(self._pool) as conn:
                    await store_policies.mark_policy(conn, self._log_id, NAME, position)
        return adjusted

    async def _post(self, order: Correction, outcomes: Sequence[Outcome]) -> bool:
        """Adjust customers; whether all of it is answered for ever. A final refusal, as of a closed account, is an answer."""
        posted = commands(order, outcomes)
        answers: list[Answer] = await self._writer.post(posted)
        whole = True
        for answer in answers:
            error = answer.error
            if isinstance(error, (DatabaseUnavailable, QueueFull)):
                raise error
            if error is not None and not isinstance(error, (Refused, KeyReused)):
                log.error("correction_stuck", order=order.id, code=error.code)
                whole = False
        return whole

    async def _work(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._event.wait(), LOOK_SECONDS)
            self._event.clear()
            if not self._state().corrections:
                continue
            try:
                await self.run_once()
            except (DatabaseUnavailable, QueueFull, *UNREACHABLE) as error:
                log.warning("correcting_waits", reason=type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:
                log.exception("correcting_failed")
                await asyncio.sleep(PAUSE_SECONDS)
