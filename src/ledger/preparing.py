"""Filling a batch: reads what the decisions need, once for all of them, and decides in order of arrival."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from ledger import known
from ledger.answers import Answer
from ledger.batch import Batch, business_key
from ledger.deciding import Command, Context, NeedsCounterpart, NeedsHistory
from ledger.errors import InvariantBroken, StreamUnreadable
from ledger.heads import HeadCache, ProgramHead, decoded_records, read_heads, read_program, stream_ids, unreadable
from ledger.records import Record
from ledger.store import Connection, read_streams
from ledger.waiting import Beside, Pending

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
        self._stream_of = stream_ids(program_stream)
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
                if streams and item.touches(streams):
                    late.append(item)
                    streams.update(item.streams)
                    continue
                try:
                    batch.decide(item, context)
                except NeedsHistory:
                    late.append(item)
                    streams.add(item.stream_id)
                except NeedsCounterpart as needed:
                    if not await self._decide_beside(conn, batch, item, context, needed.customer, streams):
                        late.append(item)
                        streams.update(item.streams)
            batch.draw_up()
            await asyncio.sleep(0)
        deferred = await self._decide_late(conn, batch, late, context) if late else []
        batch.draw_up()
        refused = [item for item in items if item.refusal is not None]
        if refused:
            await self._spare_the_known(conn, batch, refused, context)
            await known.end_vain_waits(conn, self._log_id, refused)
        return deferred

    async def _decide_beside(
        self,
        conn: Connection,
        batch: Batch,
        item: Pending,
        context: Context,
        customer: str,
        waited_for: set[UUID],
    ) -> bool:
        """Decide a command that concerns another customer too; false where it must wait for histories, its own or others'."""
        await self._put_beside(conn, batch, item, customer)
        if item.touches(waited_for):
            return False
        try:
            batch.decide(item, context)
        except NeedsHistory:
            return False
        return True

    async def _put_beside(self, conn: Connection, batch: Batch, item: Pending, customer: str) -> None:
        """Have the head of the other stream of a command at hand."""
        item.beside = Beside(customer, self._stream_of(customer))
        await self._load(conn, batch, [item])

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
            if item.beside is not None and item.beside.stream_id not in batch.bases:
                self._want(batch, item.beside.stream_id, item.beside.customer, missing)
            if stream_id in batch.bases or item.for_program:
                continue
            command = item.command
            # A precondition is about the log as it is now, not as it is remembered.
            anew = isinstance(command, Command) and command.expected_version is not None
            self._want(batch, stream_id, command.subject, missing, anew=anew)
        if missing:
            batch.bases.update(await read_heads(conn, self._log_id, missing))

    def _want(
        self, batch: Batch, stream_id: UUID, customer: str, missing: dict[UUID, str], *, anew: bool = False
    ) -> None:
        """Take a head that is in flight or remembered, or note that it is to be read."""
        head = None if batch.below is None else batch.below.heads.get(stream_id)
        if head is None and not anew:
            head = self.cache.get(stream_id)
        if head is None:
            missing[stream_id] = customer
        else:
            batch.bases[stream_id] = head

    async def _decide_late(
        self, conn: Connection, batch: Batch, items: list[Pending], context: Context
    ) -> list[Pending]:
        """Decide what needs its stream's records, reading them once for all."""
        chosen = _within_bounds(batch, items)
        histories: dict[UUID, list[Record]] = {}
        await self._read_histories(conn, batch, chosen, histories)
        deferred: list[Pending] = []
        waited_for: set[UUID] = set()
        for item in items:
            ready = chosen.issuperset(item.streams) and not item.touches(waited_for)
            if not (ready and await self._decide_with_history(conn, batch, item, context, histories, waited_for)):
                deferred.append(item)
                waited_for.update(item.streams)
        return deferred

    async def _decide_with_history(
        self,
        conn: Connection,
        batch: Batch,
        item: Pending,
        context: Context,
        histories: dict[UUID, list[Record]],
        waited_for: set[UUID],
    ) -> bool:
        """Decide with the streams' records; false where it turns out to concern a customer whose turn has not come."""
        beside = None if item.beside is None else histories.setdefault(item.beside.stream_id, [])
        try:
            batch.decide(item, replace(context, history=histories.setdefault(item.stream_id, [])), beside)
        except NeedsCounterpart as needed:
            await self._put_beside(conn, batch, item, needed.customer)
            if item.touches(waited_for):
                return False
            await self._read_histories(conn, batch, set(item.streams) - histories.keys(), histories)
            return await self._decide_with_history(conn, batch, item, context, histories, waited_for)
        if item.refusal is None:
            for stream_id in item.streams:
                histories[stream_id].extend(item.records_on(stream_id))
        return True

    async def _read_histories(
        self, conn: Connection, batch: Batch, stream_ids: set[UUID], histories: dict[UUID, list[Record]]
    ) -> None:
        stored = await read_streams(conn, self._log_id, stream_ids)
        for stream_id in stream_ids:
            try:
                written = await decoded_records(stored.get(stream_id, []))
                histories[stream_id] = _joined(written, batch, stream_id)
            except StreamUnreadable as error:
                batch.bases[stream_id].error = unreadable(error)


def _within_bounds(batch: Batch, items: Iterable[Pending]) -> set[UUID]:
    """Streams whose histories fit into one batch; the first one always does."""
    chosen: set[UUID] = set()
    room = HISTORY_RECORDS_MAX
    for stream_id in dict.fromkeys(stream_id for item in items for stream_id in item.streams):
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
