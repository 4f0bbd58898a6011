"""Who answers questions about a whole program: a process apart, so that serving keeps to its memory; or this one, in tests.

The engines and what they hold of a log take hundreds of megabytes and whole seconds of a processor. A serving process hands
the question over as words and gets bytes back; the process apart is started by the first question and ends when none has come
for a while.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from api.commands.beside import end_with
from ledger import reading, store
from ledger.leasing import lent
from ledger.program import ProgramState
from ledger.reading import Book, CutOff
from ledger.settings import Mirrored, Settings
from ledger.store import Pool
from projections.errors import AnalysisEnded
from projections.metrics.answering import answer
from projections.metrics.asking import find
from projections.reports.asking import Behind, point_records, points, program_at
from projections.reports.asking import Question as PointsQuestion
from projections.tieout.tying import tie
from projections.twin.engines import Engine, engine_of
from projections.twin.engines.on_duckdb import DuckDb
from projections.twin.fleet import Fleets

IDLE_SECONDS_MAX = 600.0
"""How long the process apart waits for another question; what it holds is then free."""

CONNECTIONS_MAX = 2

Result = TypeVar("Result")


class Desk:
    """What questions are answered with: connections, and the fleets of each program."""

    def __init__(self, pool: Pool, twin: Path | Mirrored, engine: Engine) -> None:
        self.pool = pool
        self.fleets = Fleets(twin, engine)
        self.on_duckdb = self.fleets if isinstance(engine, DuckDb) else Fleets(twin)

    def close(self) -> None:
        """Let go of what is held."""
        self.fleets.close()
        self.on_duckdb.close()


@dataclass(frozen=True, slots=True)
class Subject:
    """The log that is asked about, in words that another process understands."""

    log_id: int
    program: str
    zone: str

    def book(self) -> Book:
        """To read it with, without its rules."""
        return Book(self.log_id, self.program, ZoneInfo(self.zone), ProgramState())


class Question(Protocol):
    """Something to be answered at a desk; it can be pickled."""

    async def answered(self, desk: Desk) -> dict[str, Any]:
        """The answer as JSON."""


@dataclass(frozen=True, slots=True)
class MetricAsked:
    """A metric at a pair of cut-offs."""

    subject: Subject
    cut: CutOff
    name: str
    given: dict[str, str]

    async def answered(self, desk: Desk) -> dict[str, Any]:
        """See `metrics.answering.answer`."""
        async with lent(desk.pool) as conn:
            book = self.subject.book()
            if find(self.name).rules:
                book = replace(book, state=await program_at(conn, book, self.cut.position))
            async with desk.fleets.at(conn, book, self.cut) as fleet:
                return await asyncio.to_thread(answer, fleet, self.name, self.given)


@dataclass(frozen=True, slots=True)
class TieOutAsked:
    """A tie-out; its cut-offs are resolved in its own snapshot."""

    subject: Subject
    now: int
    as_of: str | None
    known_at: str | None
    after: UUID | None
    limit: int

    async def answered(self, desk: Desk) -> dict[str, Any]:
        """See `tieout.tying.tie`."""
        book = self.subject.book()
        async with lent(desk.pool) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            cut = await reading.cut_off(conn, book, now=self.now, as_of=self.as_of, known_at=self.known_at)
            async with desk.on_duckdb.at(conn, book, cut) as fleet:
                tied = await tie(conn, fleet, after=self.after, limit=self.limit)
        return tied.shown(book.program)


@dataclass(frozen=True, slots=True)
class PointsAsked:
    """The points report."""

    subject: Subject
    now: int
    question: PointsQuestion

    async def answered(self, desk: Desk) -> dict[str, Any]:
        """See `reports.asking.points`."""
        async with lent(desk.pool) as conn:
            return await points(conn, self.subject.book(), desk.fleets, self.question, now=self.now)


@dataclass(frozen=True, slots=True)
class PointRecordsAsked:
    """The records behind a line of the points report."""

    subject: Subject
    now: int
    question: PointsQuestion
    behind: Behind

    async def answered(self, desk: Desk) -> dict[str, Any]:
        """See `reports.asking.point_records`."""
        async with lent(desk.pool) as conn:
            return await point_records(conn, self.subject.book(), self.question, self.behind, now=self.now)


class Analyst(Protocol):
    """Answers questions."""

    async def ask(self, question: Question) -> bytes:
        """The answer as the bytes of its JSON.

        Raises:
            LedgerError: what the question itself raises; AnalysisEnded.
        """

    def close(self) -> None:
        """Answer nothing more."""


class Here:
    """Answers in this process."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def ask(self, question: Question) -> bytes:
        """See `Analyst.ask`."""
        return orjson.dumps(await question.answered(self.desk))

    def close(self) -> None:
        """See `Analyst.close`."""
        self.desk.close()


class Apart:
    """Answers in a process apart, one question at a time."""

    def __init__(self, settings: Settings, service_url: str, *, idle_seconds_max: float = IDLE_SECONDS_MAX) -> None:
        self._given = settings, service_url
        self._idle_seconds_max = idle_seconds_max
        self._executor: ProcessPoolExecutor | None = None
        self._asked = 0
        self._idle: asyncio.TimerHandle | None = None

    async def ask(self, question: Question) -> bytes:
        """See `Analyst.ask`. A process that was killed is started again, once a question."""
        self._asked += 1
        try:
            with suppress(BrokenProcessPool):
                return await self._handed_over(question)
            try:
                return await self._handed_over(question)
            except BrokenProcessPool:
                raise AnalysisEnded from None
        finally:
            self._asked -= 1
            self._end_when_idle()

    def close(self) -> None:
        """See `Analyst.close`."""
        if self._idle is not None:
            self._idle.cancel()
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)

    async def _handed_over(self, question: Question) -> bytes:
        if self._executor is None:
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(1, context, _begin, (*self._given, os.getpid()))
        executor = self._executor
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, _answered, question)
        except BrokenProcessPool:
            self._executor = None if self._executor is executor else self._executor
            raise

    def _end_when_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._idle_seconds_max, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if not self._asked:
            self.close()


# --- In the process apart ---------------------------------------------------------------------------------------------


class _Apart:
    """What the process apart keeps between questions."""

    runner: asyncio.Runner
    desk: Desk | None = None
    given: tuple[Settings, str]


def _begin(settings: Settings, service_url: str, started_by: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    threading.Thread(target=end_with, args=(started_by,), daemon=True).start()
    _Apart.runner = asyncio.Runner()
    _Apart.given = settings, service_url


def _answered(question: Question) -> bytes:
    return _Apart.runner.run(_answer(question))


async def _answer(question: Question) -> bytes:
    if _Apart.desk is None:
        settings, service_url = _Apart.given
        pool = await store.open_pool(
            service_url, size_min=1, size_max=CONNECTIONS_MAX, application_name="ledger analysis"
        )
        _Apart.desk = Desk(pool, settings.twin, engine_of(settings))
    return orjson.dumps(await question.answered(_Apart.desk))
