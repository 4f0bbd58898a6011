"""The writer: group commit. One task per log and process collects what waits, decides it, and appends it.

While a batch is being appended the next one is decided on top of it. What comes of a unit is one of these:

    appended     its receipt
    exists       the event is in the log already: its first receipt, or 409
    stale        a head was not as it was read: decided again in order of arrival, with what was decided on top of it;
                 from the third time under the log's lock, so that a hot customer cannot starve
    behind       the log has a later stamp: stamped, chained and serialised again, not decided again
    unwritable   its batch is halved until it is alone; it gets an error, the rest goes through
    unknown      the connection ended: settled on a fresh one, under the log's row

Lock order everywhere: the log's row, then heads, then counters.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import orjson
import structlog

from ledger import store
from ledger.answers import Answer
from ledger.appending import Appender
from ledger.batch import Batch
from ledger.deciding import Command
from ledger.errors import DatabaseUnavailable, LedgerError
from ledger.heads import HeadCache, ProgramHead, stream_ids
from ledger.instants import from_datetime
from ledger.leasing import Desks, Lease, lent
from ledger.preparing import Preparer
from ledger.program import ProgramState
from ledger.records import PROGRAM_TYPES, program_stream_id
from ledger.settling import Settler
from ledger.store import BatchUnwritable, OutcomeUnknown, Pool
from ledger.waiting import CLOCK_SHARE, COMMAND_BYTES, Advance, Pending, Ticket, Waiting

STARVED = 2
"""So often stale, and the next decision is taken under the log's lock."""

STARVED_AT_ONCE = 100
"""Commands decided under the lock at once: every other writer waits meanwhile."""

READ_SECONDS_MAX = 30.0
"""The longest a batch waits for what it must read; a network that swallows everything is a database that is away."""

FAILED_SECONDS = 0.2
"""A pause after what nobody foresaw: a fault that stays must not burn a processor and fill the log."""

IDLE_SECONDS = 5.0
"""Without work for so long, the connections go back to the pool."""

SPARED_DESKS = 2
"""Or at once, where fewer desks are free for the writers of other programs."""

DESKS = 4
"""A writer that shares its pool with no other has desks of its own."""

log = structlog.get_logger("writer")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a writer takes on at once."""

    queue_commands_max: int = 10_000
    queue_bytes_max: int = 64 * 2**20
    batch_commands_max: int = 1_000
    batch_bytes_max: int = 8 * 2**20
    cache_bytes_max: int = 64 * 2**20


class Writer:
    """Decides and appends the commands of one program in this process.

    Attributes:
        on_append: called after every append of ours with the position the log goes on at.
        on_awakened: called when something that waits may be tried again.
    """

    def __init__(
        self,
        pool: Pool,
        log_id: int,
        program: str,
        *,
        clock: Callable[[], int],
        limits: Limits | None = None,
        desks: Desks | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._log_id = log_id
        self._stream = program_stream_id(program)
        self._stream_of = stream_ids(self._stream)
        self._waiting = Waiting(count_max=self._limits.queue_commands_max, bytes_max=self._limits.queue_bytes_max)
        self._desks = desks or Desks(DESKS)
        self._at_desk = False
        self._reading = Lease(pool)
        self._writing = Lease(pool)
        self._pool = pool
        cache = HeadCache(self._limits.cache_bytes_max)
        self._preparer = Preparer(log_id, program, self._stream, cache, answer=self._waiting.answer)
        self._settler = Settler(pool, log_id, self._waiting, self._preparer)
        self._appender = Appender(self._writing, log_id, clock=clock, wake=self._awaken)
        self._sent: Batch | None = None
        self._filled: Batch | None = None
        self._appending: asyncio.Task[list[store.Outcome | LedgerError]] | None = None
        self._portion: list[Pending] = []
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.on_append: Callable[[int], None] = lambda _: None
        self.on_awakened: Callable[[], None] = lambda: None

    @property
    def commands_waiting(self) -> int:
        """Commands not answered yet."""
        return self._waiting.count

    @property
    def program(self) -> ProgramHead:
        """The program's own head, as far as it is in the log."""
        return self._preparer.program or ProgramHead(0, None, ProgramState())

    @property
    def alive(self) -> bool:
        """Whether it is at work."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Read the program's own stream and begin to work.

        Raises:
            DatabaseUnavailable, StreamUnreadable
        """
        async with lent(self._pool) as conn:
            await self._preparer.read_program(conn)
        self._task = asyncio.create_task(self._work(), name=f"writer of log {self._log_id}")

    async def close(self) -> None:
        """Finish what waits, then give the connections back. Nothing may be posted any more."""
        self._closing = True
        self._waiting.event.set()
        if self._task is not None:
            await self._task
        await self._settler.close()
        await self._leave()

    def post(self, commands: Sequence[Command]) -> "asyncio.Future[list[Answer]]":
        """Let commands wait to be written, in this order.

        Returns:
            A future of their answers in the same order. Cancelling it changes nothing of what is written.

        Raises:
            QueueFull: none of them waits.
            DatabaseUnavailable: the writer is closing.
        """
        ticket = Ticket(len(commands))
        if not commands:
            ticket.done.set_result([])
            return ticket.done
        if self._closing:
            raise DatabaseUnavailable("The service is shutting down.")
        self._waiting.add([self._pending(command, ticket, place) for place, command in enumerate(commands)])
        return ticket.done

    def advance(self, streams: Sequence[Advance]) -> "asyncio.Future[list[Answer]]":
        """Let streams wait for what is due on them to be written; see `post`."""
        ticket = Ticket(len(streams))
        if not streams or self._closing:
            ticket.done.set_result([])
            return ticket.done
        self._waiting.add_advances(
            [
                Pending(stream, self._stream_of(stream.subject), b"", ticket, place, COMMAND_BYTES)
                for place, stream in enumerate(streams)
            ]
        )
        return ticket.done

    def _pending(self, command: Command, ticket: Ticket, place: int) -> Pending:
        for_program = command.type in PROGRAM_TYPES
        stream_id = self._stream if for_program else self._stream_of(command.subject)
        data = orjson.dumps(command.data)
        return Pending(command, stream_id, data, ticket, place, COMMAND_BYTES + len(data), for_program)

    async def _work(self) -> None:
        """Work until closed; what nobody foresaw fails the commands at hand and is not the end."""
        while not self._closing or self._waiting or self._sent is not None:
            try:
                await self._step()
            except LedgerError as error:
                await self._give_up(error)
            except Exception:
                log.exception("writer_failed")
                await self._give_up(LedgerError())
                await asyncio.sleep(FAILED_SECONDS)

    async def _step(self) -> None:
        """Fill a batch while the last one is being appended, settle the last one, send."""
        if self._sent is None and self._desks.wanted:
            await self._leave()
        if self._sent is None and self._starving():
            await self._append_under_lock()
            return
        batch = self._filled = self._preparer.new_batch(self._sent)
        await self._fill(batch)
        if self._sent is not None:
            await self._settle(self._sent, batch)
        await self._send(batch)
        self._settler.answer_recorded()

    async def _fill(self, batch: Batch) -> None:
        """Decide what waits, and what comes while the last batch is still being appended."""
        while True:
            landed = self._appending is None or self._appending.done()
            finished = batch.count or self._sent is not None or self._closing or self._starving()
            if landed and finished:
                return
            if await self._take_into(batch):
                continue
            if self._appending is None:
                await self._wait_idle()
            elif self._waiting:
                await asyncio.wait([self._appending])  # the batch is full, or what waits may not come on top of it
            else:
                await self._waiting.wait()

    async def _take_into(self, batch: Batch) -> bool:
        """Decide a portion of what waits on top of the batch; false where there is none, or it must wait."""
        limits = self._limits
        room, size = limits.batch_commands_max - batch.count, limits.batch_bytes_max - batch.bytes
        if room <= 0 or size <= 0 or not self._waiting or self._starving():
            return False
        if self._sent is not None and self._desks.wanted:
            return False
        await self._sit_down()
        taken = self._waiting.take(count=room, size=size, advances=limits.batch_commands_max // CLOCK_SHARE)
        self._portion = _one_kind(batch, taken)
        self._settler.again(taken[len(self._portion) :])
        if not self._portion:
            return False
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                await self._decide(batch, self._portion)
        except (DatabaseUnavailable, TimeoutError) as error:
            await self._reading.drop()
            lost = (
                error if isinstance(error, DatabaseUnavailable) else DatabaseUnavailable(reason="a read took too long")
            )
            self._settler.fail([*batch.withdraw(None), *self._portion], lost)
        self._portion = []
        return True

    async def _decide(self, batch: Batch, portion: list[Pending]) -> None:
        conn = await self._reading.get()
        await self._preparer.answer_known(conn, portion)
        left = [item for item in portion if item.stage == "at_hand"]
        self._settler.again(await self._preparer.decide(conn, batch, left, self._appender.now()))

    async def _wait_idle(self) -> None:
        """Wait for work; without any the connections are given back after a while."""
        try:
            async with asyncio.timeout(IDLE_SECONDS if self._desks.free >= SPARED_DESKS else 0):
                await self._waiting.wait()
        except TimeoutError:
            await self._leave()
            if not self._closing:  # it may have been told so meanwhile, and waiting forgets what it was woken for
                await self._waiting.wait()

    async def _sit_down(self) -> None:
        """Have a desk, and with it the right to two connections."""
        if not self._at_desk:
            await self._desks.take()
            self._at_desk = True

    async def _leave(self) -> None:
        """Give the connections back, and the desk to the next writer."""
        await self._reading.release()
        await self._writing.release()
        if self._at_desk:
            self._at_desk = False
            self._desks.leave()

    async def _send(self, batch: Batch) -> None:
        """Serialise the batch and begin to append it."""
        self._settler.again(batch.stamp(self._appender.now()))
        self._filled = batch.below = None
        if not batch.items:
            self._settler.settle_unwritten(batch)
            return
        self._sent = batch
        self._appending = asyncio.create_task(self._appender.append(batch))
        self._appending.add_done_callback(lambda _: self._waiting.event.set())
        await asyncio.sleep(0)  # so that it is on its way before the next one is decided

    async def _settle(self, sent: Batch, following: Batch) -> None:
        """Answer or put back what was sent, and take back what was decided on top of what does not hold."""
        appending, self._appending = self._appending, None
        if appending is None:
            return
        try:
            outcomes = appending.result()
        except OutcomeUnknown:
            self._settler.again(following.withdraw(None))
            await self._settler.settle_unknown(sent)
        except DatabaseUnavailable as error:
            self._settler.again(following.withdraw(None))
            self._preparer.cache.clear()
            self._settler.fail([*sent.items, *sent.unwritten], error)
        else:
            if not self._appender.alone:
                self._preparer.cache.clear()
            failed = await self._settler.settle(sent, outcomes, self._reading)
            if failed:
                self._settler.again(following.withdraw(failed))
        self._sent = None
        self._follow_program(following)
        self.on_append(self._appender.next_position)

    def _follow_program(self, batch: Batch) -> None:
        """Decide again what was decided on rules or places that are no longer the last."""
        program = self._preparer.program
        if program is not None and batch.program is not program:
            self._settler.again(batch.withdraw(None))
            batch.program = batch.program_after = program

    async def _append_under_lock(self) -> None:
        """Decide and append what was stale again and again while nobody else can append."""
        taken = self._waiting.take_starved(staleness=STARVED, count=STARVED_AT_ONCE)
        batch = self._filled = self._preparer.new_batch(None)
        self._portion = _one_kind(batch, taken)
        self._settler.again(taken[len(self._portion) :])
        self._preparer.cache.clear()
        await self._sit_down()
        conn = await self._reading.get()
        try:
            async with store.hold_log(conn, self._log_id):
                batch = self._filled = await self._decided_under_lock(conn, self._portion)
                outcomes = await self._appender.append_part(conn, batch, batch.items) if batch.items else []
        except OutcomeUnknown:
            await self._reading.drop()
            await self._settler.settle_unknown(batch)
            settled = {id(item) for item in (*batch.items, *batch.unwritten)}
            self._put_back(item for item in self._portion if id(item) not in settled)
        except BatchUnwritable:
            for item in self._portion:
                item.staleness = 0  # without the lock the batch can be halved
            self._put_back(self._portion)
        else:
            await self._settler.settle(batch, outcomes, self._reading)
            self._settler.answer_recorded()
            self.on_append(self._appender.next_position)
            self.on_awakened()
        self._filled, self._portion = None, []

    def _put_back(self, items: Iterable[Pending]) -> None:
        """Let commands be decided again that nobody has answered, put back or taken to the log to look them up."""
        self._settler.again([item for item in items if item.stage == "at_hand"])

    async def _decided_under_lock(self, conn: store.Connection, items: Sequence[Pending]) -> Batch:
        """A batch decided and serialised on what the log holds and will hold until the lock is gone."""
        standing = (await store.read_logs(conn, [self._log_id]))[self._log_id]
        self._appender.stamp = max(self._appender.stamp, from_datetime(standing.recorded_at))
        await self._preparer.read_program(conn)
        batch = self._preparer.new_batch(None)
        self._settler.again(await self._preparer.decide(conn, batch, items, self._appender.now()))
        self._settler.again(batch.stamp(self._appender.now()))
        return batch

    async def _give_up(self, error: LedgerError) -> None:
        """Answer everything at hand with an error, and begin again from what the log holds."""
        if self._appending is not None:
            self._appending.cancel()
        batches = [batch for batch in (self._sent, self._filled) if batch is not None]
        self._sent = self._filled = self._appending = None
        self._settler.answer_recorded()
        self._settler.fail([item for batch in batches for item in (*batch.items, *batch.unwritten)], error)
        self._settler.fail(self._portion, error)
        self._portion = []
        self._preparer.cache.clear()
        await self._reading.drop()
        await self._writing.drop()

    def _awaken(self) -> None:
        self.on_awakened()

    def _starving(self) -> bool:
        return self._waiting.most_stale() >= STARVED


def _one_kind(batch: Batch, items: list[Pending]) -> list[Pending]:
    """The first of these that may share the batch: what changes the program is never mixed with what reads it."""
    present = batch.items or batch.unwritten or items
    kind = present[0].for_program
    return list(takewhile(lambda item: item.for_program == kind, items))
