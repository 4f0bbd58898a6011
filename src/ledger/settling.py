"""What became of a batch: receipts for what was appended, the rest answered from the log or put back to be decided again."""

import asyncio
from collections.abc import Iterable, Sequence
from uuid import UUID

import structlog

from ledger import known, store
from ledger.answers import Answer, Unwritable, others_of, receipt
from ledger.batch import Batch, kind_of
from ledger.deciding import Command
from ledger.errors import DatabaseUnavailable, FormError, LedgerError, LimitReached
from ledger.leasing import Lease, lent
from ledger.preparing import Preparer
from ledger.rules.earning import BUDGET
from ledger.store import Appended, Exists, Pool
from ledger.waiting import Pending, Waiting

STALE_MAX = 10
"""So often stale, also under the log's lock: something is wrong with this command."""

SETTLE_SECONDS_MAX = 5.0
"""How long an unknown outcome is asked after; then its senders are told to send again."""

_PAUSE_SECONDS = 0.1
_ASK_SECONDS_MAX = 15.0

log = structlog.get_logger("writer")


class Settler:
    """Answers the commands of one writer, or puts them back."""

    def __init__(self, pool: Pool, log_id: int, waiting: Waiting, preparer: Preparer) -> None:
        self._pool = pool
        self._log_id = log_id
        self._waiting = waiting
        self._preparer = preparer
        self._recorded: list[tuple[Pending, int]] = []
        self._lookups: set[asyncio.Task[None]] = set()

    async def settle(self, batch: Batch, outcomes: Sequence[store.Outcome | LedgerError], reading: Lease) -> set[UUID]:
        """Sort a batch's units by what became of them.

        Receipts are made by `answer_recorded`, which is called when the next batch is on its way.

        Returns:
            The streams on which something does not hold; what was decided on top of them is to be decided again.
        """
        failed: set[UUID] = set()
        existing: list[Pending] = []
        stale: list[Pending] = []
        for item, outcome in zip(batch.items, outcomes, strict=True):
            if isinstance(outcome, Appended):
                self._recorded.append((item, outcome.position or 0))
                continue
            failed.update(item.streams)
            if isinstance(outcome, Exists):
                existing.append(item)
            elif isinstance(outcome, LedgerError):
                self._waiting.answer(item, Answer(None, outcome))
            else:
                _note_limit(item, outcome)
                stale.append(item)
        self._preparer.look_first = self._preparer.look_first or len(existing) * 10 > len(batch.items)
        if stale:
            self._preparer.cache.clear()  # somebody else appends
        self._remember(batch, failed)
        self._look_up(existing)
        if stale:
            await self._decide_again(batch, stale, reading)
        self._settle_unwritten(batch, failed)
        return failed

    def settle_unwritten(self, batch: Batch) -> None:
        """Answer what needs no unit, where the batch has nothing else."""
        self._settle_unwritten(batch, set())

    def answer_recorded(self) -> None:
        """Hand out the receipts, and the refusals, of what is in the log."""
        recorded, self._recorded = self._recorded, []
        for item, position in recorded:
            self._waiting.answer(item, _answer(item, position))

    def fail(self, items: Iterable[Pending], error: LedgerError) -> None:
        """Answer those commands with an error that are being worked on."""
        for item in items:
            if item.stage == "at_hand":
                self._waiting.answer(item, Answer(None, error))

    def again(self, items: Iterable[Pending]) -> None:
        """Put commands back to be decided again, each in its place by arrival."""
        self._waiting.again(items)

    async def settle_unknown(self, batch: Batch) -> None:
        """Find out what became of a batch whose append was not answered.

        What is in the log is answered, the rest is decided again; where the database stays away, nothing is known and
        the senders are told to send again: their keys make that safe.
        """
        self._preparer.cache.clear()
        try:
            found = await self._found_in_time(batch)
        except DatabaseUnavailable as error:
            self.fail([*batch.items, *batch.unwritten], error)
            self._waiting.answer_all(Answer(None, error))
            return
        log.info("unknown_outcome_settled", units=len(batch.items), appended=len(found))
        self._look_up([item for item in batch.items if found.get(id(item)) == 0])
        self._recorded += [(item, found[id(item)]) for item in batch.items if found.get(id(item))]
        self.again([*(item for item in batch.items if id(item) not in found), *batch.unwritten])

    async def close(self) -> None:
        """Wait for what is being looked up."""
        if self._lookups:
            await asyncio.gather(*self._lookups)

    async def _found_in_time(self, batch: Batch) -> dict[int, int]:
        """`_found`, asked again while the database is away, for a while."""
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS_MAX
        while True:
            try:
                async with asyncio.timeout(_ASK_SECONDS_MAX):
                    return await self._found(batch)
            except (DatabaseUnavailable, TimeoutError) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise DatabaseUnavailable(reason="the outcome of an append could not be asked for") from error
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _found(self, batch: Batch) -> dict[int, int]:
        """By identity of the item: position of the unit's first record if it is ours, 0 if the key is another's."""
        keys = {item.unit.source_key: item for item in batch.items if item.unit is not None}
        settled = await store.settle_unknown(self._pool, self._log_id, keys)
        async with lent(self._pool) as conn:
            stored = await store.by_source_key(conn, self._log_id, settled)
            await self._preparer.read_program(conn)
        found: dict[int, int] = {}
        for key in settled:
            item = keys[key]
            found[id(item)] = 0
            if key in stored and item.unit is not None and item.unit.records:
                own = item.own % len(item.records)
                ours = stored[key].record == item.unit.records[own].record
                found[id(item)] = stored[key].position - own if ours else 0
        return found

    def _remember(self, batch: Batch, failed: set[UUID]) -> None:
        cache = self._preparer.cache
        for stream_id in failed:
            cache.drop(stream_id)
        for stream_id, head in batch.heads.items():
            if stream_id not in failed:
                cache.put(stream_id, head)
        if batch.program_after is not batch.program and batch.program_stream not in failed:
            self._preparer.program = batch.program_after

    async def _decide_again(self, batch: Batch, stale: list[Pending], reading: Lease) -> None:
        """Put back what was out of date. Where nothing held, it may be the program's own head that moved."""
        if len(stale) == len(batch.items):
            await self._preparer.read_program(await reading.get())
        hopeless = [item for item in stale if item.staleness > STALE_MAX]
        for item in hopeless:
            log.error("unit_stale_for_ever", type=kind_of(item))
        self.fail(hopeless, Unwritable())
        self.again(item for item in stale if item.staleness <= STALE_MAX)

    def _settle_unwritten(self, batch: Batch, failed: set[UUID]) -> None:
        certain = [item for item in batch.unwritten if not item.touches(failed)]
        self.again(item for item in batch.unwritten if item.touches(failed))
        unsure = [item for item in certain if _may_be_known(item)]
        for item in certain:
            if not _may_be_known(item):
                self._waiting.answer(item, Answer(None, item.error))
        self._look_up(unsure)

    def _look_up(self, items: list[Pending]) -> None:
        """Answer commands from the log, beside the work on the next batches."""
        if items:
            task = asyncio.create_task(self._answer_known(items))
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)

    async def _answer_known(self, items: list[Pending]) -> None:
        """A replay is answered before a precondition or a right; what is not known gets its own error, or another try."""
        try:
            async with asyncio.timeout(_ASK_SECONDS_MAX), lent(self._pool) as conn:
                found = await known.find(conn, self._log_id, items)
        except (DatabaseUnavailable, TimeoutError) as error:
            self.fail(items, DatabaseUnavailable(reason=str(error)))
            return
        except Exception:
            log.exception("look_up_failed")
            self.fail(items, LedgerError())
            return
        for item, answer in found:
            self._waiting.answer(item, answer)
        answered = {id(item) for item, _ in found}
        for item in items:
            if id(item) in answered:
                continue
            if item.error is not None:
                self._waiting.answer(item, Answer(None, item.error))
            else:
                item.staleness += 1
                self.again([item])


def _answer(item: Pending, position: int) -> Answer:
    if item.refusal is not None:
        return Answer(None, item.refusal)
    if not item.shown or not isinstance(item.command, Command):
        return Answer()
    records = [(record.type, record.subject, record.version) for record in item.records]
    own = item.own % len(records)
    others = [] if item.beside is None else others_of(item.shown, item.shown[own]["subject"])
    return Answer(receipt("recorded", item.shown[own], records, own, position, others))


def _note_limit(item: Pending, outcome: store.Outcome) -> None:
    if isinstance(outcome, store.LimitReached):
        if outcome.name.startswith(BUDGET) or outcome.name in item.may_go_without:
            item.used_up = {**item.used_up, outcome.name: max(0, outcome.limit - outcome.used)}
        else:
            item.limit = LimitReached(counter=outcome.name, used=outcome.used, limit=outcome.limit)
    else:
        item.staleness += 1


def _may_be_known(item: Pending) -> bool:
    """Whether an error gives way to a replay: the form is checked before the key, everything else after it."""
    return (
        item.error is not None
        and not item.looked_up
        and not isinstance(item.error, FormError)
        and isinstance(item.command, Command)
    )
