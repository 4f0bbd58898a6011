"""The two passes of the check over the records of a log, and what they report.

The check reads the tables with statements of its own: it must not see them through the code whose work it checks.
"""

import asyncio
import re
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from ledger.account import STATE_SCHEMA
from ledger.checking_streams import Differs, StoredHead, StoredRow, StreamCheck
from ledger.errors import InvariantBroken, StreamUnreadable
from ledger.instants import from_datetime, show
from ledger.records import Record, program_stream_id
from ledger.store import Connection, Log

ROWS_AT_ONCE = 1_000

Progress = Callable[[int], None]
"""Told how many more records were read; each record is read twice."""


class Difference(NamedTuple):
    """What is not as it must be; `position` is None where it has none of its own."""

    position: int | None
    what: str
    detail: str


@dataclass(slots=True)
class LogReport:
    """What the check of one log found.

    Attributes:
        refolded: heads whose state another fold wrote, so it could not be compared.
        refusals: by status.
        accounts: per asset what each of the program's accounts gave out less what it took back.
        customers: per asset the sum of all customers' balances.
        counters: by name what the records added to sums across customers.
        first: the difference of the lowest position. unreadable: why records could not be checked.
    """

    program: str
    records: int = 0
    streams: int = 0
    refolded: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    accounts: dict[str, Counter[str]] = field(default_factory=dict)
    customers: Counter[str] = field(default_factory=Counter)
    counters: Counter[str] = field(default_factory=Counter)
    differences: int = 0
    first: Difference | None = None
    unreadable: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether everything was checked and nothing differs."""
        return self.first is None and self.unreadable is None

    def note(self, difference: Difference) -> None:
        """Count a difference; the one of the lowest position is kept, those without one come last."""
        self.differences += 1
        if self.first is None or _rank(difference) < _rank(self.first):
            self.first = difference


# --- In order of position ---------------------------------------------------------------------------------------------

_POSITIONS = """
SELECT
    position,
    recorded_at,
    substr(record::text, strpos(record::text, '"unit":['), 40) AS unit
FROM events
WHERE log_id = $1
ORDER BY position
"""

_UNIT = re.compile(r'"unit":\[(\d+),(\d+)\]')


async def check_positions(conn: Connection, log: Log, report: LogReport, progress: Progress) -> int:
    """Positions gapless from 1, stamps never going back, units whole; returns the last position."""
    last, stamp, place, size = 0, None, 0, 0
    async for rows in pages(conn, _POSITIONS, log.log_id):
        progress(len(rows))
        for position, recorded_at, unit in rows:
            if position != last + 1:
                report.note(Difference(position, "position", f"follows {last}"))
            if stamp is not None and recorded_at < stamp:
                report.note(
                    Difference(position, "recorded_at", f"{recorded_at} is earlier than the record before, {stamp}")
                )
            found = _UNIT.match(unit)
            this_place, this_size = (int(found[1]), int(found[2])) if found else (0, 0)
            if (this_place, this_size) != (place + 1, size) and not (place == size and this_place == 1 <= this_size):
                report.note(Difference(position, "unit", f"[{this_place},{this_size}] follows [{place},{size}]"))
            last, stamp, place, size = position, recorded_at, this_place, this_size
    if place != size:
        report.note(Difference(last, "unit", f"the log ends with [{place},{size}]"))
    if stamp is not None and stamp > log.recorded_at:
        report.note(Difference(last, "recorded_at", f"{stamp} is later than the log's last stamp, {log.recorded_at}"))
    return last


# --- In order of stream and version -----------------------------------------------------------------------------------

_ROWS = """
SELECT
    position,
    stream_id,
    version,
    source_key,
    reference,
    type,
    time,
    recorded_at,
    record::text
FROM events
WHERE log_id = $1
ORDER BY
    stream_id,
    version
"""

_PROGRAM_ROWS = """
SELECT record::text
FROM events
WHERE log_id = $1 AND stream_id = $2 AND type = 'program.published'
ORDER BY version
LIMIT 1
"""

_HEADS = """
SELECT
    stream_id,
    customer_id,
    version,
    head_hash,
    state_schema,
    state::text,
    due_at
FROM streams
WHERE log_id = $1 AND stream_id > $2 AND stream_id <= $3
ORDER BY stream_id
"""

_BEFORE_ALL, _AFTER_ALL = UUID(int=0), UUID(int=2**128 - 1)


class Streams:
    """Goes through all records of a log stream by stream, and through the heads beside them."""

    def __init__(self, conn: Connection, log: Log, report: LogReport, progress: Progress) -> None:
        self._conn = conn
        self._log = log
        self._report = report
        self._progress = progress
        self._heads: deque[StoredHead] = deque()
        self._heads_through = _BEFORE_ALL
        self._order_scope = "program"

    async def check(self) -> None:
        """Check every stream and every head."""
        self._order_scope = await self._scope()
        current: StreamCheck | None = None
        holds = True
        async for rows in pages(self._conn, _ROWS, self._log.log_id, before=self._read_heads):
            self._progress(len(rows))
            for row in rows:
                stored = StoredRow(*row)
                if current is None or stored.stream_id != current.stream_id:
                    self._finish(current, holds=holds)
                    current, holds = StreamCheck(self._log.program, self._order_scope, stored.stream_id), True
                self._report.records += 1
                holds = holds and self._check_record(current, stored)
        self._finish(current, holds=holds)
        await self._read_heads_through(_AFTER_ALL)
        self._skip_heads(None)

    async def _read_heads(self, rows: list[Any]) -> None:
        """Read the heads of the streams of these records, and those between them."""
        await self._read_heads_through(rows[-1]["stream_id"])

    async def _read_heads_through(self, last: UUID) -> None:
        rows = await self._conn.fetch(_HEADS, self._log.log_id, self._heads_through, last)
        self._heads.extend(StoredHead(*row) for row in rows)
        self._heads_through = last

    async def _scope(self) -> str:
        """Within what order numbers are unique: fixed by the program's first document."""
        stored = await self._conn.fetchval(_PROGRAM_ROWS, self._log.log_id, program_stream_id(self._log.program))
        if stored is None:
            return "program"
        scope: str = Record.from_bytes(stored).data["document"]["program"]["order_scope"]
        return scope

    def _check_record(self, stream: StreamCheck, row: StoredRow) -> bool:
        """Whether the stream can be followed further."""
        try:
            record = stream.check(row)
        except StreamUnreadable as error:
            self._report.unreadable = (
                self._report.unreadable or f"position {row.position}: {error.message} {error.facts}"
            )
        except Differs as differs:
            self._report.note(Difference(row.position, differs.what, differs.detail))
        except InvariantBroken as broken:
            self._report.note(Difference(row.position, "fold", str(broken)))
        else:
            self._add_to_accounts(record)
            for name, amount in (record.derived or {}).get("counters", ()):
                self._report.counters[name] += amount
            return True
        return False

    def _add_to_accounts(self, record: Record) -> None:
        for posting in record.postings:
            if posting.source.startswith("program:"):
                self._report.accounts.setdefault(posting.asset, Counter())[posting.source] += posting.amount
            if posting.to.startswith("program:"):
                self._report.accounts.setdefault(posting.asset, Counter())[posting.to] -= posting.amount

    def _finish(self, stream: StreamCheck | None, *, holds: bool) -> None:
        """Compare a stream's head, once its records are through."""
        if stream is None:
            return
        self._report.streams += 1
        self._skip_heads(stream.stream_id)
        head = self._heads.popleft() if self._heads and self._heads[0].stream_id == stream.stream_id else None
        if holds:
            self._check_head(stream, head)
            for asset, balance in stream.account.balances().items():
                if not asset.endswith(":debt"):
                    self._report.customers[asset] += balance

    def _check_head(self, stream: StreamCheck, head: StoredHead | None) -> None:
        if head is None:
            self._report.note(Difference(stream.position, "head", f"the stream of {stream.subject} has none"))
            return
        try:
            stream.check_head(head)
            self._check_due(stream)
        except Differs as differs:
            self._report.note(Difference(stream.position, differs.what, differs.detail))
            return
        if head.state_schema != STATE_SCHEMA or head.state is None:
            self._report.refolded += 1

    def _check_due(self, stream: StreamCheck) -> None:
        due, through = stream.due_at(), self._log.due_through
        if due is not None and through is not None and due < from_datetime(through):
            raise Differs(
                "due_through", f"{through} is later than {show(due)}, when something falls due on {stream.subject}"
            )

    def _skip_heads(self, stream_id: UUID | None) -> None:
        """Heads before a stream, or all that are left, have no records."""
        while self._heads and (stream_id is None or self._heads[0].stream_id < stream_id):
            head = self._heads.popleft()
            self._report.note(Difference(None, "head", f"the head of {head.customer_id} has no records"))


# --- Reading ----------------------------------------------------------------------------------------------------------


async def pages(
    conn: Connection, statement: str, log_id: int, *, before: Callable[[list[Any]], Awaitable[None]] | None = None
) -> AsyncIterator[list[Any]]:
    """Rows of a statement, a page at a time; the database works on the next page while one is checked.

    Args:
        before: run on each page while the connection is free.
    """
    cursor = await conn.cursor(statement, log_id)
    rows = await cursor.fetch(ROWS_AT_ONCE)
    while rows:
        if before is not None:
            await before(rows)
        following = asyncio.ensure_future(cursor.fetch(ROWS_AT_ONCE))
        await asyncio.sleep(0)  # so that it is asked for before these are checked
        try:
            yield rows
        except BaseException:
            following.cancel()
            raise
        rows = await following


def _rank(difference: Difference) -> tuple[bool, int]:
    return difference.position is None, difference.position or 0
