"""A client of the API as small as can be: HTTP/1.1 over a unix socket, one request at a time, no second tries of its own."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import orjson

SECONDS_MAX = 120.0
"""No answer for so long is a fault of the service, whatever was done to it."""


class Lost(Exception):
    """The connection ended before the answer did: the outcome is unknown."""


class NotSent(Lost):
    """There was nobody to connect to: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with its bytes as they came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict:
        return orjson.loads(self.body)

    @property
    def replayed(self) -> bool:
        return self.headers.get("idempotency-replayed") == "true"


class Client:
    """One connection, made again when it has ended.

    Attributes:
        key: an API key.
        socket: where the server listens.
    """

    def __init__(self, socket: Path | str, key: str) -> None:
        self.socket = str(socket)
        self._key = key
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, event: bytes, *, media_type: str = "application/cloudevents+json") -> Response:
        """Post to program `default`."""
        return await self.request("POST", "/v1/programs/default/events", event, {"content-type": media_type})

    async def get(self, path: str) -> Response:
        return await self.request("GET", path)

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Response:
        """Send and wait for the whole answer.

        Raises:
            Lost: the connection ended first.
        """
        await self.connect()
        assert self._writer is not None
        try:
            async with asyncio.timeout(SECONDS_MAX):
                self._writer.write(self.head(method, path, body, headers or {}) + body)
                return await self._read()
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise Lost from error
        except BaseException:
            self.close()
            raise

    async def connect(self) -> None:
        """Have a connection.

        Raises:
            NotSent
        """
        if self._writer is not None and not self._writer.is_closing():
            return
        try:
            self._reader, self._writer = await asyncio.open_unix_connection(self.socket, limit=2**24)
        except OSError as error:
            raise NotSent from error

    def head(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        named = {"host": "ledger", "authorization": f"Bearer {self._key}", "content-length": str(len(body)), **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
        return "\r\n".join(lines).encode()

    def close(self) -> None:
        """Cut the connection, whatever is on its way."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _read(self) -> Response:
        assert self._reader is not None
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if "content-length" in headers:
            body = await self._reader.readexactly(int(headers["content-length"]))
        else:
            body = b"".join([chunk async for chunk in self.chunks()])
        return Response(int(status_line.split()[1]), headers, body)

    async def chunks(self):
        """The body of an answer sent in parts, as they come."""
        assert self._reader is not None
        while True:
            size = int(await self._reader.readuntil(b"\r\n"), 16)
            chunk = (await self._reader.readexactly(size + 2))[:-2]
            if not chunk:
                return
            yield chunk

    async def follow(self, path: str, headers: dict[str, str]):
        """Parts of an answer that has no end, such as a live feed.

        Raises:
            Lost: the connection ended.
        """
        await self.connect()
        assert self._writer is not None
        assert self._reader is not None
        try:
            self._writer.write(self.head("GET", path, b"", headers))
            head = await self._reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            async for chunk in self.chunks():
                yield chunk
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Lost from error
        finally:
            self.close()
