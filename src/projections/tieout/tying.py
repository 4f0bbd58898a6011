"""Tying out: the streams of a range of customers folded, every side held against them; then the next range.

A range is so many streams in the order of their ids, so memory is bounded by the range and by the account with most records.
Everything is read in one snapshot of the database.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from ledger.errors import DatabaseUnavailable, InvariantBroken, LedgerError
from ledger.instants import show
from ledger.reading import CutOff
from ledger.records import Record, program_stream_id
from ledger.store import Connection
from ledger.store_connecting import translated
from projections.errors import ReadModelBuilding
from projections.tieout import sides
from projections.tieout.figures import CUSTOMERS, HEADS, ORDERS, SIDES, STREAMS, TWIN, Figures
from projections.tieout.sides import Head, Live, Said, TwinSide
from projections.tieout.streams import Expected
from projections.twin.fleet import Fleet

CUSTOMERS_AT_ONCE = 2_000
"""Streams of a range."""

DIFFERENCES_MAX = 200
"""Differences that are named; all are counted."""

ROWS_AT_ONCE = 1_000

BEGINNING, END = UUID(int=0), UUID(int=2**128 - 1)

Progress = Callable[[int], None]


class Difference(NamedTuple):
    """What a side says otherwise of a customer than the fold of the stream; `detail` where it is no number."""

    customer: str
    side: str
    figure: str
    expected: int | None
    found: int | None
    detail: str | None = None


@dataclass(slots=True)
class Sums:
    """A figure over all customers: what the fold says, at the position of the side, and what the side says."""

    expected: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Tied:
    """What was found.

    Attributes:
        positions: side → the position it stands at; None: it is not there, so it was not compared.
        refolded: heads whose state another fold wrote, so only their version was compared.
        customers, records: compared. differing: customers of whom some side says otherwise.
        next: the stream to go on after; None: all were compared.
    """

    cut: CutOff
    positions: dict[str, int | None]
    sealed_through: int
    records: int = 0
    customers: int = 0
    refolded: int = 0
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)
    sums: dict[str, Sums] = field(default_factory=lambda: {side: Sums() for side in SIDES})
    next: UUID | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return self.differing == 0

    def note(self, differences: list[Difference]) -> None:
        """Count a customer, or a row, that differs."""
        if differences:
            self.differing += 1
            self.differences += differences[: DIFFERENCES_MAX - len(self.differences)]

    def shown(self, program: str) -> dict[str, Any]:
        """As JSON."""
        return {
            "program": program,
            "as_of": show(self.cut.as_of),
            "known_at": show(self.cut.known_at),
            "position": self.cut.position,
            "sealed_through": self.sealed_through,
            "holds": self.holds,
            "sides": self.positions,
            "counts": {
                "customers": self.customers,
                "records": self.records,
                "differing": self.differing,
                "heads_of_another_fold": self.refolded,
            },
            "differences": [one._asdict() for one in self.differences],
            "sums": [row for side in SIDES for row in self._sums_of(side)],
            "next": None if self.next is None else str(self.next),
        }

    def _sums_of(self, side: str) -> list[dict[str, Any]]:
        sums = self.sums[side]
        return [
            {
                "side": side,
                "figure": figure,
                "streams": sums.expected[figure],
                "found": sums.found[figure],
                "difference": sums.found[figure] - sums.expected[figure],
            }
            for figure in sorted(sums.expected.keys() | sums.found.keys())
        ]


async def tie(
    conn: Connection,
    fleet: Fleet,
    *,
    after: UUID | None = None,
    limit: int | None = None,
    progress: Progress = lambda _: None,
) -> Tied:
    """Hold every side against the fold of the streams.

    Args:
        conn: in a transaction that sees one snapshot, in which `fleet` was cut.
        after, limit: go on after this stream, and stop after so many; None: all.
        progress: told how many more records were read.

    Raises:
        TwinDamaged: a sealed file cannot be read.
        ReadModelBuilding: a build took another's place at this moment; ask again.
        DatabaseUnavailable
    """
    try:
        with translated(DatabaseUnavailable):
            return await _tied(conn, fleet, after, limit, progress)
    except asyncpg.UndefinedTableError as error:
        raise ReadModelBuilding from error


def differences_of(customer: str, side: str, expected: Figures, found: Figures) -> list[Difference]:
    """Every figure that is not the same; of a side that says nothing at all of a customer, that alone."""
    names = sorted(expected.keys() | found.keys())
    if not found and expected:
        names = ["records" if "records" in expected else "orders"]
    pairs = [(name, expected.get(name, 0), found.get(name, 0)) for name in names]
    return [Difference(customer, side, name, wanted, said) for name, wanted, said in pairs if wanted != said]


async def _tied(conn: Connection, fleet: Fleet, after: UUID | None, limit: int | None, progress: Progress) -> Tied:
    log_id, program = fleet.book.log_id, fleet.book.program
    last = await conn.fetchval("SELECT next_position - 1 FROM logs WHERE log_id = $1", log_id)
    live = await sides.live_models(conn, log_id)
    positions = {HEADS: last, TWIN: fleet.cut.position}
    positions |= {side: live[side].position if side in live else None for side in (CUSTOMERS, ORDERS)}
    tied = Tied(fleet.cut, {side: positions[side] for side in SIDES}, fleet.sealed_through)
    if after is None:
        for side, one in live.items():
            for name in await sides.rows_without_stream(conn, log_id, program, one):
                tied.note([Difference(name, side, "records", 0, None, "it has rows, and nothing was recorded of it")])
    twin = await asyncio.to_thread(TwinSide, fleet)
    try:
        at_once = CUSTOMERS_AT_ONCE if limit is None else min(limit, CUSTOMERS_AT_ONCE)
        begin = after or BEGINNING
        async for folded in _ranges(conn, fleet, live, begin, at_once, progress):
            await _compare(conn, fleet, live, twin, tied, folded)
            if folded.last != END and limit is not None and tied.customers >= limit:
                tied.next = folded.last
                break
    finally:
        await asyncio.to_thread(twin.close)
    return tied


@dataclass(slots=True)
class _Range:
    """Streams after one, up to `last`, folded; `broken` are those that cannot be."""

    after: UUID
    last: UUID
    streams: dict[UUID, Expected] = field(default_factory=dict)
    broken: dict[UUID, str] = field(default_factory=dict)
    records: int = 0


async def _ranges(
    conn: Connection, fleet: Fleet, live: dict[str, Live], after: UUID, at_once: int, progress: Progress
) -> AsyncIterator[_Range]:
    """The streams of a log in ranges; the last one reaches to the end of all ids."""
    own = program_stream_id(fleet.book.program)
    checkpoints = {side: one.position for side, one in live.items()}
    current = _Range(after, END)
    cursor = await conn.cursor(_RECORDS, fleet.book.log_id, after)
    while rows := await cursor.fetch(ROWS_AT_ONCE):
        progress(len(rows))
        for position, stream_id, text in rows:
            if stream_id == own:
                continue
            if stream_id not in current.streams:
                if len(current.streams) == at_once:
                    current.last = next(reversed(current.streams))
                    yield current
                    current = _Range(current.last, END)
                current.streams[stream_id] = Expected(fleet.cut, checkpoints)
            current.records += 1
            if stream_id not in current.broken:
                _fold(current, stream_id, position, text)
    yield current


_RECORDS = """
SELECT
    position,
    stream_id,
    record::text
FROM events
WHERE log_id = $1 AND stream_id > $2
ORDER BY
    stream_id,
    version
"""


def _fold(folded: _Range, stream_id: UUID, position: int, text: str) -> None:
    try:
        folded.streams[stream_id].add(position, Record.from_bytes(text))
    except (LedgerError, InvariantBroken, ValueError, TypeError, LookupError, AttributeError) as error:
        folded.broken[stream_id] = f"the record at position {position} cannot be folded: {error}"


async def _compare(
    conn: Connection, fleet: Fleet, live: dict[str, Live], twin: TwinSide, tied: Tied, folded: _Range
) -> None:
    """Hold the sides against one range of customers."""
    log_id = fleet.book.log_id
    heads = await sides.read_heads(conn, log_id, fleet.book.program, folded.after, folded.last)
    said: dict[str, Said] = {TWIN: await asyncio.to_thread(twin.read, folded.after, folded.last)}
    names = {head.customer for head in heads.values()} | said[TWIN].keys()
    names |= {stream.customer for stream in folded.streams.values()}
    if CUSTOMERS in live:
        said[CUSTOMERS] = await sides.read_customers(conn, log_id, live[CUSTOMERS], names)
    if ORDERS in live:
        said[ORDERS] = await sides.read_orders(conn, log_id, live[ORDERS], names)
    tied.customers += len(folded.streams)
    tied.records += folded.records
    for stream_id, stream in folded.streams.items():
        head = heads.pop(stream_id, None)
        customer = stream.customer or (head.customer if head else str(stream_id))
        found = {side: one.pop(customer, {}) for side, one in said.items()}
        if stream_id in folded.broken:
            tied.note([Difference(customer, STREAMS, "fold", None, None, folded.broken[stream_id])])
        else:
            tied.note(_of_customer(tied, customer, stream, head, found))
    _leftovers(tied, heads, said)


def _of_customer(
    tied: Tied, customer: str, stream: Expected, head: Head | None, found: dict[str, Figures]
) -> list[Difference]:
    expected = stream.figures()
    differences = _of_head(tied, customer, stream, head, expected[HEADS])
    for side in (CUSTOMERS, ORDERS, TWIN):
        if side in found:
            tied.sums[side].expected.update(expected[side])
            tied.sums[side].found.update(found[side])
            differences += differences_of(customer, side, expected[side], found[side])
    return differences


def _of_head(tied: Tied, customer: str, stream: Expected, head: Head | None, expected: Figures) -> list[Difference]:
    if head is None:
        return differences_of(customer, HEADS, expected, {})
    if head.state is None:
        tied.refolded += 1
        return differences_of(customer, HEADS, {"records": expected["records"]}, {"records": head.version})
    try:
        figures = head.figures()
    except InvariantBroken as broken:
        return [Difference(customer, HEADS, "state", None, None, str(broken))]
    tied.sums[HEADS].expected.update(expected)
    tied.sums[HEADS].found.update(figures)
    differences = differences_of(customer, HEADS, expected, figures)
    if not differences and head.state.encode() != stream.state():
        return [Difference(customer, HEADS, "state", None, None, "the state is not the fold of the records")]
    return differences


def _leftovers(tied: Tied, heads: dict[UUID, Head], said: dict[str, Said]) -> None:
    """What sides say of customers of whom nothing is recorded; rows of read models without a stream are named once, before."""
    for head in heads.values():
        tied.note([Difference(head.customer, HEADS, "records", 0, head.version)])
    for customer, figures in said[TWIN].items():
        tied.sums[TWIN].found.update(figures)
        tied.note(differences_of(customer, TWIN, {}, figures))
