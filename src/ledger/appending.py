"""Sending a batch: stamped, appended, stamped again where the log is ahead, halved where its data cannot be stored."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from ledger import store
from ledger.answers import Unwritable
from ledger.batch import Batch, kind_of
from ledger.errors import InvariantBroken, LedgerError
from ledger.instants import from_datetime, to_datetime
from ledger.leasing import Lease
from ledger.store import AppendResult, BatchUnwritable, Connection, OutcomeUnknown, UnitToAppend
from ledger.waiting import Pending

APPEND_SECONDS_MAX = 30.0

log = structlog.get_logger("writer")


class Appender:
    """Appends batches to one log.

    Attributes:
        stamp: the log's last `recorded_at` seen, in microseconds; ours are never earlier.
        next_position: where the log goes on if nobody else has appended since; 0 where that is not known.
        alone: nobody else has appended between our last two batches.
    """

    def __init__(self, lease: Lease, log_id: int, *, clock: Callable[[], int], wake: Callable[[], None]) -> None:
        self._lease = lease
        self._log_id = log_id
        self._clock = clock
        self._wake = wake
        self.stamp = 0
        self.next_position = 0
        self.alone = False

    def now(self) -> int:
        """The writer's clock: never before the log's last stamp."""
        return max(self._clock(), self.stamp)

    async def append(self, batch: Batch) -> list[store.Outcome | LedgerError]:
        """Append a stamped batch; what became of each unit, in order.

        Raises:
            OutcomeUnknown: the connection ended, or took too long; the batch may be in the log or not.
            DatabaseUnavailable: nothing was appended.
        """
        conn = await self._lease.get()
        try:
            async with asyncio.timeout(APPEND_SECONDS_MAX):
                return await self._halved(conn, batch, batch.items)
        except TimeoutError as error:
            await self._lease.drop()
            raise OutcomeUnknown(reason="the append took too long") from error
        except OutcomeUnknown:
            await self._lease.drop()
            raise

    async def append_part(self, conn: Connection, batch: Batch, items: Sequence[Pending]) -> list[store.Outcome]:
        """Append some of a batch's units, all in one statement.

        Raises:
            BatchUnwritable: the database refuses the data; nothing was appended.
        """
        while True:
            result = await store.append(
                conn,
                log_id=self._log_id,
                recorded_at=to_datetime(batch.recorded_at),
                program_head=batch.program_read,
                units=[_unit(item) for item in items],
                heads=batch.heads_to_write(items),
            )
            self.stamp = max(self.stamp, from_datetime(result.log_recorded_at))
            if not result.behind:
                self._saw(items, result)
                return result.outcomes
            if len(items) < len(batch.items):
                return [store.Stale()] * len(items)
            batch.stamp(self.now())

    async def _halved(
        self, conn: Connection, batch: Batch, items: Sequence[Pending]
    ) -> list[store.Outcome | LedgerError]:
        try:
            return [*await self.append_part(conn, batch, items)]
        except BatchUnwritable as error:
            if len(items) == 1:
                # The database's own words may quote the record, and with it what is personal: only their kind is kept.
                log.warning("unit_unwritable", reason=type(error.__cause__).__name__, type=kind_of(items[0]))
                return [Unwritable()]
        half = len(items) // 2
        first = await self._halved(conn, batch, items[:half])
        return first + await self._halved(conn, batch, items[half:])

    def _saw(self, items: Sequence[Pending], result: AppendResult) -> None:
        """Note where the log goes on, and whether somebody else has appended in between."""
        if result.awakened:
            self._wake()
        first = last = 0
        for item, outcome in zip(items, result.outcomes, strict=True):
            if isinstance(outcome, store.Appended) and outcome.position is not None:
                first = first or outcome.position
                last = outcome.position + len(item.records)
        if last:
            self.alone = first == self.next_position
            self.next_position = last


def _unit(item: Pending) -> UnitToAppend:
    if item.unit is None:
        raise InvariantBroken("a unit is drawn up before it is appended")
    return item.unit
