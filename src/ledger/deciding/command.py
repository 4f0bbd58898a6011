"""What a decision is given, and what it gives back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from ledger.account import Account
from ledger.errors import FormError
from ledger.instants import MINUTE, show
from ledger.parts.family import DUE
from ledger.program import ProgramState
from ledger.records import Posting, Record, source_key

AHEAD_MAX_MINUTES = 5


@dataclass(slots=True)
class Command:
    """An event as posted, its data validated. `time` in microseconds.

    Attributes:
        expected_version: the stream's version the sender insists on, or None.
        may_backdate: whether the sender's key has the scope for events older than `backdate_days`.
        cause: source and id of the record that a policy answers with this; None for what a sender posts.
    """

    source: str
    id: str
    type: str
    subject: str
    time: int
    data: dict[str, Any]
    actor: str
    expected_version: int | None = None
    may_backdate: bool = True
    cause: dict[str, str] | None = None
    source_key: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.source_key = source_key(self.source, self.id)


@dataclass(slots=True)
class Context:
    """What a decision may know besides the account.

    Attributes:
        program: name of the program.
        now: the writer's clock, microseconds; no decision asks a clock of its own.
        state: the program's own state: rules and places.
        history: all records of the customer's stream in order of version, or None where they were not read.
        counterpart: the other customer of an event that concerns two, where it was read.
        used_up: counters that have no room for what this command was to add, and how much they have: decide with no more.
    """

    program: str
    now: int
    state: ProgramState
    history: list[Record] | None = None
    used_up: Mapping[str, int] = field(default_factory=dict)
    counterpart: "Counterpart | None" = None


@dataclass(slots=True)
class Counterpart:
    """The other customer of an event that concerns two: the head of its stream, and its records where they were read."""

    customer: str
    account: Account
    history: list[Record] | None = None


class Beside(NamedTuple):
    """What is to stand in one record that follows; `counters` as in `Unit`."""

    postings: list[Posting]
    notes: list[dict[str, Any]]
    counters: list[tuple[str, int, int | None]]


@dataclass(slots=True)
class Decision:
    """The records of a unit in order, and the account after them.

    `recorded_at`, `prev` and `unit` are stamped by the writer, just before sending.

    Attributes:
        own: which record is the event's own; after it comes only what follows from it at once.
        counters: what the unit adds to sums across customers: name, amount, and the limit that must hold (None = any).
        counterpart: the other customer's account after the unit, where it has records on both streams.
        may_go_without: counters among these that stop nothing: decided again where they have no room (`Context.used_up`).
    """

    records: list[Record]
    account: Account
    own: int = -1
    counters: Sequence[tuple[str, int, int | None]] = ()
    counterpart: Account | None = None
    may_go_without: Collection[str] = ()

    @property
    def state(self) -> Account:
        """The account, under the name every decision has for what it leaves."""
        return self.account

    def joined(self, half: "Decision") -> "Decision":
        """This unit and the other customer's half of it as one.

        What fell due on the other stream comes first, its half of the event after the event's own record: so the last record
        that does not follow from another is the event's own, as in every unit.
        """
        fell_due = half.own % len(half.records)
        after = half.records[fell_due:]
        records = [*half.records[:fell_due], *self.records, *after]
        counters = [*self.counters, *half.counters]
        without = [*self.may_go_without, *half.may_go_without]
        return Decision(records, self.account, self.own - len(after), counters, half.account, without)


def told_after(context: Context, instant: int) -> bool:
    """Whether a sender told of something later than an instant before; what only the clock wrote does not count.

    Raises:
        NeedsHistory: the stream's records were not read.
    """
    if context.history is None:
        raise NeedsHistory
    return any(
        record.instant > instant or any(posting.at is not None and posting.at > instant for posting in record.postings)
        for record in context.history
        if record.source != DUE
    )


class NeedsHistory(Exception):
    """The decision needs the records of the streams it concerns; decide again with the `history` of each."""


class NeedsCounterpart(Exception):
    """The decision concerns another customer too; decide again with `Context.counterpart`."""

    def __init__(self, customer: str) -> None:
        self.customer = customer
        super().__init__(customer)


def instant_of(command: Command, context: Context) -> int:
    """When an event takes effect: its `time`, or the ledger's now where it is dated a little ahead.

    Raises:
        FormError: `time_in_future`.
    """
    if command.time > context.now + AHEAD_MAX_MINUTES * MINUTE:
        raise FormError(
            f"The event is dated more than {AHEAD_MAX_MINUTES} minutes ahead of the ledger's clock.",
            code="time_in_future",
            errors=[{"pointer": "/time", "reason": f"the ledger's clock shows {show(context.now)}"}],
        )
    return min(command.time, context.now)
