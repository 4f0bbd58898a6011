"""One program in this process: its log, writer, clock and policies."""

import asyncio
from collections.abc import Callable

from ledger.clock import Clock
from ledger.head_reads import HeadReads
from ledger.heads import ProgramHead, read_program
from ledger.leasing import Desks, lent
from ledger.policies.correcting import Correcting
from ledger.policies.referring import Referring
from ledger.policies.retrying import Retrying
from ledger.program import ProgramState
from ledger.records import program_stream_id
from ledger.store import Log, Pool
from ledger.writer import Limits, Writer


class Program:
    """A program at work.

    Args:
        writing: connections for the writer; reading: for everything that needs one for a moment.
        desks: shared with the other programs. turns: so many clocks work at once.
    """

    def __init__(
        self,
        writing: Pool,
        reading: Pool,
        row: Log,
        *,
        now: Callable[[], int],
        limits: Limits,
        desks: Desks,
        turns: asyncio.Semaphore,
    ) -> None:
        self.name = row.program
        self.log_id = row.log_id
        self.writer = Writer(writing, row.log_id, row.program, clock=now, limits=limits, desks=desks)
        self.clock = Clock(reading, row.log_id, self.writer, now=now, turns=turns)
        self.retrying = Retrying(reading, row.log_id, self.writer)
        self.referring = Referring(reading, row.log_id, row.program, self.writer, lambda: self.state)
        self.correcting = Correcting(reading, row.log_id, row.program, self.writer, lambda: self.state, now=now)
        self.heads = HeadReads(reading, row.log_id)
        self.appended = asyncio.Event()
        self._reading = reading
        self._looked = ProgramHead(0, None, ProgramState())
        self._next_position = row.next_position
        self.writer.on_awakened = self.retrying.wake

    @property
    def state(self) -> ProgramState:
        """Its rules and places, as far as this process knows them."""
        written = self.writer.program
        return written.state if written.version > self._looked.version else self._looked.state

    @property
    def has_rules(self) -> bool:
        """Whether anything has been published: until then the program is not there for anyone."""
        return self.state.rulebook is not None

    async def open(self) -> None:
        """Read its rules and begin to write.

        Raises:
            DatabaseUnavailable, StreamUnreadable
        """
        await self.writer.start()
        self._looked = self.writer.program

    def start(self) -> None:
        """Let time and policies begin to work."""
        self.clock.start()
        self.retrying.start()
        self.referring.start()
        self.correcting.start()

    async def close(self) -> None:
        """Finish what waits, then stop."""
        await self.clock.close()
        await self.retrying.close()
        await self.referring.close()
        await self.correcting.close()
        await self.writer.close()

    async def look(self, next_position: int) -> None:
        """Read what another process has published, where the log has grown."""
        if next_position == self._next_position:
            return
        async with lent(self._reading) as conn:
            self._looked = await read_program(conn, self.log_id, program_stream_id(self.name), self._looked)
        self._next_position = next_position
