"""What waits to be written: commands in order of arrival, bounded by count and bytes, and who waits for their answers.

Two commands with one key are never decided at once: the second follows the first and is answered from its outcome.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from ledger.answers import Answer, same
from ledger.deciding import Command
from ledger.errors import DatabaseUnavailable, LedgerError, QueueFull, Refused
from ledger.records import Record

if TYPE_CHECKING:
    from ledger.store import HeadToWrite, UnitToAppend

COMMAND_BYTES = 1_000
"""What a waiting command takes besides its data."""

CLOCK_SHARE = 4
"""While posts wait, at most one in so many of a batch is the clock's."""


@dataclass(slots=True, frozen=True)
class Advance:
    """A stream whose due records are to be written; `until` in microseconds."""

    subject: str
    until: int


class Ticket:
    """Commands posted together, and the future their sender waits for."""

    __slots__ = ("answers", "done", "left")

    def __init__(self, count: int) -> None:
        self.answers: list[Answer | None] = [None] * count
        self.left = count
        self.done: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

    def answer(self, place: int, answer: Answer) -> None:
        """Fill in one answer; the last one wakes the sender, if it is still there."""
        self.answers[place] = answer
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(self.answers)


@dataclass(slots=True, eq=False)
class Beside:
    """The other stream of a command that concerns two customers: what was decided there; see `Pending`."""

    customer: str
    stream_id: UUID
    base: int = 0
    state: Any = None
    head: HeadToWrite | None = None
    hash: bytes | None = None


@dataclass(slots=True, eq=False)
class Pending:
    """One command from its arrival to its answer, with what was last decided for it.

    Attributes:
        data: the event's data as JSON, serialised once for its record and its size.
        size: bytes it counts for in the queue.
        for_program: it belongs to the program's own stream.
        stage: it waits in the queue, is being worked on, follows another command, or is done with.
        number: order of arrival.
        staleness: how many times what was decided for it was out of date when it was to be appended.
        looked_up: its key was looked for in the log and was not there.
        followers: commands of the same key, or of the same reference, that wait for its outcome.
        limit: a counter has no room for it, so it is refused. used_up: budgets that have none, so it is decided without.
        records, state, refusal, error: what was decided; the records are none for a refusal.
        own: which of the records is the event's own. counters: what the decision adds to sums across customers.
        base: version of its stream that was read.
        unit, shown, head: what is sent, its records as JSON objects, the head it leaves behind if it is its stream's last.
        hash: of its last record, once stamped.
        beside: the other stream, where it concerns two customers; its records stand among `records`.
    """

    command: Command | Advance
    stream_id: UUID
    data: bytes
    ticket: Ticket
    place: int
    size: int
    for_program: bool = False
    stage: Literal["waits", "at_hand", "follows", "answered"] = "waits"
    number: int = 0
    staleness: int = 0
    looked_up: bool = False
    followers: Sequence[Pending] = ()
    limit: Refused | None = None
    used_up: Mapping[str, int] = field(default_factory=dict)
    may_go_without: Collection[str] = ()
    records: Sequence[Record] = ()
    own: int = -1
    counters: Sequence[tuple[str, int, int | None]] = ()
    state: Any = None
    refusal: Refused | None = None
    error: LedgerError | None = None
    base: int = 0
    unit: UnitToAppend | None = None
    hash: bytes | None = None
    shown: Sequence[dict[str, Any]] = ()
    head: HeadToWrite | None = None
    beside: Beside | None = None

    @property
    def streams(self) -> tuple[UUID, ...]:
        """The streams whose heads its decision read."""
        return (self.stream_id,) if self.beside is None else (self.stream_id, self.beside.stream_id)

    def touches(self, streams: Container[UUID]) -> bool:
        """Whether its decision read the head of one of these."""
        return self.stream_id in streams or (self.beside is not None and self.beside.stream_id in streams)

    def records_on(self, stream_id: UUID) -> list[Record]:
        """Its records on one stream."""
        if self.beside is None:
            return list(self.records) if stream_id == self.stream_id else []
        if stream_id not in self.streams:
            return []
        customer = self.beside.customer
        return [record for record in self.records if (record.subject == customer) == (stream_id != self.stream_id)]

    def follow(self, other: Pending) -> None:
        """Let another command wait for this one's outcome."""
        other.stage = "follows"
        self.followers = [*self.followers, other]

    def forget(self) -> None:
        """Forget what was decided; the command waits again."""
        self.records = self.shown = self.counters = ()
        self.own = -1
        self.state = self.refusal = self.error = self.unit = self.hash = self.head = None
        if self.beside is not None:
            self.beside = Beside(self.beside.customer, self.beside.stream_id)


class Waiting:
    """The queue of one writer: posts, streams to advance, and what is to be decided again, which comes first."""

    def __init__(self, *, count_max: int, bytes_max: int) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._posts: deque[Pending] = deque()
        self._advances: deque[Pending] = deque()
        self._again: list[Pending] = []
        self._by_key: dict[UUID, Pending] = {}
        self._number = 0
        self.count = 0
        self.bytes = 0
        self.event = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._posts or self._again or self._advances)

    def add(self, items: list[Pending]) -> None:
        """Let commands posted together wait, all of them or none.

        Raises:
            QueueFull: more would wait than may. An empty queue takes whatever is posted together.
        """
        size = sum(item.size for item in items)
        if self.count and (self.count + len(items) > self._count_max or self.bytes + size > self._bytes_max):
            raise QueueFull(waiting=self.count, retry_after_seconds=1)
        self.count += len(items)
        self.bytes += size
        for item in items:
            self._number += 1
            item.number = self._number
            self._enter(item, self._posts)
        self.event.set()

    def add_advances(self, items: list[Pending]) -> None:
        """Let streams wait to be advanced; the clock hands over few at a time, so they are not bounded here."""
        for item in items:
            self._number += 1
            item.number = self._number
        self._advances.extend(items)
        self.event.set()

    def again(self, items: Iterable[Pending]) -> None:
        """Put back what is to be decided again, each in its place by arrival."""
        for item in items:
            item.forget()
            item.stage = "waits"
            self._again.append(item)
        self._again.sort(key=_number)
        self.event.set()

    def take(self, *, count: int, size: int, advances: int) -> list[Pending]:
        """The next commands in order of arrival, what is to be decided again first.

        Args:
            count: at most so many.
            size: stop at the first one after so many bytes.
            advances: at most so many streams to advance while posts wait.
        """
        taken: list[Pending] = []
        room = size
        again = 0
        while again < len(self._again) and len(taken) < count and room > 0:
            room -= self._again[again].size
            taken.append(self._again[again])
            again += 1
        del self._again[:again]
        if not self._again:
            share = count - len(taken) if not self._posts else min(advances, count - len(taken))
            clock = [self._advances.popleft() for _ in range(min(share, len(self._advances)))]
            posts = self._posts
            while posts and len(taken) + len(clock) < count and room > 0:
                item = posts.popleft()
                room -= item.size
                taken.append(item)
            taken += clock
        for item in taken:
            item.stage = "at_hand"
        return taken

    async def wait(self) -> None:
        """Wait until something waits, or `event` is set for another reason."""
        if not self:
            self.event.clear()
        await self.event.wait()

    def most_stale(self) -> int:
        """How often the stalest of what is to be decided again was out of date."""
        return max((item.staleness for item in self._again), default=0)

    def take_starved(self, *, staleness: int, count: int) -> list[Pending]:
        """What comes up to and with the last one that was stale so often: order of arrival is kept on every stream."""
        last = max(place for place, item in enumerate(self._again) if item.staleness >= staleness)
        taken = self._again[: min(last + 1, count)]
        del self._again[: len(taken)]
        for item in taken:
            item.stage = "at_hand"
        return taken

    def answer(self, item: Pending, answer: Answer) -> None:
        """Answer a command, and those that follow it: the same content gets the same answer, other content is decided."""
        if item.stage == "answered":
            return
        item.stage = "answered"
        command = item.command
        if isinstance(command, Command):
            self.count -= 1
            self.bytes -= item.size
            if self._by_key.get(command.source_key) is item:
                del self._by_key[command.source_key]
        item.ticket.answer(item.place, answer)
        followers = item.followers
        if followers:
            item.followers = ()
            self._answer_followers(item, answer, followers)

    def answer_all(self, answer: Answer) -> None:
        """Answer everything that waits, as when the database cannot be reached."""
        items = [*self._again, *self._posts, *self._advances]
        self._again.clear()
        self._posts.clear()
        self._advances.clear()
        while items:
            for item in items:
                self.answer(item, answer)
            items = [*self._again, *self._posts]
            self._again.clear()
            self._posts.clear()

    def _enter(self, item: Pending, queue: deque[Pending]) -> None:
        command = item.command
        if isinstance(command, Command):
            first = self._by_key.setdefault(command.source_key, item)
            if first is not item:
                first.follow(item)
                return
        queue.append(item)

    def _answer_followers(self, item: Pending, answer: Answer, followers: Sequence[Pending]) -> None:
        left: deque[Pending] = deque()
        for follower in followers:
            same_answer = _for_follower(item, answer, follower)
            if same_answer is not None:
                self.answer(follower, same_answer)
            elif _holds_key(self._by_key, follower):
                left.append(follower)  # it followed for its reference: the key is its own already
            else:
                self._enter(follower, left)
        self.again(left)


def _for_follower(item: Pending, answer: Answer, follower: Pending) -> Answer | None:
    """What a follower is answered, where the outcome of the first says it; None: it must be decided itself."""
    first, second = item.command, follower.command
    if not isinstance(first, Command) or not isinstance(second, Command):
        return None
    if isinstance(answer.error, DatabaseUnavailable):
        return answer
    same_key = first.source_key == second.source_key
    if not _same_content(first, second) or (same_key and first.time != second.time):
        return None
    if answer.receipt is not None:
        return Answer({**answer.receipt, "status": "replayed"}, None, replayed=True)
    if same_key and isinstance(answer.error, Refused):
        return Answer(None, answer.error, replayed=not answer.error.retryable)
    return None


def _same_content(first: Command, second: Command) -> bool:
    return (first.type, first.subject) == (second.type, second.subject) and same(first.data, second.data)


def _number(item: Pending) -> int:
    return item.number


def _holds_key(by_key: dict[UUID, Pending], item: Pending) -> bool:
    return isinstance(item.command, Command) and by_key.get(item.command.source_key) is item
