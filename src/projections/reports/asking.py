"""Asking for the points report: cut-offs, the rules as they were known then, the pass over the log, the answer."""

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any

from ledger import program as programs
from ledger import reading, store
from ledger.errors import FormError, LedgerError
from ledger.instants import EARLIEST, midnight, parse, show
from ledger.program import ProgramState
from ledger.reading import Book as Reader
from ledger.reading import CutOff
from ledger.records import Record, program_stream_id
from ledger.rules.valuation import Valuation
from ledger.store import Connection
from projections.reports.movements import read_movements
from projections.reports.points import Header, filled_book, points_report, traced
from projections.reports.points_book import Trace
from projections.reports.points_twin import tally_of_fleet
from projections.twin.fleet import Fleets

NO_MONEY = "none"
"""What to ask for as money where points alone are wanted."""


class ValuationMissing(LedgerError):
    """The rules name no value per point and redemption rate that count at this date; a report of money would be a guess."""

    code = "valuation_missing"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for, as it was written.

    Attributes:
        since: where the period begins: an instant, or a date, whose first microsecond is meant; None: all time.
        as_of, known_at: see `reading.cut_off`. money: a currency, `none`, or None: every currency the rules value points in.
    """

    as_of: str | None = None
    known_at: str | None = None
    since: str | None = None
    money: str | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """Which records are asked for.

    Attributes:
        line, detail: of the roll-forward, such as granted, purchase; the debts' lines are those of `debt`.
        chosen: dimension → value, for one row of it.
        after: so many have been seen. limit: so many at most.
    """

    line: str
    detail: str | None
    chosen: dict[str, str | None]
    after: int
    limit: int


async def points(conn: Connection, reader: Reader, fleets: Fleets, question: Question, *, now: int) -> dict[str, Any]:
    """The points report, from the twin and the records it has not sealed.

    Raises:
        FormError, CutOffInFuture: the question is malformed.
        ValuationMissing: money cannot be said.
        InvariantBroken, StreamUnreadable, TwinDamaged, DatabaseUnavailable: it cannot be answered exactly.
    """
    cut = await reading.cut_off(conn, reader, now=now, as_of=question.as_of, known_at=question.known_at)
    header = await _header(conn, reader, question, cut)
    async with fleets.at(conn, reader, cut) as fleet:
        tally = await asyncio.to_thread(tally_of_fleet, fleet, opens_at=header.opens_at)
    return points_report(header, tally, header.position)


async def point_records(
    conn: Connection, reader: Reader, question: Question, behind: Behind, *, now: int
) -> dict[str, Any]:
    """The records behind one line of the points report, a page at a time.

    Raises:
        as `points`.
    """
    cut = await reading.cut_off(conn, reader, now=now, as_of=question.as_of, known_at=question.known_at)
    header = await _header(conn, reader, question, cut)
    pages = read_movements(conn, reader.log_id, asset="points", up_to=header.position)
    book, _ = await filled_book(header, pages, keeps_traces=True)
    found = traced(book, behind.line, behind.detail, behind.chosen)
    seen = behind.after + behind.limit
    page = found[behind.after : seen]
    return {
        "program": header.program,
        "as_of": show(header.as_of),
        "known_at": show(header.known_at),
        "position": header.position,
        "from": None if header.opens_at is None else show(header.opens_at + 1),
        "line": behind.line,
        "detail": behind.detail,
        "points": sum(trace.points for trace in found),
        "count": len(found),
        "records": [_shown(trace, header) for trace in page],
        "next": seen if seen < len(found) else None,
    }


def valuations_at(valuations: tuple[Valuation, ...], as_of: int, money: str | None) -> tuple[Valuation, ...]:
    """The valuations that count at an instant: of each currency the one that began last; by currency.

    Raises:
        ValuationMissing: none of the currency that is asked for, or none yet of one the rules name.
    """
    if money == NO_MONEY:
        return ()
    wanted = {money} if money is not None else {valuation.currency for valuation in valuations}
    latest = {one.currency: one for one in sorted(valuations, key=lambda one: one.since) if one.since <= as_of}
    missing = sorted(wanted - latest.keys())
    if missing:
        raise ValuationMissing(
            missing=[f"valuation of {currency}" for currency in missing],
            as_of=show(as_of),
            known=[f"{one.currency} from {show(one.since)}" for one in valuations],
        )
    return tuple(latest[currency] for currency in sorted(wanted))


async def _header(conn: Connection, reader: Reader, question: Question, cut: CutOff) -> Header:
    opens_at = _opens_at(question.since, reader, cut.as_of)
    state = await program_at(conn, reader, cut.position)
    if state.rulebook is None:
        raise _malformed("known_at", "nothing was known of this program then")
    document = state.rules.latest.document
    last = await store.read_log(conn, reader.log_id, after=cut.position - 1, limit=1) if cut.position else []
    return Header(
        reader.program,
        reader.zone,
        document.program.points_scale,
        cut.as_of,
        Record.from_bytes(last[0].record).recorded_at if last else 0,
        cut.position,
        opens_at,
        valuations_at(document.valuation, cut.as_of, question.money),
    )


async def program_at(conn: Connection, reader: Reader, position: int) -> ProgramState:
    """The program's own stream as it was known at a position: a later version of its rules changes no report of before.

    Raises:
        DatabaseUnavailable
    """
    stored = await store.read_stream(conn, reader.log_id, program_stream_id(reader.program), up_to_position=position)
    return programs.fold([Record.from_bytes(one.record) for one in stored])


def _opens_at(since: str | None, reader: Reader, as_of: int) -> int | None:
    if since is None:
        return None
    try:
        is_date = len(since) == len("2026-01-01")
        begins_at = midnight(date.fromisoformat(since), reader.zone) if is_date else parse(since)
    except (ValueError, OverflowError) as error:
        raise _malformed("from", str(error)) from error
    if begins_at < EARLIEST:
        raise _malformed("from", "the period begins before 1900")
    if begins_at > as_of:
        raise _malformed("from", "the period begins after as_of")
    return begins_at - 1


def _malformed(name: str, reason: str) -> FormError:
    return FormError(
        f"{name} is not a cut-off: {reason}",
        code="cut_off_malformed",
        errors=[{"pointer": f"?{name}", "reason": reason}],
    )


def _shown(trace: Trace, header: Header) -> dict[str, Any]:
    lapses_or_stays = trace.at > header.as_of
    return {
        "position": trace.position,
        "customer": trace.customer,
        "version": trace.version,
        "type": trace.type,
        "at": None if lapses_or_stays else show(trace.at),
        "lot": trace.lot,
        "points": trace.points,
        "line": trace.line.line,
        "detail": trace.line.detail or None,
        **trace.slice._asdict(),
    }
