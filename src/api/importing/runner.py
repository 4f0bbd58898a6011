"""Posts a source through the program's writer, in order, some batches on their way at once, and reads back what came of it.

Ids are functions of the file, so a run that was cut short is run again from the start: what was recorded is replayed. The
program's clock is held at the oldest time not posted yet, so that history does not arrive late.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from time import monotonic
from typing import TypeVar
from uuid import UUID

from api.importing.readers import Fault
from api.importing.sources import Advanced, Item, Source
from api.importing.summary import Summary
from api.importing.tie_out import OPENED, Openings
from api.problems import code_of
from ledger import store
from ledger.answers import Answer
from ledger.deciding.command import Command
from ledger.errors import DatabaseUnavailable, LedgerError, QueueFull, Refused
from ledger.instants import DAY, NEVER
from ledger.leasing import lent
from ledger.money import exponent
from ledger.records import source_key
from ledger.service import Ledger, Program
from ledger.store import StoredRecord

T = TypeVar("T")

BATCH = 1_000
BATCHES_MAX = 3
"""Batches that may wait for their answers."""

PAUSE_SECONDS = 0.2
PATIENCE_SECONDS = 60.0
"""How long a database that is away, or a full queue, is waited for."""

CLOCK_SECONDS = 1.0
"""How often at most the clock is let run up to the oldest time not posted."""

_TRANSIENT = (QueueFull, DatabaseUnavailable)

Named = Callable[[Fault], None]
"""Told of everything that is not imported."""


@dataclass(slots=True)
class _Batch:
    items: list[Item]
    answers: "asyncio.Task[list[Answer]]"
    oldest: int


class Import:
    """One run over one source."""

    def __init__(self, ledger: Ledger, program: Program, source: Source, *, named: Named) -> None:
        self._ledger = ledger
        self._program = program
        self._source = source
        self._named = named
        self._flying: deque[_Batch] = deque()
        self._waiting: dict[UUID, tuple[Item, str]] = {}
        self._openings = Openings(program.name, program.state.rules.latest.document.zone)
        self._clock_at = -NEVER
        self._clock_ran = monotonic()
        self.summary = Summary()

    async def run(self, advanced: Advanced) -> Summary:
        """Post everything.

        Raises:
            FileError: the file cannot be read further.
            DatabaseUnavailable, QueueFull: for a minute nothing could be written; run it again.
        """
        began = monotonic()
        try:
            async with self._program.clock.held():
                items = self._named_apart(self._source.items(advanced))
                while batch := list(islice(items, BATCH)):
                    await self._post(batch)
                while self._flying:
                    await self._settle()
                await self._settle_waiting()
            if self._openings.count:
                self.summary.tie_out = await self._openings.tied(self._streams)
        finally:
            for batch_left in self._flying:
                batch_left.answers.cancel()
            self._openings.close()
        self._finish(monotonic() - began)
        return self.summary

    def _named_apart(self, found: Iterator[Item | Fault]) -> Iterator[Item]:
        """The events; faults are named on the way."""
        for one in found:
            if isinstance(one, Fault):
                self._named(one)
            else:
                yield one

    async def _post(self, items: list[Item]) -> None:
        """Put a batch on its way, once there is room for it."""
        while len(self._flying) >= BATCHES_MAX:
            await self._settle()
        for item in items:
            if isinstance(item.command, Command):
                self.summary.add_sent(item.command.type, item.command.data, self._exact(item))
                if item.command.type == OPENED:
                    self._openings.add(item.command)
        answers = asyncio.create_task(self._posted(items))
        self._flying.append(_Batch(items, answers, min(item.time for item in items)))
        await asyncio.sleep(0)  # so that it waits in the writer's queue before the next one is read

    async def _posted(self, items: list[Item]) -> list[Answer]:
        return await self._ledger.post_many(self._program.name, [item.command for item in items])

    async def _settle(self) -> None:
        """Count what became of the batch sent first; send again what could not be written."""
        batch = self._flying.popleft()
        answers = await batch.answers
        if any(isinstance(answer.error, _TRANSIENT) for answer in answers):
            answers = await self._insisted(batch.items, answers)
        await self._count(batch.items, answers)
        await self._run_clock()

    async def _insisted(self, items: list[Item], answers: list[Answer]) -> list[Answer]:
        """Post again what could not be written, until it is or patience ends."""
        deadline = monotonic() + PATIENCE_SECONDS
        while places := [place for place, answer in enumerate(answers) if isinstance(answer.error, _TRANSIENT)]:
            error = answers[places[0]].error
            if monotonic() > deadline and error is not None:
                raise error
            await asyncio.sleep(PAUSE_SECONDS)
            for place, answer in zip(places, await self._posted([items[place] for place in places]), strict=True):
                answers[place] = answer
        return answers

    async def _count(self, items: list[Item], answers: list[Answer]) -> None:
        taken: dict[UUID, Item] = {}
        for item, answer in zip(items, answers, strict=True):
            if answer.receipt is not None:
                self.summary.replayed += answer.replayed
                self.summary.recorded += not answer.replayed
                self.summary.position = max(self.summary.position, answer.receipt["position"])
                taken[source_key(answer.receipt["source"], answer.receipt["id"])] = item
            elif answer.error is not None:
                self._count_refused(item, answer.error)
        await self._read_back(taken)

    def _count_refused(self, item: Item, error: LedgerError) -> None:
        code = code_of(error)
        if isinstance(error, Refused) and error.retryable and isinstance(item.command, Command):
            self._waiting[item.command.source_key] = (item, code)
        else:
            self._not_taken(item, code, f"{error.message}{_details(error)}")

    def _not_taken(self, item: Item, code: str, reason: str) -> None:
        self.summary.refused[code] += 1
        self.summary.rows_refused += item.rows
        if isinstance(item.command, Command):
            self.summary.add_not_taken(item.command.type, item.command.data)
        self._named(Fault(item.where, f"{code}: {reason}"))

    async def _read_back(self, taken: dict[UUID, Item]) -> set[UUID]:
        """Count events as the ledger holds them; answers the keys that were found."""
        stored = await _patiently(lambda: self._stored(taken))
        for key, record in stored.items():
            item = taken[key]
            if isinstance(item.command, Command):
                self.summary.rows_in_events += item.rows
                self.summary.add_stored(item.command.type, item.command.data, record.record)
        return set(stored)

    async def _stored(self, keys: Iterable[UUID]) -> dict[UUID, StoredRecord]:
        async with lent(self._ledger.pool) as conn:
            return await store.by_source_key(conn, self._program.log_id, keys)

    async def _streams(self, stream_ids: list[UUID]) -> dict[UUID, list[StoredRecord]]:
        async def read() -> dict[UUID, list[StoredRecord]]:
            async with lent(self._ledger.pool) as conn:
                return await store.read_streams(conn, self._program.log_id, stream_ids)

        return await _patiently(read)

    async def _settle_waiting(self) -> None:
        """Try again what waited for something this very file brought; the rest goes on waiting in the ledger."""
        await _patiently(self._program.retrying.run_once)
        keys = list(self._waiting)
        for start in range(0, len(keys), BATCH):
            arrived = await self._read_back({key: self._waiting[key][0] for key in keys[start : start + BATCH]})
            self.summary.recorded += len(arrived)
            for key in arrived:
                del self._waiting[key]
        self.summary.waiting = len(self._waiting)
        for item, code in self._waiting.values():
            self._not_taken(item, code, "kept until what it waits for arrives")

    async def _run_clock(self) -> None:
        """Let the clock run up to the oldest time not posted yet."""
        if monotonic() - self._clock_ran < CLOCK_SECONDS:
            return
        self._clock_ran = monotonic()
        oldest = min([self._source.oldest_left(), *(batch.oldest for batch in self._flying)])
        if self._clock_at + DAY <= oldest < NEVER:
            self._clock_at = oldest
            with suppress(DatabaseUnavailable):  # the clock comes back to it
                await self._program.clock.run_once(min(oldest, self._ledger.now()))

    def _exact(self, item: Item) -> Fraction | None:
        """The exact money of an order, in minor units."""
        if item.money is None or not isinstance(item.command, Command):
            return None
        return Fraction(item.money * 10 ** exponent(item.command.data["currency"]), 10**self._source.money_decimals)

    def _finish(self, seconds: float) -> None:
        tally, summary = self._source.tally, self.summary
        summary.rows, summary.rows_faulty = tally.read, tally.faulty
        summary.rows_left_out = dict(tally.left_out)
        summary.lines_drawn_together = self._source.lines_drawn_together
        summary.repeated = self._source.repeated
        summary.points_scale = self._program.state.rules.latest.document.program.points_scale
        summary.seconds = seconds


async def _patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do it, again and again while the database is away, until patience ends."""
    deadline = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await work()
        except _TRANSIENT:
            if monotonic() > deadline:
                raise
        await asyncio.sleep(PAUSE_SECONDS)


def _details(error: LedgerError) -> str:
    reasons = [f"{fault['pointer']} {fault['reason']}" for fault in getattr(error, "errors", ())]
    named = [*reasons, *(f"{name} {value}" for name, value in error.facts.items())]
    return f" ({'; '.join(named)})" if named else ""
