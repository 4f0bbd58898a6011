"""Load at a given rate, whatever the answers: requests sent at random instants, timed from when they were due to be sent.

    python -m benchmarks.steady FILE PORT RATE SECONDS

What a closed loop cannot show: how long a request takes while others are served, at half of what the server can do. A process
of its own, so that it is not in the way; prints JSON.
"""

import asyncio
import gc
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.purchases import read_requests

CONNECTIONS = 200


@dataclass(frozen=True)
class Steady:
    """What was answered. Milliseconds from the instant a request was due to the end of its answer."""

    requests: int
    per_second: float
    p50: float
    p99: float
    slowest: float
    statuses: dict[str, int]


class Generator:
    """A steady load in a process of its own."""

    def __init__(self, place: Path, port: int, *, rate: float, seconds: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.steady", str(place), str(port), str(rate), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
        )

    def result(self) -> Steady:
        """What came of it, once it has ended.

        Raises:
            RuntimeError: an answer was not 2xx.
        """
        said, _ = self._process.communicate()
        found = Steady(**json.loads(said))
        if any(not status.startswith("2") for status in found.statuses):
            raise RuntimeError(f"not every request was accepted: {found.statuses}")
        return found


def run(place: Path, port: int, *, rate: float, seconds: float) -> Steady:
    """Send at a rate for so long, and wait for the result."""
    return Generator(place, port, rate=rate, seconds=seconds).result()


class _Connection(asyncio.Protocol):
    """One request at a time; tells its status when the answer is whole."""

    def __init__(self) -> None:
        self._answered: Callable[[str], None] | None = None
        self._received = b""
        self._wanted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send(self, request: bytes, answered: Callable[[str], None]) -> None:
        """Send a request; the one before has been answered."""
        self._answered = answered
        self._received, self._wanted = b"", 0
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._wanted:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._received[:end].lower()
            start = head.index(b"content-length:") + 15
            self._wanted = end + 4 + int(head[start:].split(b"\r\n", 1)[0])
        if len(self._received) >= self._wanted:
            self._tell(self._received[9:12].decode())

    @property
    def closed(self) -> bool:
        """Whether the server has ended it, as it does with one that is idle for long."""
        return bool(self._transport.is_closing())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._tell("lost")

    def _tell(self, status: str) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(status)


class _Sender:
    """Sends each request when it is due, or as soon as a connection is free."""

    def __init__(self, port: int, idle: list[_Connection]) -> None:
        self._port = port
        self._idle = idle
        self._connections = len(idle)
        self.took: list[float] = []
        self.statuses: Counter[str] = Counter()

    async def send(self, request: bytes, due: float) -> None:
        while (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        while not self._idle:
            await asyncio.sleep(0.001)
        connection = self._idle.pop()
        if connection.closed:
            connection = await connected(self._port)

        def answered(status: str) -> None:
            self.took.append(time.perf_counter() - due)
            self.statuses[status] += 1
            self._idle.append(connection)

        connection.send(request, answered)

    async def end(self) -> None:
        while len(self._idle) < self._connections:
            await asyncio.sleep(0.01)


async def connected(port: int) -> _Connection:
    """A fresh connection."""
    return (await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", port))[1]


async def _send_all(requests: list[bytes], port: int, rate: float, seconds: float) -> Steady:
    sender = _Sender(port, [await connected(port) for _ in range(CONNECTIONS)])
    chance = random.Random(1)
    begun = due = time.perf_counter()
    for request in requests:
        due += chance.expovariate(rate)
        if due > begun + seconds:
            break
        await sender.send(request, due)
    else:
        raise SystemExit("there were too few requests for the time")
    await sender.end()
    return _result(sender.took, sender.statuses, time.perf_counter() - begun)


def _result(took: list[float], statuses: Counter[str], seconds: float) -> Steady:
    took.sort()
    return Steady(
        len(took),
        len(took) / seconds,
        took[len(took) // 2] * 1000,
        took[len(took) * 99 // 100] * 1000,
        took[-1] * 1000,
        dict(statuses),
    )


def _main() -> None:
    place, port, rate, seconds = sys.argv[1:]
    requests = read_requests(Path(f"{place}.0"))
    gc.disable()
    found = uvloop.run(_send_all(requests, int(port), float(rate), float(seconds)))
    print(json.dumps(vars(found)))


if __name__ == "__main__":
    _main()
