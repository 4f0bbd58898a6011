"""A batch: commands decided one on top of the other, serialised just before they are sent, and handed to the append.

A batch is decided on the heads of the log and of the batch below it, which is being appended meanwhile. What was decided
on a stream whose unit below did not hold is withdrawn before the batch is sent.
"""

from collections.abc import Sequence
from uuid import UUID

import orjson
import structlog

from ledger import account as accounts
from ledger.account import STATE_SCHEMA, Account
from ledger.answers import Unwritable, fingerprint, kept_event, kept_problem
from ledger.deciding import Command, Context, NeedsHistory, advance, decide, decide_program
from ledger.errors import InvariantBroken, LedgerError, RecordTooLarge, Refused, VersionConflict
from ledger.heads import Head, ProgramHead, size_of, unreadable
from ledger.instants import SECOND, to_datetime
from ledger.program import ProgramState
from ledger.records import RECORD_BYTES_MAX, Record, leaf_hash, reference_key, source_key
from ledger.references import reference_of
from ledger.store import HeadRead, HeadToWrite, RecordToAppend, RefusalToKeep, UnitToAppend
from ledger.waiting import Pending

log = structlog.get_logger("writer")

FRACTION_BYTES = len(".000000")
"""What a stamp with a fraction is longer: a record that fits must still fit when it is stamped again."""


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

    def decide(self, item: Pending, context: Context) -> None:
        """Decide a command on top of what is in flight.

        Raises:
            NeedsHistory: decide again with the stream's records; nothing has changed.
        """
        head = self.program_after if item.for_program else self.head_of(item.stream_id)
        item.base = head.version
        try:
            _check(item, head)
            self._accept(item, *_decided(item, head, context))
        except Refused as refusal:
            if self._follows(item, context):
                return
            item.refusal = refusal
            self.items.append(item)
        except LedgerError as error:
            self.fail(item, error)
        except NeedsHistory:
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
        return below + [record for item in self.items if item.stream_id == stream_id for record in item.records]

    def remove(self, gone: set[int]) -> None:
        """Leave out units that write nothing (by identity), since they were answered otherwise."""
        self.items = [item for item in self.items if id(item) not in gone]

    def withdraw(self, stream_ids: set[UUID] | None) -> list[Pending]:
        """Take out what was decided on these streams, or everything (None); they are to be decided again."""
        withdrawn = [
            item for item in (*self.items, *self.unwritten) if stream_ids is None or item.stream_id in stream_ids
        ]
        if withdrawn:
            gone = set(map(id, withdrawn))
            self.items = [item for item in self.items if id(item) not in gone]
            self.unwritten = [item for item in self.unwritten if id(item) not in gone]
            self._by_reference = {text: item for text, item in self._by_reference.items() if id(item) not in gone}
            for stream_id in {item.stream_id for item in withdrawn}:
                self.heads.pop(stream_id, None)
                self.bases.pop(stream_id, None)
                if stream_id == self.program_stream:
                    self.program_after = self.program
        return withdrawn

    def serialise(self, recorded_at: int) -> list[Pending]:
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
                chain[stream_id] = _serialise(item, recorded_at, prev)
            except RecordTooLarge as error:
                item.error = error
                broken.add(stream_id)
        again = self._without_too_large(broken) if broken else []
        for stream_id, head in self.heads.items():
            head.hash = chain[stream_id]
        if self.program_after is not self.program:
            self.program_after.hash = chain[self.program_stream]
        return again

    def heads_to_write(self, items: Sequence[Pending]) -> list[HeadToWrite]:
        """The heads that some of its units leave behind, each as its last unit leaves it."""
        last = {item.stream_id: place for place, item in enumerate(items) if item.records}
        return [self._head_to_write(items[place], place) for place in last.values()]

    def holder_of(self, reference: str) -> Pending | None:
        """The command in flight that brings this business key."""
        first = self._by_reference.get(reference)
        return self.below.holder_of(reference) if first is None and self.below is not None else first

    def _base_hash(self, stream_id: UUID) -> bytes | None:
        return self.program.hash if stream_id == self.program_stream else self.bases[stream_id].hash

    def _without_too_large(self, broken: set[UUID]) -> list[Pending]:
        withdrawn = self.withdraw(broken)
        self.unwritten += [item for item in withdrawn if isinstance(item.error, RecordTooLarge)]
        return [item for item in withdrawn if not isinstance(item.error, RecordTooLarge)]

    def _accept(self, item: Pending, records: Sequence[Record], state: Account | ProgramState) -> None:
        """Take a decision into the batch, unless its business key is in flight: then it follows that one."""
        if not records:
            self.unwritten.append(item)
            return
        reference = records[-1].reference
        if reference is not None:
            first = self.holder_of(reference)
            if first is not None:
                first.follow(item)
                return
            self._by_reference[reference] = item
        item.records = records
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

    def _follows(self, item: Pending, context: Context) -> bool:
        """Whether a refused event's business key is in flight: then it follows that one instead."""
        reference = business_key(item, context)
        first = None if reference is None else self.holder_of(reference)
        if first is not None:
            first.follow(item)
        return first is not None

    def _head_to_write(self, item: Pending, place: int) -> HeadToWrite:
        record = item.records[-1]
        if item.hash is None:
            raise InvariantBroken("a unit is serialised before it is appended")
        state, due_at = b"null", None
        if not item.for_program:
            state, due_at = accounts.to_bytes(item.state), item.state.due_at()
            self.heads[item.stream_id].size = size_of(state)
        return HeadToWrite(
            item.stream_id,
            record.subject,
            record.version,
            item.hash,
            STATE_SCHEMA,
            state,
            None if due_at is None else to_datetime(due_at),
            place,
        )


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


def _decided(item: Pending, head: Head | ProgramHead, context: Context) -> tuple[list[Record], Account | ProgramState]:
    command = item.command
    if isinstance(head, ProgramHead):
        if not isinstance(command, Command):
            raise InvariantBroken("nothing falls due on a program's own stream")
        published = decide_program(head.state, command, context)
        return published.records, published.state
    if isinstance(command, Command):
        decision = decide(head.state, command, context)
    else:
        decision = advance(head.state, command.subject, command.until, context)
    return decision.records, decision.account


def _serialise(item: Pending, recorded_at: int, prev: bytes | None) -> bytes | None:
    """Make the item's unit; returns the hash of its stream's last record after it.

    Raises:
        RecordTooLarge
    """
    reads = [HeadRead(item.stream_id, item.base, prev)]
    command = item.command
    if item.refusal is not None and isinstance(command, Command):
        item.unit = UnitToAppend(reads, [], command.source_key, _kept(command, item.refusal))
        return prev
    records: list[RecordToAppend] = []
    size = len(item.records)
    spare = 0 if recorded_at % SECOND else FRACTION_BYTES
    for place, record in enumerate(item.records, start=1):
        record.recorded_at = recorded_at
        record.unit = (place, size)
        record.prev = None if prev is None else prev.hex()
        body = _bytes_of(record, item)
        if len(body) + spare > RECORD_BYTES_MAX:
            raise RecordTooLarge(bytes=len(body), bytes_max=RECORD_BYTES_MAX)
        prev = leaf_hash(body)
        records.append(_to_append(record, item, body))
    item.unit = UnitToAppend(reads, records, records[-1].source_key)
    item.hash = prev
    return prev


def _bytes_of(record: Record, item: Pending) -> bytes:
    """`Record.to_bytes`, with the parts that a receipt repeats serialised once."""
    shown = record.to_json()
    if shown["postings"]:
        shown["postings"] = orjson.Fragment(orjson.dumps(shown["postings"]))
    command = item.command
    if isinstance(command, Command) and record.data is command.data:
        shown["data"] = orjson.Fragment(item.data)
    item.shown = shown
    return orjson.dumps(shown)


def _to_append(record: Record, item: Pending, body: bytes) -> RecordToAppend:
    command = item.command
    own = isinstance(command, Command) and record is item.records[-1]
    return RecordToAppend(
        item.stream_id,
        record.version,
        command.source_key if own and isinstance(command, Command) else source_key(record.source, record.id),
        None if record.reference is None else reference_key(record.reference),
        record.type,
        to_datetime(record.time),
        body,
    )


def _kept(command: Command, refusal: Refused) -> RefusalToKeep:
    waits_for = refusal.waits_for if refusal.retryable else None
    return RefusalToKeep(
        source_key=command.source_key,
        fingerprint=fingerprint(command),
        code=refusal.code,
        status="final" if waits_for is None else "waiting",
        waits_for=None if waits_for is None else reference_key(waits_for),
        customer_id=command.subject,
        problem=kept_problem(refusal),
        event=kept_event(command),
    )
