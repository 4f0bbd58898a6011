"""Filling a batch: reads what the decisions need, once for all of them, and decides in order of arrival."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from ledger import known
from ledger.answers import Answer
from ledger.batch import Batch, business_key
from ledger.deciding import Context, NeedsHistory
from ledger.errors import InvariantBroken, StreamUnreadable
from ledger.heads import Head, HeadCache, ProgramHead, decoded_records, read_heads, read_program, unreadable
from ledger.records import Record
from ledger.store import Connection, read_streams
from ledger.waiting import Advance, Pending

DECIDED_AT_ONCE = 64
"""Decisions taken before others have their turn; the append in flight is still being written to its socket."""

HISTORY_RECORDS_MAX = 50_000
"""Records decoded for one batch; what needs more waits for the next one."""


class Preparer:
    """Decides the commands of one log.

    Attributes:
        program: the program's own head, as far as it is in the log.
        cache: heads used last; worth keeping while nobody else appends.
        look_first: many of the last commands were in the log already, so keys are looked up before deciding.
    """

    def __init__(
        self,
        log_id: int,
        name: str,
        program_stream: UUID,
        cache: HeadCache,
        *,
        answer: Callable[[Pending, Answer], None],
    ) -> None:
        self._log_id = log_id
        self._name = name
        self._program_stream = program_stream
        self.program: ProgramHead | None = None
        self.cache = cache
        self._answer = answer
        self.look_first = False

    async def read_program(self, conn: Connection) -> bool:
        """Fold what was written to the program's own stream; whether there was anything.

        Raises:
            StreamUnreadable
        """
        before = self.program
        self.program = await read_program(conn, self._log_id, self._program_stream, before)
        return self.program is not before

    def new_batch(self, below: Batch | None) -> Batch:
        """An empty batch on top of the one in flight."""
        program = self.program if below is None else below.program_after
        if program is None:
            raise InvariantBroken("the program's own stream is read before anything is decided")
        return Batch(self._program_stream, program, below)

    async def answer_known(self, conn: Connection, items: Sequence[Pending]) -> None:
        """Answer what is in the log under its own key, while that is worth asking."""
        if not self.look_first:
            return
        found = await known.find_by_key(conn, self._log_id, items)
        self.look_first = len(found) * 20 >= len(items)
        for item in items:
            item.looked_up = True
        for item, answer in found:
            self._answer(item, answer)

    async def decide(self, conn: Connection, batch: Batch, items: Sequence[Pending], now: int) -> list[Pending]:
        """Decide commands in order, on top of the batch.

        Returns:
            What is to wait for the next batch, since its histories are too long for this one.

        Raises:
            DatabaseUnavailable: nothing of it was decided.
        """
        await self._load(conn, batch, items)
        context = Context(self._name, now, batch.program.state)
        late: list[Pending] = []
        streams: set[UUID] = set()
        for start in range(0, len(items), DECIDED_AT_ONCE):
            for item in items[start : start + DECIDED_AT_ONCE]:
                if streams and item.stream_id in streams:
                    late.append(item)
                    continue
                try:
                    batch.decide(item, context)
                except NeedsHistory:
                    late.append(item)
                    streams.add(item.stream_id)
            batch.draw_up()
            await asyncio.sleep(0)
        deferred = await self._decide_late(conn, batch, late, context) if late else []
        batch.draw_up()
        refused = [item for item in items if item.refusal is not None]
        if refused:
            await self._spare_the_known(conn, batch, refused, context)
            await known.end_vain_waits(conn, self._log_id, refused)
        return deferred

    async def _spare_the_known(
        self, conn: Connection, batch: Batch, items: Sequence[Pending], context: Context
    ) -> None:
        """A refused event whose business key is in the log is another sender's copy: it is answered, not refused.

        Should the other sender's be written after this look, the stream's head has moved and the refusal is stale.
        """
        named = {item: key for item in items if (key := business_key(item, context)) is not None}
        found = await known.find_by_reference(conn, self._log_id, named)
        if found:
            batch.remove({id(item) for item, _ in found})
        for item, answer in found:
            self._answer(item, answer)

    async def _load(self, conn: Connection, batch: Batch, items: Iterable[Pending]) -> None:
        """Have the head of every stream the commands touch: in flight, remembered, or read now."""
        missing: dict[UUID, str] = {}
        for item in items:
            stream_id = item.stream_id
            if stream_id in batch.bases or item.for_program:
                continue
            head = self._at_hand(batch, item)
            if head is None:
                missing[stream_id] = item.command.subject
            else:
                batch.bases[stream_id] = head
        if missing:
            batch.bases.update(await read_heads(conn, self._log_id, missing))

    def _at_hand(self, batch: Batch, item: Pending) -> Head | None:
        if batch.below is not None:
            head = batch.below.heads.get(item.stream_id)
            if head is not None:
                return head
        command = item.command
        if isinstance(command, Advance) or command.expected_version is None:
            return self.cache.get(item.stream_id)
        return None  # a precondition is about the log as it is now, not as it is remembered

    async def _decide_late(
        self, conn: Connection, batch: Batch, items: list[Pending], context: Context
    ) -> list[Pending]:
        """Decide what needs its stream's records, reading them once for all."""
        chosen = _within_bounds(batch, items)
        stored = await read_streams(conn, self._log_id, chosen)
        histories: dict[UUID, list[Record]] = {}
        for stream_id in chosen:
            try:
                written = await decoded_records(stored.get(stream_id, []))
                histories[stream_id] = _joined(written, batch, stream_id)
            except StreamUnreadable as error:
                batch.bases[stream_id].error = unreadable(error)
        for item in items:
            if item.stream_id in chosen:
                self._decide_with_history(batch, item, context, histories.get(item.stream_id, []))
        return [item for item in items if item.stream_id not in chosen]

    def _decide_with_history(self, batch: Batch, item: Pending, context: Context, history: list[Record]) -> None:
        batch.decide(item, replace(context, history=history))
        if item.refusal is None:
            history.extend(item.records)


def _within_bounds(batch: Batch, items: Iterable[Pending]) -> set[UUID]:
    """Streams whose histories fit into one batch; the first one always does."""
    chosen: set[UUID] = set()
    room = HISTORY_RECORDS_MAX
    for stream_id in dict.fromkeys(item.stream_id for item in items):
        room -= batch.head_of(stream_id).version
        if room < 0 and chosen:
            break
        chosen.add(stream_id)
    return chosen


def _joined(written: list[Record], batch: Batch, stream_id: UUID) -> list[Record]:
    """A stream's records up to the head that is decided on: those in the log, then those in flight.

    What is in flight may have been written meanwhile, and so may records of others, which make the head out of date.
    """
    in_flight = batch.records_of(stream_id)
    first = in_flight[0].version if in_flight else batch.head_of(stream_id).version + 1
    return [record for record in written if record.version < first] + in_flight
