"""The ledger as the faces use it: programs, their writers, clocks and policies, in one process on one database.

async with Ledger.opened(settings, service_url=url) as ledger:
answer = await ledger.post("default", command)
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import time_ns
from typing import Any
from uuid import uuid4

import structlog

from ledger import store
from ledger.answers import Answer
from ledger.clock import CLOCKS_AT_ONCE, MARK_SECONDS
from ledger.codes_key import KEY_FILE, CodesKey
from ledger.deciding import Command
from ledger.ending import end
from ledger.errors import DatabaseUnavailable, FormError, LedgerError, ProgramUnknown, QueueFull
from ledger.examples import check_examples
from ledger.instants import SECOND, from_datetime, to_datetime
from ledger.leasing import UNREACHABLE, Desks, lent
from ledger.migrating import head_revision
from ledger.rules import DEFAULT_DOCUMENT, RuleVersion, read_document
from ledger.running import Program
from ledger.settings import Mirrored, Settings
from ledger.store import Log, Pool
from ledger.writer import Limits

__all__ = ["DEFAULT_PROGRAM", "Answer", "Ledger", "Program"]

DEFAULT_PROGRAM = "default"

PUBLISHER = "ledger:rules"
"""Source of published rules."""

LOOK_SECONDS = 1.0
"""How often programs and rules that other processes made are looked for."""

ANNOUNCE_SECONDS = 0.05
"""How often at most the stock library's subscriptions are woken: once for all appends of that time."""

DESKS = 5
"""Programs whose writers work at a time; more take turns, batch by batch."""

WRITING_CONNECTIONS_MAX = 2 * DESKS + 2
READING_CONNECTIONS_MAX = 8

READ_SECONDS_MAX = 20.0
"""How long a read waits for one statement: a database that hangs is one that is away."""

READY_SECONDS_MAX = 3.0
"""How long the database may take to say that it is ready."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\Z")

log = structlog.get_logger("ledger")


def wall_clock() -> int:
    """Now, in microseconds."""
    return time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a program has still to do.

    Attributes:
        commands_waiting: posted to this process and not answered yet.
        refusals_waiting: kept until what they wait for arrives.
        due_seconds: how long ago the instant lies up to which all that fell due is written; None before the first time.
    """

    program: str
    commands_waiting: int
    refusals_waiting: int
    due_seconds: float | None


class Ledger:
    """All programs of a database, for the faces.

    Attributes:
        pool: connections for reads; the writers have their own.
        twin_dir: where the columnar twin of each log is kept; made when it is first wanted.
        codes_key: with which codes of coupons are made and known.
        on_append: called after every append of this process with the log's number and its next position.
    """

    def __init__(self, pool: Pool, writing: Pool, *, now: Callable[[], int], limits: Limits, works: bool) -> None:
        self.pool = pool
        self.now = now
        self.twin_dir: Path | Mirrored = Path(".ledger") / "twin"
        self.codes_key = CodesKey(None, Path(".ledger") / KEY_FILE)
        self.on_append: Callable[[int, int], None] = lambda _log_id, _position: None
        self._writing = writing
        self._desks = Desks(DESKS)
        self._turns = asyncio.Semaphore(CLOCKS_AT_ONCE)
        self._limits = limits
        self._works = works
        self._programs: dict[str, Program] = {}
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(
        cls,
        settings: Settings,
        *,
        service_url: str,
        now: Callable[[], int] = wall_clock,
        works: bool = True,
    ) -> "Ledger":
        """Open every program of a migrated database; on an empty one program `default` is made.

        Args:
            service_url: `postgresql://…` of the role `ledger_service`.
            now: the clock, in microseconds.
            works: let time and policies work; False: only what is posted is written.

        Raises:
            DatabaseUnavailable
        """
        pool = await store.open_pool(
            service_url, size_min=1, size_max=READING_CONNECTIONS_MAX, statement_seconds_max=READ_SECONDS_MAX
        )
        writing = await store.open_pool(
            service_url, size_min=1, size_max=WRITING_CONNECTIONS_MAX, application_name="ledger writer"
        )
        limits = Limits(
            queue_commands_max=settings.queue_commands_max,
            queue_bytes_max=8 * settings.batch_bytes_max,
            batch_commands_max=settings.batch_commands_max,
            batch_bytes_max=settings.batch_bytes_max,
        )
        ledger = cls(pool, writing, now=now, limits=limits, works=works)
        ledger.twin_dir, ledger.codes_key = settings.twin, CodesKey.of(settings)
        try:
            await ledger._start()
        except BaseException:
            await ledger.close()
            raise
        return ledger

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings, **options: Any) -> AsyncIterator["Ledger"]:
        """`open` and `close` around a block."""
        ledger = await cls.open(settings, **options)
        try:
            yield ledger
        finally:
            await ledger.close()

    async def close(self) -> None:
        """Finish what waits, then let go of the database."""
        await end(*self._tasks)
        await asyncio.gather(*(program.close() for program in self._programs.values()))
        await self._writing.close()
        await self.pool.close()

    async def programs(self) -> list[str]:
        """The names of all programs, also those other processes have made."""
        await self._look()
        return sorted(name for name, program in self._programs.items() if program.has_rules)

    def program(self, name: str) -> Program:
        """A program this process knows; one made by another process a moment ago is found by `find`.

        Raises:
            ProgramUnknown
        """
        program = self._programs.get(name)
        if program is None or not program.has_rules:
            raise ProgramUnknown(program=name)
        return program

    async def find(self, name: str) -> Program:
        """A program, looked for in the database where this process does not know it.

        Raises:
            ProgramUnknown, DatabaseUnavailable
        """
        if name not in self._programs and _NAME.match(name):
            async with lent(self.pool) as conn:
                row = await store.read_log_of(conn, name)
            if row is not None:
                await self._opened(row)
        return self.program(name)

    async def post(self, program: str, command: Command) -> Answer:
        """Post one event.

        Raises:
            ProgramUnknown
        """
        return (await self.post_many(program, [command]))[0]

    async def post_many(self, program: str, commands: Sequence[Command | LedgerError]) -> list[Answer]:
        """Post events together; the answers stand in their order. An error among them is passed through as its answer.

        Raises:
            ProgramUnknown
        """
        known = self._programs.get(program)
        if known is None or not known.has_rules:
            known = await self.find(program)
        sent = [command for command in commands if isinstance(command, Command)]
        try:
            answers = await known.writer.post(sent)
        except (QueueFull, DatabaseUnavailable) as error:
            answers = [Answer(None, error)] * len(sent)
        if len(sent) == len(commands):
            return answers
        posted = iter(answers)
        return [Answer(None, one) if isinstance(one, LedgerError) else next(posted) for one in commands]

    async def publish(self, program: str, document: Any, *, actor: str) -> RuleVersion:
        """Publish rules, which makes the program where there is none. The same document again changes nothing.

        Returns:
            The version that holds now.

        Raises:
            FormError: the document or the program's name is malformed, or one of its examples does not hold.
            FixedAtCreation: it changes what was fixed when the program was made.
            DatabaseUnavailable
        """
        rules = read_document(document)
        check_examples(rules)
        target = await self._made(program)
        before = target.state.rulebook
        if before is not None and before.latest.document == rules:
            return before.latest
        command = Command(
            source=PUBLISHER,
            id=str(uuid4()),
            type="program.published",
            subject=program,
            time=self.now(),
            data={"document": rules.model_dump(mode="json", exclude_none=True)},
            actor=actor,
        )
        (answer,) = await target.writer.post([command])
        if answer.error is not None:
            raise answer.error
        return target.state.rules.latest

    async def backlogs(self) -> list[Backlog]:
        """What every program of this process has still to do.

        Raises:
            DatabaseUnavailable
        """
        async with lent(self.pool) as conn:
            written = {row.log_id: row for row in await store.read_backlogs(conn)}
        now = self.now()
        return [
            Backlog(
                program.name,
                program.writer.commands_waiting,
                row.refusals_waiting,
                None if row.due_through is None else max(0, now - from_datetime(row.due_through)) / SECOND,
            )
            for program in self._programs.values()
            if program.has_rules and (row := written.get(program.log_id)) is not None
        ]

    async def ready(self) -> dict[str, bool]:
        """What must hold before the service takes requests; all false where the database cannot be asked."""
        names = ("migrated", "encoding", "durable", "primary")
        try:
            async with asyncio.timeout(READY_SECONDS_MAX), lent(self.pool) as conn:
                row = await conn.fetchrow(_READY)
        except (DatabaseUnavailable, *UNREACHABLE):
            row = None
        if row is None:
            return dict.fromkeys((*names, "writers"), False)
        checks = {name: bool(row[name]) for name in names[1:]}
        writers = bool(self._programs) and all(program.writer.alive for program in self._programs.values())
        return {"migrated": row["revision"] == head_revision(), **checks, "writers": writers}

    async def _start(self) -> None:
        await self._look()
        if not any(program.has_rules for program in self._programs.values()):
            await self.publish(DEFAULT_PROGRAM, DEFAULT_DOCUMENT, actor=PUBLISHER)
        self._begin(self._keep_looking())

    async def _look(self) -> None:
        """Open the programs this process does not know yet; see whether the others have new rules."""
        async with lent(self.pool) as conn:
            logs = await store.list_logs(conn)
        for row in logs:
            program = self._programs.get(row.program)
            if program is None:
                await self._opened(row)
            else:
                await program.look(row.next_position)

    async def _wake_clocks(self) -> None:
        """Let the clocks run on whose logs something has fallen due: one look for all of them."""
        now = self.now()
        async with lent(self.pool) as conn:
            due = await store.logs_with_work(
                conn, due_before=to_datetime(now + 1), marked_before=to_datetime(now - MARK_SECONDS)
            )
        for program in self._programs.values():
            if program.log_id in due:
                program.clock.wake()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look()
                await self._wake_clocks()
            except (DatabaseUnavailable, *UNREACHABLE) as error:
                log.warning("database_unavailable", reason=type(error).__name__)
            except LedgerError as error:
                log.warning("program_unreadable", code=error.code, facts=error.facts)

    async def _made(self, name: str) -> Program:
        """A program whose log is there; its rules may be missing."""
        if name in self._programs:
            return self._programs[name]
        if not _NAME.match(name):
            raise FormError(
                "A program's name is up to 40 of a–z 0–9 _ -, beginning with a letter or digit.",
                errors=[{"pointer": "/program", "reason": "not a program's name"}],
            )
        async with lent(self._writing) as conn:
            await store.create_log(conn, name)
            row = await store.read_log_of(conn, name)
        if row is None:
            raise ProgramUnknown(program=name)
        return await self._opened(row)

    async def _opened(self, row: Log) -> Program:
        """A program at work."""
        async with self._opening:
            if row.program in self._programs:
                return self._programs[row.program]
            program = Program(
                self._writing,
                self.pool,
                row,
                now=self.now,
                limits=self._limits,
                desks=self._desks,
                turns=self._turns,
            )
            program.writer.on_append = lambda position: self._appended(program, position)
            await program.open()
            self._begin(self._announce(program))
            self._programs[row.program] = program
            if self._works:
                program.start()
            return program

    def _appended(self, program: Program, position: int) -> None:
        program.appended.set()
        program.referring.wake()
        program.correcting.wake()
        self.on_append(program.log_id, position)

    async def _announce(self, program: Program) -> None:
        """Wake the stock library's subscriptions, which never poll, after appends."""
        while True:
            await program.appended.wait()
            program.appended.clear()
            with suppress(DatabaseUnavailable):
                async with lent(self.pool) as conn:
                    await store.notify_stock_readers(conn, program.name)
            await asyncio.sleep(ANNOUNCE_SECONDS)

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_READY = """
SELECT
    (SELECT version_num FROM alembic_version) AS revision,
    current_setting('server_encoding') = 'UTF8' AS encoding,
    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AS durable,
    NOT pg_is_in_recovery() AS "primary"
"""
