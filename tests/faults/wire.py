"""A wire between a server process and PostgreSQL's socket that speaks enough of the protocol to be cut at a chosen place.

before     nothing of the append reaches the server
half       half of it
sent       all of it; the server is still at work
answered   all of it, and the server has committed: its answer is swallowed
partly     the first half of the answer comes through
late       the writer is cut off at once; the append reaches the server a moment later, when it has been settled
commit     an append under the log's lock: the COMMIT reaches the server, its answer is swallowed
uncommitted   the same; the COMMIT does not reach the server
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

from tests.postgres import Database, reachable_directory

LATE_SECONDS_MAX = 0.3

Place = Literal["before", "half", "sent", "answered", "partly", "late", "commit", "uncommitted"]
PLACES: tuple[Place, ...] = ("before", "half", "sent", "answered", "partly", "late")
UNDER_LOCK: tuple[Place, ...] = ("commit", "uncommitted")


class Wire:
    """Every connection through it lives until it is cut.

    Attributes:
        cuts: how many, by place.
        next: where the next cut happens; None: nowhere.
    """

    def __init__(self, directory: Path, target: Path, database: str) -> None:
        self.url = f"postgresql://ledger_service@/{database}?host={directory}&port=5432"
        self.cuts: Counter[str] = Counter()
        self.next: Place | None = None
        self.dice = random.Random(5)
        self._target = target
        self._lines: set[asyncio.Task | None] = set()

    def take(self, *places: Place) -> Place | None:
        """The cut that is to happen, if it is one of these."""
        if self.next not in places:
            return None
        place, self.next = self.next, None
        self.cuts[place] += 1
        return place

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_unix_connection(self._target, limit=2**24)
        # asyncio complains of a cancelled callback, which is what the end of the wire makes of it.
        with suppress(asyncio.CancelledError):
            self._lines.add(asyncio.current_task())
            await _Line(self, (reader, writer), upstream).live()

    async def end(self) -> None:
        """Cut what is left."""
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines)
        await asyncio.sleep(0)  # what was aborted is closed by the loop's next turn


@asynccontextmanager
async def wire_to(database: Database) -> AsyncIterator[Wire]:
    """A wire to a database, for as long as the block lasts."""
    target = database.server.home.sockets / ".s.PGSQL.5432"
    with reachable_directory() as directory:
        wire = Wire(directory, target, database.name)
        server = await asyncio.start_unix_server(wire.serve, directory / ".s.PGSQL.5432", limit=2**24)
        try:
            yield wire
        finally:
            server.close()
            await wire.end()


Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Line:
    """One connection."""

    def __init__(self, wire: Wire, client: Side, server: Side) -> None:
        self._wire = wire
        self._client = client
        self._server = server
        self._appends: set[bytes] = set()
        self._swallow: Place | None = None
        self._rest: asyncio.Task[None] | None = None

    async def live(self) -> None:
        there, back = asyncio.create_task(self._there()), asyncio.create_task(self._back())
        try:
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
            back.cancel()
            await asyncio.wait([back])
            self._client[1].transport.abort()
            if self._rest is not None:
                with suppress(OSError, asyncio.IncompleteReadError):
                    await self._rest
        finally:
            there.cancel()
            back.cancel()
            self._client[1].transport.abort()
            self._server[1].transport.abort()
        for ended in await asyncio.gather(there, back, return_exceptions=True):
            if isinstance(ended, Exception) and not isinstance(ended, OSError | asyncio.IncompleteReadError):
                raise ended

    async def _there(self) -> None:
        """From the writer to the server; ends where it is cut."""
        reader, server = self._client[0], self._server[1]
        size = await reader.readexactly(4)
        server.write(size + await reader.readexactly(int.from_bytes(size) - 4))
        while True:
            message = await _message(reader)
            kind, body = message[:1], message[5:]
            if kind == b"P" and b"append_units(" in body:
                self._appends.add(body.split(b"\0")[0])
            if kind == b"B" and body.split(b"\0")[1] in self._appends:
                while not message.endswith(b"S\0\0\0\4"):
                    message += await _message(reader)
                if self._cut_append(message):
                    return await self._end()
            elif kind == b"Q" and body.startswith(b"COMMIT") and self._cut_commit(message):
                return await self._end()
            server.write(message)
            await server.drain()

    def _cut_append(self, message: bytes) -> bool:
        server = self._server[1]
        place = self._wire.take("before", "half", "sent", "late", "answered", "partly")
        if place is None:
            return False
        if place == "half":
            server.write(message[: len(message) // 2])
        elif place == "late":
            self._rest = asyncio.create_task(self._late(message))
        elif place != "before":
            server.write(message)
            self._swallow = place if place in ("answered", "partly") else None
        return True

    def _cut_commit(self, message: bytes) -> bool:
        place = self._wire.take("commit", "uncommitted")
        if place == "commit":
            self._server[1].write(message)
            self._swallow = "answered"
        return place is not None

    async def _end(self) -> None:
        """Wait for the answer where it is to be swallowed; the end of this task cuts the line."""
        if self._swallow is not None:
            await asyncio.Event().wait()

    async def _late(self, message: bytes) -> None:
        reader, server = self._server
        await asyncio.sleep(self._wire.dice.uniform(0, LATE_SECONDS_MAX))
        server.write(message)
        while not (await _message(reader)).startswith(b"Z"):
            pass

    async def _back(self) -> None:
        """From the server to the writer; ends with the answer that was to be swallowed."""
        reader, client = self._server[0], self._client[1]
        swallowed = b""
        while True:
            message = await _message(reader)
            if self._swallow is None:
                client.write(message)
                continue
            swallowed += message
            if message.startswith(b"Z"):
                if self._swallow == "partly":
                    client.write(swallowed[: len(swallowed) // 2])
                    await client.drain()
                return


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(int.from_bytes(head[1:]) - 4)
