"""The whole-ledger check: every stream folded again from its records, every promise about the log compared with it.

In constant memory, in one snapshot of the database, while the service goes on. Two passes over the records of a log: one in
order of position (gapless, stamps never go back, units whole), one in order of stream and version (see checking_streams.py);
then the sums across streams: program accounts against customers, counters, refusals.

The check reads the tables with statements of its own: it must not see them through the code whose work it checks.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ledger.account import STATE_SCHEMA
from ledger.answers import command_of, fingerprint
from ledger.checking_streams import Differs, StoredHead, StoredRow, StreamCheck
from ledger.errors import InvariantBroken, StreamUnreadable
from ledger.instants import from_datetime, show
from ledger.records import Record, program_stream_id
from ledger.store import Connection, Log, list_logs

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
        first: the difference of the lowest position. unreadable: why records could not be checked.
    """

    program: str
    records: int = 0
    streams: int = 0
    refolded: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    accounts: dict[str, Counter[str]] = field(default_factory=dict)
    customers: Counter[str] = field(default_factory=Counter)
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


async def check(
    conn: Connection, *, programs: Iterable[str] | None = None, progress: Progress | None = None
) -> list[LogReport]:
    """Check the logs of these programs, or all of them, in one snapshot.

    Args:
        conn: not in a transaction.

    Raises:
        DatabaseUnavailable, asyncpg.PostgresError: the check could not be done.
    """
    wanted = None if programs is None else set(programs)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        logs = [log for log in await list_logs(conn) if wanted is None or log.program in wanted]
        return [await check_log(conn, log, progress or _silently) for log in logs]


async def check_log(conn: Connection, log: Log, progress: Progress) -> LogReport:
    """Check one log, inside a transaction that sees one snapshot."""
    report = LogReport(log.program)
    last = await _check_positions(conn, log, report, progress)
    if log.next_position != last + 1:
        report.note(Difference(last, "next_position", f"is {log.next_position}, the last record has position {last}"))
    await _Streams(conn, log, report, progress).check()
    _check_sums(report)
    await _check_counters(conn, log, report)
    await _check_refusals(conn, log, report)
    return report


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


async def _check_positions(conn: Connection, log: Log, report: LogReport, progress: Progress) -> int:
    """Positions gapless from 1, stamps never going back, units whole; returns the last position."""
    last, stamp, place, size = 0, None, 0, 0
    async for rows in _pages(conn, _POSITIONS, log.log_id):
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
WHERE log_id = $1
ORDER BY stream_id
"""


class _Streams:
    """Goes through all records of a log stream by stream, and through the heads beside them."""

    def __init__(self, conn: Connection, log: Log, report: LogReport, progress: Progress) -> None:
        self._conn = conn
        self._log = log
        self._report = report
        self._progress = progress
        self._heads = _head_rows(conn, log.log_id)
        self._head: StoredHead | None = None
        self._order_scope = "program"

    async def check(self) -> None:
        """Check every stream and every head."""
        self._order_scope = await self._scope()
        self._head = await anext(self._heads, None)
        current: StreamCheck | None = None
        holds = True
        async for rows in _pages(self._conn, _ROWS, self._log.log_id):
            self._progress(len(rows))
            for row in rows:
                stored = StoredRow(*row)
                if current is None or stored.stream_id != current.stream_id:
                    await self._finish(current, holds=holds)
                    current, holds = StreamCheck(self._log.program, self._order_scope, stored.stream_id), True
                self._report.records += 1
                holds = holds and self._check_record(current, stored)
        await self._finish(current, holds=holds)
        while self._head is not None:
            await self._skip_head(self._head)

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
            return True
        return False

    def _add_to_accounts(self, record: Record) -> None:
        for posting in record.postings:
            if posting.source.startswith("program:"):
                self._report.accounts.setdefault(posting.asset, Counter())[posting.source] += posting.amount
            if posting.to.startswith("program:"):
                self._report.accounts.setdefault(posting.asset, Counter())[posting.to] -= posting.amount

    async def _finish(self, stream: StreamCheck | None, *, holds: bool) -> None:
        """Compare a stream's head, once its records are through."""
        if stream is None:
            return
        self._report.streams += 1
        while self._head is not None and self._head.stream_id < stream.stream_id:
            await self._skip_head(self._head)
        head = self._head if self._head is not None and self._head.stream_id == stream.stream_id else None
        if head is not None:
            self._head = await anext(self._heads, None)
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

    async def _skip_head(self, head: StoredHead) -> None:
        self._report.note(Difference(None, "head", f"the head of {head.customer_id} has no records"))
        self._head = await anext(self._heads, None)


# --- Across streams ---------------------------------------------------------------------------------------------------

_COUNTERS = """
SELECT
    name,
    used
FROM counters
WHERE log_id = $1 AND used <> 0
ORDER BY name
"""

_REFUSALS = """
SELECT
    f.source_key,
    f.fingerprint,
    f.recorded_at,
    f.status,
    f.customer_id,
    f.event::text,
    e.position
FROM refusals AS f
LEFT JOIN events AS e ON e.log_id = f.log_id AND e.source_key = f.source_key
WHERE f.log_id = $1
ORDER BY
    f.recorded_at,
    f.source_key
"""


def _check_sums(report: LogReport) -> None:
    """What the program's accounts gave out, less what they took back, is what the customers have."""
    if report.differences or report.unreadable:
        return  # streams that could not be followed are missing in the sums
    for asset in sorted(report.accounts.keys() | report.customers.keys()):
        given = report.accounts.get(asset, Counter()).total()
        if given != report.customers[asset]:
            detail = f"{asset}: the program's accounts gave out {given}, the customers have {report.customers[asset]}"
            report.note(Difference(None, "sums", detail))


async def _check_counters(conn: Connection, log: Log, report: LogReport) -> None:
    """No type of record raises a counter yet, so the refolded counters are all 0."""
    for name, used in await conn.fetch(_COUNTERS, log.log_id):
        report.note(Difference(None, "counter", f"{name} is {used}, must be 0"))


async def _check_refusals(conn: Connection, log: Log, report: LogReport) -> None:
    """What was refused for good, or waits, is not in the log; what is kept of it is what was fingerprinted."""
    async for rows in _pages(conn, _REFUSALS, log.log_id):
        for row in rows:
            report.refusals[row["status"]] += 1
            differs = _refusal_differs(row, log)
            if differs is not None:
                report.note(Difference(row["position"], "refusal", differs))


def _refusal_differs(row: Any, log: Log) -> str | None:
    command = command_of(row["event"].encode())
    named = f"{command.source} {command.id}"
    if row["position"] is not None and row["status"] != "settled":
        return f"{named} is in the log and refused ({row['status']}) as well"
    if row["source_key"] != command.source_key:
        return f"{named} is not the event of its key"
    if row["fingerprint"] != fingerprint(command):
        return f"{named} is not the event that was fingerprinted"
    if row["customer_id"] != command.subject:
        return f"{named} is of {command.subject}, not of {row['customer_id']}"
    if row["recorded_at"] > log.recorded_at:
        return f"{named} was refused at {row['recorded_at']}, after the log's last stamp"
    return None


# --- Reading ----------------------------------------------------------------------------------------------------------


async def _pages(conn: Connection, statement: str, log_id: int) -> AsyncIterator[list[Any]]:
    cursor = await conn.cursor(statement, log_id)
    while rows := await cursor.fetch(ROWS_AT_ONCE):
        yield rows


async def _head_rows(conn: Connection, log_id: int) -> AsyncIterator[StoredHead]:
    async for rows in _pages(conn, _HEADS, log_id):
        for row in rows:
            yield StoredHead(*row)


def _rank(difference: Difference) -> tuple[bool, int]:
    return difference.position is None, difference.position or 0


def _silently(_: int) -> None:
    pass
