"""Reading a customer: the account, its records, its replay, and where a number comes from, at any pair of cut-offs.

`as_of` cuts on when something happened, `known_at` on when it was written. An instant of knowledge is resolved to one position
first, and every answer names that position: it reproduces the answer.
"""

import re
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from ledger import account as accounts
from ledger import store
from ledger.account import STATE_SCHEMA, Account
from ledger.answers import replayed_receipt
from ledger.errors import CursorUnknown, CustomerUnknown, CutOffInFuture, FormError, ReceiptUnknown
from ledger.explaining import explanation
from ledger.head_reads import HeadReads, read_head_rows
from ledger.instants import EARLIEST, end_of_day, parse, show, to_datetime
from ledger.parts.referral import show_referral
from ledger.program import ProgramState, evolve
from ledger.records import Lot, Record, customer_stream_id, leaf_hash, lot_to_json, program_stream_id, source_key
from ledger.seeing import seen, unwritten
from ledger.store import Connection, StoredRecord

PAGE = 500
"""Records read at once: a replay of any length runs in constant memory."""

LOTS_REMEMBERED = 4_096
"""Lots that a replay keeps as they are shown."""

GENERATION_MAX = 50
"""Customers of whom a read says whom they brought in their turn: those brought last."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

EVENTS_LIMIT_MAX = 1_000
FEED_LIMIT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Book:
    """The log that is read: its number, its program, and the zone in which a date is a day.

    `state` is the program's own, as it is now; `heads` reads the heads of many readers together; None: each for itself.
    """

    log_id: int
    program: str
    zone: ZoneInfo
    state: ProgramState
    heads: HeadReads | None = None


@dataclass(frozen=True, slots=True)
class CutOff:
    """Both cut-offs, resolved: instants in microseconds, and the last position that counts.

    `is_head`: nothing is cut, the heads' own states answer.
    """

    as_of: int
    known_at: int
    position: int
    is_head: bool


async def cut_off(conn: Connection, book: Book, *, now: int, as_of: str | None, known_at: str | None) -> CutOff:
    """Resolve the cut-offs of a read.

    Args:
        as_of: an instant with offset, or a date (the last microsecond of that day in the program's zone); None = now.
        known_at: an instant, or a position in digits; None = the last position.

    Raises:
        FormError: neither of these.
        CutOffInFuture: later than now, or beyond the last position.
    """
    cut = now if as_of is None else _as_of(as_of, book.zone, now)
    last = await _last_position(conn, book)
    if known_at is None:
        return CutOff(cut, now, last, is_head=as_of is None)
    if known_at.isascii() and known_at.isdigit():
        return await _known_at_position(conn, book, cut, int(known_at), last)
    instant = _instant("known_at", known_at)
    if instant > now:
        raise CutOffInFuture(known_at=show(instant), now=show(now))
    position = await store.position_known_at(conn, book.log_id, to_datetime(instant))
    return CutOff(cut, instant, position, is_head=False)


async def customer(
    conn: Connection, book: Book, customer_id: str, *, now: int, as_of: str | None, known_at: str | None
) -> dict[str, Any]:
    """The account of a customer: balances, lots, debts, tier, totals.

    Raises:
        CustomerUnknown: no record at that state of knowledge. An `as_of` before the first record is an account of zeros.
    """
    if as_of is None and known_at is None:
        shown = await _from_head(conn, book, customer_id, now)
        if shown is not None:
            if shown.get("referral", {}).get("referred"):
                await _add_generation(conn, book, shown["referral"]["referred"], now)
            return shown
    cut = await cut_off(conn, book, now=now, as_of=as_of, known_at=known_at)
    state = accounts.empty()
    async for _, record in _records(conn, book, customer_id, cut.position):
        accounts.apply(state, record, cut.as_of)
    _must_exist(state, customer_id)
    known = await _known_program(conn, book, cut.position)
    return _shown(book, customer_id, state, cut, known(cut.position))


async def events(
    conn: Connection,
    book: Book,
    customer_id: str,
    cut: CutOff,
    *,
    after: int,
    limit: int,
) -> dict[str, Any]:
    """A page of a customer's records, oldest first; `next` is the version to go on after, null at the end.

    Raises:
        CustomerUnknown: no record at that state of knowledge.
    """
    page: list[StoredRecord] = []
    async for stored, record in _records(conn, book, customer_id, cut.position, after=after):
        if cut.is_head or record.instant <= cut.as_of:
            page.append(stored)
        if len(page) > limit:
            break
    if not page and not await store.read_stream(
        conn, book.log_id, _stream(book, customer_id), up_to_position=cut.position, limit=1
    ):
        raise CustomerUnknown(customer=customer_id)
    more = len(page) > limit
    page = page[:limit]
    return {"records": [line(stored) for stored in page], "next": page[-1].version if more else None}


async def receipt(conn: Connection, book: Book, *, source: str, event_id: str) -> dict[str, Any]:
    """The receipt of an event as its sender first got it.

    Raises:
        ReceiptUnknown: nothing was recorded under this source and id; a record that time itself brought has no receipt.
    """
    key = source_key(source, event_id)
    stored = (await store.by_source_key(conn, book.log_id, [key])).get(key)
    if stored is None:
        raise ReceiptUnknown(source=source, id=event_id)
    unit = await store.read_unit(conn, book.log_id, stored.position)
    found = replayed_receipt([record.record for record in unit], unit[0].position)
    if found["position"] != stored.position:
        raise ReceiptUnknown(source=source, id=event_id)
    return {**found, "status": "recorded"}


async def replay(
    conn: Connection, book: Book, customer_id: str, *, now: int, as_of: str | None, known_at: str | None
) -> AsyncIterator[dict[str, Any]]:
    """Every record in order of version with the state after it at `as_of`, then a summary."""
    cut = await cut_off(conn, book, now=now, as_of=as_of, known_at=known_at)
    state = accounts.empty()
    known = await _known_program(conn, book, cut.position)
    show_lot = lru_cache(maxsize=LOTS_REMEMBERED)(lot_to_json)  # most lots are as they were one record before
    async for stored, record in _records(conn, book, customer_id, cut.position):
        accounts.apply(state, record, cut.as_of)
        then = CutOff(cut.as_of, record.recorded_at, stored.position, is_head=False)
        shown = _shown(book, customer_id, state, then, known(stored.position), show_lot)
        yield {**line(stored), "state": shown}
    _must_exist(state, customer_id)
    yield {"summary": {"records": state.version, "position": cut.position}}


async def explain(
    conn: Connection, book: Book, customer_id: str, *, of: str, now: int, as_of: str | None, known_at: str | None
) -> dict[str, Any]:
    """Where a balance comes from: its lots, the records and rules that made and consumed them, and the sum."""
    cut = await cut_off(conn, book, now=now, as_of=as_of, known_at=known_at)
    records: list[tuple[int | None, Record]] = []
    async for stored, record in _records(conn, book, customer_id, cut.position):
        records.append((stored.position, record))
    if not records:
        raise CustomerUnknown(customer=customer_id)
    if of == "growth":  # a review may deduct
        known = (await _known_program(conn, book, cut.position))(cut.position)
        state = accounts.fold([record for _, record in records], cut.as_of)
        due = unwritten(state, cut.as_of, program=book.program, customer=customer_id, known=known)
        records += [(None, record) for record in due]
    return {
        "program": book.program,
        "customer": customer_id,
        "of": of,
        **explanation(records, of, cut.as_of),
        "position": cut.position,
        "as_of": show(cut.as_of),
        "known_at": show(cut.known_at),
    }


async def feed(conn: Connection, book: Book, *, after: int, after_hash: str | None, limit: int) -> list[bytes]:
    """A page of the log after a position, each record as one line of NDJSON without its end.

    Raises:
        CursorUnknown: the record at `after` has another hash, or the log is shorter.
    """
    await check_cursor(conn, book, after, after_hash)
    return [line_bytes(stored) for stored in await store.read_log(conn, book.log_id, after=after, limit=limit)]


async def check_cursor(conn: Connection, book: Book, after: int, after_hash: str | None) -> None:
    """Refuse a cursor of another history of this log.

    Raises:
        CursorUnknown
    """
    if after == 0:
        return
    found = await store.read_log(conn, book.log_id, after=after - 1, limit=1)
    if not found:
        raise CursorUnknown(f"The log has no position {after}.", position=after)
    if after_hash is not None and leaf_hash(found[0].record).hex() != after_hash:
        raise CursorUnknown(f"The record at position {after} has another hash.", position=after)


def line(stored: StoredRecord) -> dict[str, Any]:
    """A stored record as answers show it; the bytes go out as they are."""
    return {
        "position": stored.position,
        "hash": leaf_hash(stored.record).hex(),
        "record": orjson.Fragment(stored.record),
    }


def line_bytes(stored: StoredRecord) -> bytes:
    """`line` as bytes."""
    return b'{"position":%d,"hash":"%s","record":%s}' % (
        stored.position,
        leaf_hash(stored.record).hex().encode(),
        stored.record,
    )


async def _from_head(conn: Connection, book: Book, customer_id: str, now: int) -> dict[str, Any] | None:
    """The account as the head row carries it; None where the head cannot answer and the records must."""
    stream_id = _stream(book, customer_id)
    if book.heads is None:
        head = (await read_head_rows(conn, book.log_id, [stream_id])).get(stream_id)
    else:
        head = await book.heads.read(stream_id)
    if head is None:
        raise CustomerUnknown(customer=customer_id)
    if head.state_schema != STATE_SCHEMA or head.state is None:
        return None
    state = accounts.from_bytes(head.state, head.version)
    if state.latest > now:
        return None
    return _shown(book, customer_id, state, CutOff(now, now, head.position, is_head=True), book.state)


async def _add_generation(conn: Connection, book: Book, referred: list[dict[str, Any]], now: int) -> None:
    """Say of the customers brought last whom they brought, as their heads carry it: a second generation in one read."""
    latest = {_stream(book, brought["customer"]): brought for brought in referred[-GENERATION_MAX:]}
    heads = await read_head_rows(conn, book.log_id, latest)
    for stream_id, head in heads.items():
        if head.state_schema == STATE_SCHEMA and head.state is not None:
            part = accounts.from_bytes(head.state, head.version).parts.get("referral", {})
            latest[stream_id]["referred"] = show_referral(part, now)["referral"]["referred"]


async def _records(
    conn: Connection, book: Book, customer_id: str, position: int, *, after: int = 0
) -> AsyncIterator[tuple[StoredRecord, Record]]:
    """A customer's records after a version, in order, as far as they were written by a position."""
    while True:
        page = await store.read_stream(
            conn, book.log_id, _stream(book, customer_id), after=after, up_to_position=position, limit=PAGE
        )
        for stored in page:
            yield stored, Record.from_bytes(stored.record)
        if len(page) < PAGE:
            return
        after = page[-1].version


def _shown(
    book: Book,
    customer_id: str,
    state: Account,
    cut: CutOff,
    known: ProgramState,
    show_lot: Callable[[Lot], dict[str, Any]] = lot_to_json,
) -> dict[str, Any]:
    return {
        "program": book.program,
        "customer": customer_id,
        "version": state.version,
        "position": cut.position,
        "as_of": show(cut.as_of),
        "known_at": show(cut.known_at),
        **seen(state, cut.as_of, program=book.program, customer=customer_id, known=known, show_lot=show_lot),
    }


async def _known_program(conn: Connection, book: Book, last: int) -> Callable[[int], ProgramState]:
    """The program's rules as they were known at any position up to a last one.

    Only tiers ask for them: a review that is due is decided by the rules that were known. Without tiers nothing is read.
    """
    rules = book.state.rulebook
    if rules is None or all(version.document.tiers is None for version in rules.versions):
        return lambda _: book.state
    positions, states = [0], [ProgramState()]
    stored = await store.read_stream(conn, book.log_id, program_stream_id(book.program), up_to_position=last)
    for one in stored:
        positions.append(one.position)
        states.append(evolve(states[-1], Record.from_bytes(one.record)))
    return lambda position: states[bisect_right(positions, position) - 1]


async def _known_at_position(conn: Connection, book: Book, as_of: int, position: int, last: int) -> CutOff:
    if position > last:
        raise CutOffInFuture(f"The log has no position {position} yet.", known_at=position, last=last)
    found = await store.read_log(conn, book.log_id, after=position - 1, limit=1) if position else []
    known_at = Record.from_bytes(found[0].record).recorded_at if found else 0
    return CutOff(as_of, known_at, position, is_head=False)


async def _last_position(conn: Connection, book: Book) -> int:
    log = await store.read_logs(conn, [book.log_id])
    return log[book.log_id].next_position - 1


def _as_of(text: str, zone: ZoneInfo, now: int) -> int:
    try:
        instant = end_of_day(date.fromisoformat(text), zone) if _DATE.fullmatch(text) else parse(text)
    except (ValueError, OverflowError) as error:
        raise _malformed("as_of", str(error)) from error
    if instant < EARLIEST:
        raise _malformed("as_of", "the day lies before 1900")
    if instant > now:
        raise CutOffInFuture(as_of=show(instant), now=show(now))
    return instant


def _instant(name: str, text: str) -> int:
    try:
        return parse(text)
    except (ValueError, OverflowError) as error:
        raise _malformed(name, str(error)) from error


def _malformed(name: str, reason: str) -> FormError:
    return FormError(
        f"{name} is not a cut-off: {reason}",
        code="cut_off_malformed",
        errors=[{"pointer": f"?{name}", "reason": reason}],
    )


def _must_exist(state: Account, customer_id: str) -> None:
    if state.version == 0:
        raise CustomerUnknown(customer=customer_id)


def _stream(book: Book, customer_id: str) -> UUID:
    return customer_stream_id(book.program, customer_id)
