"""The events that are posted: purchases of two lines, such as a shop's till sends, and requests made of them.

Everything is made before the clock starts: what sends it has nothing to build.
"""

import random
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from ledger import events
from ledger.deciding import Command
from ledger.instants import from_datetime, parse, show

PROGRAM = "default"
EVENTS_PATH = f"/v1/programs/{PROGRAM}/events"
SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"

_EVENT = (
    '{"specversion":"1.0","id":"%s-%d","source":"/pos/sz-001","type":"purchase.recorded","subject":"c-%d","time":"%s",'
    '"data":{"order_id":"SO-%s-%d","currency":"CNY","total":%d,"lines":[{"line":1,"sku":"A%d","quantity":2,"amount":%d},'
    '{"line":2,"sku":"B%d","quantity":1,"amount":%d}],"place":{"store":"SZ-001","channel":"mini_program","guide":"g-7"}}}'
)
_STRIDE = 7_919
"""A prime, so that customers in turn do not come side by side."""


@dataclass
class Purchases:
    """Purchases of `customers` customers from `c-<first>` on, each event's id unlike any other's.

    Attributes:
        time: of the first event, in microseconds; each later one is `step` after the one before.
        in_turn: every customer comes as often as any other; else they come at random.
    """

    customers: int
    time: int
    seed: int = 1
    first: int = 0
    step: int = 0
    in_turn: bool = False

    def __post_init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._number = 0
        self._chance = random.Random(self.seed)

    def texts(self, count: int) -> Iterator[str]:
        """So many events as JSON."""
        chance = self._chance.random
        for _ in range(count):
            self._number += 1
            first, second = 100 + int(chance() * 9900), 100 + int(chance() * 9900)
            yield _EVENT % (
                self._run,
                self._number,
                self.first + self._customer(),
                show(self.time + self.step * self._number),
                self._run,
                self._number,
                first + second,
                int(chance() * 1000),
                first,
                int(chance() * 1000),
                second,
            )

    def _customer(self) -> int:
        if self.in_turn:
            return self._number * _STRIDE % self.customers
        return int(self._chance.random() * self.customers)

    def commands(self, count: int) -> Iterator[Command]:
        """So many events as commands, validated as intake validates them."""
        for text in self.texts(count):
            yield command_of(orjson.loads(text))


def command_of(event: dict) -> Command:
    """The command of an event, by the ledger's own validation."""
    time = parse(event["time"])
    return Command(
        source=event["source"],
        id=event["id"],
        type=event["type"],
        subject=event["subject"],
        time=time,
        data=events.validated(event["type"], event["data"], time),
        actor="service:bench",
    )


def batches(texts: Iterable[str], size: int) -> Iterator[bytes]:
    """JSON arrays of so many events."""
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == size:
            yield ("[" + ",".join(chunk) + "]").encode()
            chunk = []


def post(body: bytes, *, key: str, content_type: str = SINGLE, path: str = EVENTS_PATH) -> bytes:
    """A whole POST request, ready for the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str, *, key: str) -> bytes:
    """A whole GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def write_requests(place: Path, requests: Iterable[bytes]) -> None:
    """Write requests to the file a generator reads them from: each after its length in 8 digits and a line's end."""
    with place.open("wb") as file:
        for request in requests:
            file.write(b"%08d\n" % len(request))
            file.write(request)


def read_requests(place: Path) -> list[bytes]:
    """The requests of such a file."""
    content = place.read_bytes()
    requests, start = [], 0
    while start < len(content):
        size = int(content[start : start + 8])
        requests.append(content[start + 9 : start + 9 + size])
        start += 9 + size
    return requests


def read_customers(customers: Sequence[int], *, key: str) -> Iterator[bytes]:
    """Requests that read customers."""
    for number in customers:
        yield get(f"/v1/programs/{PROGRAM}/customers/c-{number}", key=key)


def now() -> int:
    """The wall clock, in microseconds, without its fraction of a second: what a till sends."""
    return from_datetime(datetime.now(UTC).replace(microsecond=0))
