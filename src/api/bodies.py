"""Request bodies, read while they stream and never further than their bound."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import NamedTuple

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from api.problems import BodyTooSlow, TooLarge

SILENCE_SECONDS_MAX = 30.0
"""A body of which nothing arrives for so long is given up."""


class Line(NamedTuple):
    """A line of an NDJSON body: its number from 1, and its bytes, or None where it was longer than allowed."""

    number: int
    content: bytes | None


async def read_body(receive: Receive, declared: int | None, bytes_max: int, too_large: Callable[[], TooLarge]) -> bytes:
    """The whole body.

    Args:
        receive: of the request.
        declared: its Content-Length, where it has one.
        bytes_max: longest body taken.
        too_large: makes the error for a longer one.

    Raises:
        TooLarge: as soon as it is known; the server drops what still comes.
        BodyTooSlow: nothing came for 30 s.
        ClientDisconnect: there is nobody left to answer.
    """
    if declared is not None and declared > bytes_max:
        raise too_large()
    body, more = await next_part(receive)
    if not more and len(body) <= bytes_max:
        return body
    parts, size = [body], len(body)
    while more and size <= bytes_max:
        body, more = await next_part(receive)
        parts.append(body)
        size += len(body)
    if size > bytes_max:
        raise too_large()
    return b"".join(parts)


async def next_part(receive: Receive) -> tuple[bytes, bool]:
    """What of the body has arrived, and whether more is to come.

    Raises:
        BodyTooSlow: nothing came for 30 s.
        ClientDisconnect: there is nobody left to answer.
    """
    try:
        async with asyncio.timeout(SILENCE_SECONDS_MAX):
            message = await receive()
    except TimeoutError:
        raise BodyTooSlow from None
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


class LineBody:
    """The lines of an NDJSON body as they arrive, in lists; empty ones are counted and left out.

    Holds what has arrived and one unfinished line at most. Of a line that is too long only its number is told.
    """

    def __init__(self, receive: Receive, line_bytes_max: int) -> None:
        self._receive = receive
        self._line_bytes_max = line_bytes_max
        self._number = 0
        self._overlong = False
        self._more = True

    async def __aiter__(self) -> AsyncIterator[list[Line]]:
        """Lists of lines, none of them empty.

        Raises:
            BodyTooSlow, ClientDisconnect: see `next_part`.
        """
        rest = b""
        while self._more:
            part, self._more = await next_part(self._receive)
            *complete, rest = (rest + part).split(b"\n")
            if not self._more:
                complete.append(rest)
            lines = [line for content in complete if (line := self._line(content.strip())) is not None]
            if self._more and len(rest) > self._line_bytes_max:
                rest, self._overlong = b"", True
            if lines:
                yield lines

    async def drop(self) -> None:
        """Let the rest of the body arrive and forget it, so that the client can come to reading.

        Raises:
            ClientDisconnect: there is nobody left to answer.
        """
        with suppress(BodyTooSlow):
            while self._more:
                _, self._more = await next_part(self._receive)

    def _line(self, content: bytes) -> Line | None:
        self._number += 1
        if self._overlong or len(content) > self._line_bytes_max:
            self._overlong = False
            return Line(self._number, None)
        return Line(self._number, content) if content else None
