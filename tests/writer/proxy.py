"""A wire that can be cut: a proxy between the writer and PostgreSQL's socket, cutting an append where the test says.

An append is told from other statements by the bytes of a record in it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from tests.postgres import Database, reachable_directory

RECORD = b'{"schema":'
SYNC = b"S\x00\x00\x00\x04"
BLOCK = 64 * 1024

Place = Literal["before", "half", "sent", "answered"]
"""Nothing of the append reaches the server; half of it; all of it; all of it, and the server has answered."""


class Wire:
    """Connections through it live until they are cut."""

    def __init__(self, directory: Path, target: Path, name: str) -> None:
        self.url = f"postgresql://ledger_service@/{name}?host={directory}&port=5432"
        self.cuts = 0
        self.broken = False
        self._target = target
        self._place: Place | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    def cut_next(self, place: Place) -> None:
        """Cut the next append there."""
        self._place = place

    def break_off(self) -> None:
        """Cut everything, and refuse new connections until `mend`."""
        self.broken = True
        for writer in list(self._writers):
            writer.transport.abort()

    def mend(self) -> None:
        self.broken = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.broken:
            writer.transport.abort()
            return
        upstream_reader, upstream = await asyncio.open_unix_connection(self._target)
        self._writers |= {writer, upstream}
        sent = asyncio.Event()
        there = asyncio.create_task(self._there(reader, upstream, sent))
        back = asyncio.create_task(self._back(upstream_reader, writer, sent))
        with contextlib.suppress(OSError):
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        for task in (there, back):
            task.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        for side in (writer, upstream):
            self._writers.discard(side)
            side.transport.abort()

    async def _there(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, sent: asyncio.Event) -> None:
        tail = b""
        while block := await reader.read(BLOCK):
            appending = RECORD in tail + block
            tail = block[-len(RECORD) :]
            if appending and self._place is not None:
                await self._cut(reader, upstream, block, sent)
                return
            upstream.write(block)
            await upstream.drain()

    async def _cut(
        self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, block: bytes, sent: asyncio.Event
    ) -> None:
        place, self._place = self._place, None
        self.cuts += 1
        if place == "before":
            return
        if place == "half":
            upstream.write(block[: len(block) // 2])
            await upstream.drain()
            return
        while not block.endswith(SYNC):
            upstream.write(block)
            block = await reader.read(BLOCK)
        upstream.write(block)
        await upstream.drain()
        if place == "answered":
            sent.set()
            await asyncio.Event().wait()

    async def _back(self, upstream: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: asyncio.Event) -> None:
        while block := await upstream.read(BLOCK):
            if sent.is_set():
                return
            writer.write(block)
            await writer.drain()


@asynccontextmanager
async def wire_to(database: Database) -> AsyncIterator[Wire]:
    """A wire to a database of a cluster that listens on a socket."""
    target = Path(database.server.url("x").split("host=")[1].split("&", maxsplit=1)[0]) / ".s.PGSQL.5432"
    with reachable_directory() as directory:
        wire = Wire(directory, target, database.name)
        server = await asyncio.start_unix_server(wire.serve, directory / ".s.PGSQL.5432")
        try:
            yield wire
        finally:
            wire.break_off()
            server.close()
