"""What clients sent, when, and what they were told: the one side of the oracle. The other is the log.

An entry is one event under one key, however often it was sent. An attempt without a response is an unknown outcome.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from ledger.instants import DAY, MINUTE, show
from tests.faults.client import Client, Lost, NotSent, Response

TIME = (time.time_ns() // 1000 - DAY) // MINUTE * MINUTE
"""When everything happened, yesterday: at one instant nothing is late, so a balance is a plain sum in the order of the log."""

SOURCE = "/till"
BATCH = "application/cloudevents-batch+json"
DECIDED = frozenset({200, 201, 409, 422})
ACKNOWLEDGED = frozenset({200, 201})
SEND_AGAIN = frozenset({429, 503})
PAUSE_SECONDS = 0.02


class WrongAnswer(AssertionError):
    """An answer that no fault excuses."""


@dataclass(slots=True)
class Attempt:
    """One sending. Instants of one monotonic clock; `response` is None where none came."""

    sent_at: float
    ended_at: float = 0.0
    response: Response | None = None


@dataclass(slots=True, eq=False)
class Entry:
    """An event as it was sent, again and again in the same bytes."""

    event: dict[str, Any]
    attempts: list[Attempt] = field(default_factory=list)
    body: bytes = b""

    def __post_init__(self) -> None:
        self.body = orjson.dumps(self.event)

    @property
    def key(self) -> tuple[str, str]:
        return self.event["source"], self.event["id"]

    @property
    def decided(self) -> list[Attempt]:
        """The attempts that were answered with what became of the event."""
        return [attempt for attempt in self.attempts if attempt.response and attempt.response.status in DECIDED]

    @property
    def acknowledged_at(self) -> float | None:
        """When its sender was first told that it is in the log."""
        ends = [one.ended_at for one in self.attempts if one.response and one.response.status in ACKNOWLEDGED]
        return min(ends, default=None)


@dataclass
class Journal:
    """All entries of a test, whoever sent them.

    Attributes:
        decided: how many answers said what became of an event. answered_since: the latest sending that got one.
        cuts: answers that did not come. put_off: answers that told to send again.
    """

    entries: list[Entry] = field(default_factory=list)
    decided: int = 0
    answered_since: float = 0.0
    cuts: int = 0
    put_off: int = 0

    def enter(self, kind: str, customer: str, data: dict[str, Any], **attributes: Any) -> Entry:
        """Write an event down before it is sent."""
        event = {
            "specversion": "1.0",
            "id": f"e-{len(self.entries) + 1}",
            "source": SOURCE,
            "type": kind,
            "subject": customer,
            "time": show(TIME),
            "data": data,
            **attributes,
        }
        entry = Entry(event)
        self.entries.append(entry)
        return entry

    async def send(self, entry: Entry, client: Client) -> Response | None:
        """Send once; None where no answer came."""
        attempt = Attempt(time.monotonic())
        try:
            attempt.response = await client.post(entry.body)
        except NotSent:
            return None
        except Lost:
            self.cuts += 1
        finally:
            attempt.ended_at = time.monotonic()
        entry.attempts.append(attempt)
        if attempt.response is not None:
            _check(attempt.response, entry)
            self._count(attempt)
        return attempt.response

    async def send_batch(self, entries: list[Entry], client: Client) -> list[Response] | None:
        """Send once, as one batch; every item's answer is kept as if it had come by itself. None where no answer came."""
        attempts = [Attempt(time.monotonic()) for _ in entries]
        whole = None
        try:
            whole = await client.post(orjson.dumps([entry.event for entry in entries]), media_type=BATCH)
        except NotSent:
            return None
        except Lost:
            self.cuts += 1
        ended_at = time.monotonic()
        items = [None] * len(entries) if whole is None else whole.json()
        for entry, attempt, item in zip(entries, attempts, items, strict=True):
            attempt.ended_at = ended_at
            attempt.response = None if item is None else _of_item(item, entry)
            entry.attempts.append(attempt)
            self._count(attempt)
        return None if whole is None else [attempt.response for attempt in attempts if attempt.response]

    async def deliver(self, entry: Entry, clients: Iterator[Client]) -> Response:
        """Send until it is decided, by one client after the other, as a queue delivers."""
        for client in clients:
            response = await self.send(entry, client)
            if response is not None and response.status in DECIDED:
                return response
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError("no clients")

    def _count(self, attempt: Attempt) -> None:
        if attempt.response is None:
            return
        if attempt.response.status in SEND_AGAIN:
            self.put_off += 1
        else:
            self.decided += 1
            self.answered_since = max(self.answered_since, attempt.sent_at)

    @property
    def unknown(self) -> list[Entry]:
        """Entries of which nobody knows yet what became of them."""
        return [entry for entry in self.entries if entry.attempts and not entry.decided]

    def count(self) -> dict[str, int]:
        """For the table of a campaign."""
        return {"events": len(self.entries), "answers lost": self.cuts, "put off (503, 429)": self.put_off}


def round_robin(clients: list[Client]) -> Iterator[Client]:
    return itertools.cycle(clients)


def _of_item(item: dict[str, Any], entry: Entry) -> Response:
    """The answer a single post would have had for an item of a batch's answer."""
    assert (item["id"], item["source"], item["subject"]) == (*entry.key[::-1], entry.event["subject"]), item
    if item["status"] == "refused":
        status, again = item["problem"]["status"], {"retry-after": "1"}
        response = Response(status, again if status in SEND_AGAIN else {}, orjson.dumps(item["problem"]))
    else:
        response = Response(201 if item["status"] == "recorded" else 200, {}, orjson.dumps(item))
    _check(response, entry)
    return response


def _check(response: Response, entry: Entry) -> None:
    if response.status not in DECIDED | SEND_AGAIN:
        raise WrongAnswer(f"{response.status} {response.body!r} to {entry.event}")
    if response.status in SEND_AGAIN and "retry-after" not in response.headers:
        raise WrongAnswer(f"{response.status} without Retry-After")
