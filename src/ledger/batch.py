"""A batch: commands decided one on top of the other, serialised just before they are sent, and handed to the append.

A batch is decided on the heads of the log and of the batch below it, which is being appended meanwhile. What was decided
on a stream whose unit below did not hold is withdrawn before the batch is sent.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import structlog

from ledger.account import Account
from ledger.answers import Unwritable
from ledger.deciding import (
    Command,
    Context,
    Counterpart,
    Decision,
    NeedsCounterpart,
    NeedsHistory,
    ProgramDecision,
    advance,
    decide,
    decide_program,
)
from ledger.drawing import draw_up, draw_up_head, stamp
from ledger.errors import InvariantBroken, LedgerError, RecordTooLarge, Refused, VersionConflict
from ledger.heads import Head, ProgramHead, size_of, unreadable
from ledger.program import ProgramState
from ledger.records import Record
from ledger.references import reference_of
from ledger.store import HeadRead, HeadToWrite
from ledger.waiting import Beside, Pending

log = structlog.get_logger("writer")


class Batch:
    """Commands on their way into the log together.

    Attributes:
        items: what was decided, in order: each is a unit.
        unwritten: what needs no unit: an error, or nothing due. Answered once the batch is in the log, since the heads
            it was decided on are certain only then.
        heads: streams as the batch leaves them. bases: streams as the batch found them.
        program: the program's own head that every decision read. program_after: as the batch leaves it.
    """

    def __init__(self, program_stream: UUID, program: ProgramHead, below: "Batch | None") -> None:
        self.items: list[Pending] = []
        self.unwritten: list[Pending] = []
        self.bytes = 0
        self.recorded_at = 0
        self.heads: dict[UUID, Head] = {}
        self.bases: dict[UUID, Head] = {}
        self.program = program
        self.program_after = program
        self.program_stream = program_stream
        self.below = below
        self._by_reference: dict[str, Pending] = {}
        self._drawn = 0

    @property
    def count(self) -> int:
        """Commands in it."""
        return len(self.items) + len(self.unwritten)

    @property
    def program_read(self) -> HeadRead:
        """The program's own head, for the append to compare."""
        return HeadRead(self.program_stream, self.program.version, self.program.hash)

    def head_of(self, stream_id: UUID) -> Head:
        """A stream's head as the next decision finds it."""
        return self.heads.get(stream_id) or self.bases[stream_id]

    def decide(self, item: Pending, context: Context, beside_history: list[Record] | None = None) -> None:
        """Decide a command on top of what is in flight.

        Args:
            beside_history: the records of its other stream, where they were read.

        Raises:
            NeedsHistory: decide again with the streams' records; nothing has changed.
            NeedsCounterpart: decide again with the other customer's stream `beside` it; nothing has changed.
        """
        head = self.program_after if item.for_program else self.head_of(item.stream_id)
        item.base = head.version
        try:
            _check(item, head)
            if item.beside is not None:
                context = self._with_counterpart(item.beside, context, beside_history)
            self._accept(item, _decided(item, head, context))
        except Refused as refusal:
            if self._follows(item, context):
                return
            item.refusal = refusal
            self.items.append(item)
        except LedgerError as error:
            self.fail(item, error)
        except (NeedsHistory, NeedsCounterpart):
            raise
        except Exception as error:  # the edge of one decision: the others of the batch go on
            log.exception("decision_failed", type=kind_of(item), version=head.version)
            self.fail(item, unreadable(error) if isinstance(error, InvariantBroken) else Unwritable())
        self.bytes += item.size

    def fail(self, item: Pending, error: LedgerError) -> None:
        """Answer a command with an error, once it is certain what it was decided on."""
        item.error = error
        self.unwritten.append(item)

    def records_of(self, stream_id: UUID) -> list[Record]:
        """Records of a stream in flight: those of the batch below, then this one's."""
        below = self.below.records_of(stream_id) if self.below is not None else []
        return below + [
            record
            for item in self.items
            if item.stream_id == stream_id or item.beside is not None
            for record in item.records_on(stream_id)
        ]

    def remove(self, gone: set[int]) -> None:
        """Leave out units (by identity); all of them are drawn up."""
        self.items = [item for item in self.items if id(item) not in gone]
        self._drawn = len(self.items)

    def withdraw(self, stream_ids: set[UUID] | None) -> list[Pending]:
        """Take out what was decided on these streams, or everything (None); they are to be decided again."""
        stream_ids = None if stream_ids is None else self._bound_to(stream_ids)
        withdrawn = [item for item in (*self.items, *self.unwritten) if stream_ids is None or item.touches(stream_ids)]
        if withdrawn:
            gone = set(map(id, withdrawn))
            self.remove(gone)
            self.unwritten = [item for item in self.unwritten if id(item) not in gone]
            self._by_reference = {text: item for text, item in self._by_reference.items() if id(item) not in gone}
            for stream_id in {stream_id for item in withdrawn for stream_id in item.streams}:
                self.heads.pop(stream_id, None)
                self.bases.pop(stream_id, None)
                if stream_id == self.program_stream:
                    self.program_after = self.program
        return withdrawn

    def draw_up(self) -> None:
        """Draw up what was decided since the last time, and the heads as they stand now; not yet what was refused."""
        fresh = [item for item in self.items[self._drawn :] if item.records]
        self._drawn = len(self.items)
        for item in fresh:
            draw_up(item)
        for item in fresh:
            head = self.heads.get(item.stream_id)
            if head is not None and head.state is item.state:
                item.head = draw_up_head(item)
                head.size = size_of(item.head.state)
            if item.beside is not None:
                self._draw_up_head_beside(item, item.beside)

    def stamp(self, recorded_at: int) -> list[Pending]:
        """Stamp, chain and serialise every unit.

        Args:
            recorded_at: microseconds; not before the log's last stamp.

        Returns:
            What has to be decided again, because a record on its stream came out too large. That one is an error now.
        """
        self.recorded_at = recorded_at
        chain: dict[UUID, bytes | None] = {}
        broken: set[UUID] = set()
        for item in self.items:
            stream_id = item.stream_id
            prev = chain[stream_id] if stream_id in chain else self._base_hash(stream_id)
            try:
                chain[stream_id] = stamp(item, recorded_at, prev)
                if item.beside is not None:
                    beside = item.beside.stream_id
                    prev = chain[beside] if beside in chain else self._base_hash(beside)
                    chain[beside] = stamp(item, recorded_at, prev, item.beside)
            except RecordTooLarge as error:
                item.error = error
                broken.update(item.streams)
        again = self._without_too_large(broken) if broken else []
        for stream_id, head in self.heads.items():
            head.hash = chain[stream_id]
        if self.program_after is not self.program:
            self.program_after.hash = chain[self.program_stream]
        return again

    def heads_to_write(self, items: Sequence[Pending]) -> list[HeadToWrite]:
        """The heads that some of its units leave behind, each as its last unit leaves it."""
        last: dict[UUID, int] = {}
        for place, item in enumerate(items):
            if item.records:
                last[item.stream_id] = place
                if item.beside is not None and item.beside.state is not None:
                    last[item.beside.stream_id] = place
        heads = []
        for stream_id, place in last.items():
            item = items[place]
            if item.beside is not None and item.beside.stream_id == stream_id:
                head = item.beside.head or draw_up_head(item, item.beside)
                head.head_hash, head.unit = item.beside.hash or b"", place
            else:
                head = item.head or draw_up_head(item)
                head.head_hash, head.unit = item.hash or b"", place
            heads.append(head)
        return heads

    def holder_of(self, reference: str) -> Pending | None:
        """The command in flight that brings this business key."""
        first = self._by_reference.get(reference)
        return self.below.holder_of(reference) if first is None and self.below is not None else first

    def _with_counterpart(self, beside: Beside, context: Context, history: list[Record] | None) -> Context:
        head = self.head_of(beside.stream_id)
        if head.error is not None:
            raise head.error
        beside.base = head.version
        return replace(context, counterpart=Counterpart(beside.customer, head.state, history))

    def _draw_up_head_beside(self, item: Pending, beside: Beside) -> None:
        head = self.heads.get(beside.stream_id)
        if head is not None and head.state is beside.state:
            beside.head = draw_up_head(item, beside)
            head.size = size_of(beside.head.state)

    def _bound_to(self, stream_ids: set[UUID]) -> set[UUID]:
        """These streams, and those that a unit on two streams ties to one of them."""
        tied = [item.streams for item in (*self.items, *self.unwritten) if item.beside is not None]
        bound = set(stream_ids)
        while more := {other for streams in tied if not bound.isdisjoint(streams) for other in streams} - bound:
            bound |= more
        return bound

    def _base_hash(self, stream_id: UUID) -> bytes | None:
        return self.program.hash if stream_id == self.program_stream else self.bases[stream_id].hash

    def _without_too_large(self, broken: set[UUID]) -> list[Pending]:
        withdrawn = self.withdraw(broken)
        self.unwritten += [item for item in withdrawn if isinstance(item.error, RecordTooLarge)]
        return [item for item in withdrawn if not isinstance(item.error, RecordTooLarge)]

    def _accept(self, item: Pending, decision: Decision | ProgramDecision) -> None:
        """Take a decision into the batch, unless its business key is in flight: then it follows that one."""
        records, state = decision.records, decision.state
        if not records:
            self.unwritten.append(item)
            return
        reference = records[decision.own].reference
        if reference is not None:
            first = self.holder_of(reference)
            if first is not None:
                first.follow(item)
                return
            self._by_reference[reference] = item
        item.records = records
        item.own = decision.own
        item.counters = decision.counters
        item.may_go_without = decision.may_go_without
        item.state = state
        self.items.append(item)
        if isinstance(state, ProgramState):
            self.program_after = ProgramHead(state.version, None, state)
            return
        head = self.heads.get(item.stream_id)
        if head is None:
            base = self.bases[item.stream_id]
            self.heads[item.stream_id] = Head(base.customer, state.version, None, state, base.size)
        else:
            head.version, head.state = state.version, state
        if item.beside is not None and isinstance(decision, Decision) and decision.counterpart is not None:
            self._accept_beside(item.beside, decision.counterpart)

    def _accept_beside(self, beside: Beside, state: Account) -> None:
        """Leave the head of the other stream as the unit leaves it; whoever decides on it next must see a new one."""
        beside.state = state
        base = self.head_of(beside.stream_id)
        self.heads[beside.stream_id] = Head(base.customer, state.version, None, state, base.size)

    def _follows(self, item: Pending, context: Context) -> bool:
        """Whether a refused event's business key is in flight: then it follows that one instead."""
        reference = business_key(item, context)
        first = None if reference is None else self.holder_of(reference)
        if first is not None:
            first.follow(item)
        return first is not None


def business_key(item: Pending, context: Context) -> str | None:
    """The business key of a command, whether or not it was refused."""
    if not isinstance(item.command, Command) or context.state.rulebook is None:
        return None
    scope = context.state.rulebook.latest.document.program.order_scope
    return reference_of(item.command, context.program, scope)


def kind_of(item: Pending) -> str:
    """What a command is, for the log of the service; nothing personal."""
    return item.command.type if isinstance(item.command, Command) else "advance"


def _check(item: Pending, head: Head | ProgramHead) -> None:
    if isinstance(head, Head) and head.error is not None:
        raise head.error
    if item.limit is not None:
        raise item.limit
    command = item.command
    if isinstance(command, Command) and command.expected_version not in (None, head.version):
        raise VersionConflict(expected=command.expected_version, actual=head.version)


def _decided(item: Pending, head: Head | ProgramHead, context: Context) -> Decision | ProgramDecision:
    command = item.command
    if item.used_up:
        context = replace(context, used_up=item.used_up)
    if isinstance(head, ProgramHead):
        if not isinstance(command, Command):
            raise InvariantBroken("nothing falls due on a program's own stream")
        return decide_program(head.state, command, context)
    if isinstance(command, Command):
        return decide(head.state, command, context)
    return advance(head.state, command.subject, command.until, context)
