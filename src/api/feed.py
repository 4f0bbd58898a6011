"""The feed: a program's log from any position, a page at a time or live.

A checkpoint is a position and the hash of its record, `position:hash`, so a log restored from an older backup is noticed:
409 `cursor_unknown`. A live feed (`Accept: text/event-stream`) sends what the log holds and then what comes, and ends when
its key is revoked or the service stops; `Last-Event-ID` takes it up again.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from time import monotonic

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from api import telemetry
from api.answers import EVENT_STREAM, Lines, ReaderGoneError, Stream
from api.auth import Keys, Scope
from api.books import open_book
from api.headers import header
from api.queries import AnyText, bad_parameter, read_limit, read_query
from api.routing import open_to
from api.tailing import Tail
from ledger import reading, store
from ledger.errors import LedgerError
from ledger.reading import Book, line_bytes
from ledger.records import leaf_hash
from ledger.store import Connection, StoredRecord

LIMIT = 1_000
PIECE_RECORDS = 500
"""Records read and sent at once: a page of any size takes little memory."""

HEARTBEAT_SECONDS = 2.0
"""So often a live feed says that it lives, and asks whether its key still does."""

_CURSOR = re.compile(r"([0-9]{1,16})(?::([0-9a-f]{64}))?\Z")


@open_to(Scope.AUDIT)
async def read_feed(request: Request) -> ASGIApp:
    """The log after a position, in order; as NDJSON, or live as server-sent events."""
    query = read_query(request, after=AnyText, limit=AnyText)
    limit = read_limit(query, default=LIMIT, most=reading.FEED_LIMIT_MAX)
    live = b"text/event-stream" in (header(request.scope, b"accept") or b"").lower()
    last_event_id = header(request.scope, b"last-event-id") if live else None
    after, after_hash = _read_cursor(
        query.get("after", "0") if last_event_id is None else last_event_id.decode("latin-1")
    )
    conn, book = await open_book(request)
    await reading.check_cursor(conn, book, after, after_hash)
    if live:
        return Followed(conn, book, after, request.app.state.tail, request.app.state.keys)
    return Lines(_page(conn, book, after, limit))


class Followed:
    """A live feed, as an answer."""

    def __init__(self, conn: Connection, book: Book, after: int, tail: Tail, keys: Keys) -> None:
        self._conn = conn
        self._book = book
        self._after = after
        self._tail = tail
        self._keys = keys

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Send until the client leaves."""
        stream = Stream(send, EVENT_STREAM)
        following = asyncio.create_task(self._follow(stream, scope))
        leaving = asyncio.create_task(_left(receive))
        with telemetry.FOLLOWERS.track_inprogress():
            try:
                await asyncio.wait({following, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                leaving.cancel()
                following.cancel()
        with suppress(asyncio.CancelledError):
            await following

    async def _follow(self, stream: Stream, scope: AsgiScope) -> None:
        with suppress(ReaderGoneError, LedgerError):
            await stream.write(b": following\n\n")
            beat_at = monotonic()
            while not self._tail.closing:
                if await self._send_new(stream):
                    beat_at = monotonic()
                elif monotonic() - beat_at >= HEARTBEAT_SECONDS:
                    beat_at = monotonic()
                    await stream.write(b": still here\n\n")
                await self._keys.caller(scope)
                await self._tail.beyond(self._book.log_id, self._after, HEARTBEAT_SECONDS)
        with suppress(ReaderGoneError):
            await stream.end()

    async def _send_new(self, stream: Stream) -> bool:
        page = await store.read_log(self._conn, self._book.log_id, after=self._after, limit=PIECE_RECORDS)
        if page:
            await stream.write(b"".join(_event(stored) for stored in page))
            self._after = page[-1].position
        return bool(page)


async def _page(conn: Connection, book: Book, after: int, limit: int) -> AsyncIterator[bytes]:
    """A page in pieces; while one is being sent the next one is read."""

    def read(after: int, limit: int) -> "asyncio.Task[list[StoredRecord]]":
        return asyncio.create_task(store.read_log(conn, book.log_id, after=after, limit=min(limit, PIECE_RECORDS)))

    reading = read(after, limit)
    try:
        while piece := await reading:
            limit -= len(piece)
            is_last = limit == 0 or len(piece) < PIECE_RECORDS  # positions are gapless: a short piece is the log's end
            if not is_last:
                reading = read(piece[-1].position, limit)
            yield b"".join(line_bytes(stored) + b"\n" for stored in piece)
            if is_last:
                return
    finally:
        reading.cancel()


def _event(stored: StoredRecord) -> bytes:
    """A record as a server-sent event."""
    digest = leaf_hash(stored.record).hex().encode()
    return b"id: %d:%s\ndata: %s\n\n" % (stored.position, digest, line_bytes(stored))


async def _left(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _read_cursor(text: str) -> tuple[int, str | None]:
    match = _CURSOR.match(text)
    if match is None:
        raise bad_parameter("after", "a position, or position:hash")
    return int(match[1]), match[2]
