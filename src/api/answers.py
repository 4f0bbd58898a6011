"""Answers: JSON from orjson, NDJSON and event streams that give up on a client which does not read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

JSON = "application/json"
NDJSON = "application/x-ndjson"
EVENT_STREAM = "text/event-stream"

UNREAD_SECONDS_MAX = 30.0


class ReaderGoneError(Exception):
    """The client has read nothing for 30 s."""


class Whole:
    """An answer sent in one piece. Nothing of it may be kept by a cache: a balance changes at midnight by itself."""

    __slots__ = ("_body", "_headers", "status")

    def __init__(self, status: int, body: bytes, media_type: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self._body = body
        self._headers = _headers(media_type)
        self._headers.append((b"content-length", b"%d" % len(body)))
        if headers:
            self._headers += [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it, as every response of Starlette is sent."""
        await send({"type": "http.response.start", "status": self.status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


def json_answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Whole:
    """An answer of JSON; `content` may hold `orjson.Fragment`s."""
    return Whole(status, orjson.dumps(content), JSON, headers)


class Stream:
    """An answer sent in parts; its status and headers go out with the first."""

    def __init__(self, send: Send, media_type: str) -> None:
        self._send = send
        self._media_type = media_type
        self.started = False

    async def write(self, body: bytes, *, more: bool = True) -> None:
        """Send a part.

        Raises:
            ReaderGoneError: the client has not taken what went before; this part was not sent.
        """
        try:
            async with asyncio.timeout(UNREAD_SECONDS_MAX):
                if not self.started:
                    await self._start()
                await self._send({"type": "http.response.body", "body": body, "more_body": more})
        except TimeoutError:
            raise ReaderGoneError from None

    async def end(self, body: bytes = b"") -> None:
        """Send the last part.

        Raises:
            ReaderGoneError: as for `write`.
        """
        await self.write(body, more=False)

    async def _start(self) -> None:
        self.started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": _headers(self._media_type)})


def _headers(media_type: str) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", media_type.encode()), (b"cache-control", b"no-store")]


class Lines:
    """An answer of NDJSON, sent as it is made, in pieces of some lines."""

    status = 200

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        """Args: pieces: whole lines, none empty."""
        self._pieces = pieces

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it, as every response of Starlette is sent; a client that stops reading is left."""
        stream = Stream(send, NDJSON)
        with suppress(ReaderGoneError):
            async for piece in self._pieces:
                await stream.write(piece)
            await stream.end()


def json_line(content: Any) -> bytes:
    """A line of NDJSON."""
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
