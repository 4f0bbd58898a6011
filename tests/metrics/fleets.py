"""Fleets for tests, straight from records: no database between a story and the number."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import orjson

from ledger.instants import from_datetime, show
from ledger.program import ProgramState
from ledger.reading import Book, CutOff
from ledger.records import SCHEMA, Record
from projections.metrics.answering import answer
from projections.twin.fleet import Fleet
from projections.twin.parsing import PAGE, add_page, create_tables

PROGRAM = "shop"


def instant(text: str) -> int:
    """An instant of a text without offset, UTC."""
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def order(
    customer: str, order_id: str, at: datetime, total: int, *, quantity: str = "1", currency: str = "GBP"
) -> dict[str, Any]:
    """The record of a purchase as the ledger writes it, as far as the twin reads it."""
    lines = [{"line": 1, "sku": "A", "quantity": quantity, "amount": total}]
    return _record(
        "purchase.recorded",
        customer,
        at,
        {"order_id": order_id, "currency": currency, "total": total, "lines": lines},
        {"reference": f"purchase:{PROGRAM}:{order_id}", "business_day": at.date().isoformat()},
    )


def _record(kind: str, customer: str, at: datetime, data: dict[str, Any], derived: dict[str, Any]) -> dict[str, Any]:
    stamp = show(from_datetime(at.replace(tzinfo=UTC)))
    return {
        "schema": SCHEMA,
        "type": kind,
        "subject": customer,
        "time": stamp,
        "recorded_at": stamp,
        "version": 1,
        "data": data,
        "derived": derived,
        "postings": [],
    }


def fleet_of(
    texts: Iterable[str],
    *,
    as_of: str | int,
    zone: str = "UTC",
    known_at: int | None = None,
    state: ProgramState | None = None,
) -> Fleet:
    """A fleet of these records, at positions 1, 2, 3 …"""
    backend = ibis.duckdb.connect()
    create_tables(backend.con, ZoneInfo(zone))
    position = 0
    for page in itertools.batched(texts, PAGE) if hasattr(itertools, "batched") else _batched(texts, PAGE):
        add_page(backend.con, position + 1, list(page))
        position += len(page)
    cut = instant(as_of) if isinstance(as_of, str) else as_of
    known = position if known_at is None else known_at
    book = Book(1, PROGRAM, ZoneInfo(zone), state or ProgramState())
    return Fleet(book, CutOff(cut, cut, known, is_head=False), 0, backend)


def texts_of(records: Iterable[dict[str, Any] | Record]) -> list[str]:
    """Records as the log gives them."""
    return [(one.to_bytes() if isinstance(one, Record) else orjson.dumps(one)).decode() for one in records]


def rows(fleet: Fleet, name: str, **given: str) -> list[dict[str, Any]]:
    """The rows of a metric; `from_` is `from`."""
    found: list[dict[str, Any]] = answer(fleet, name, {key.rstrip("_"): value for key, value in given.items()})["rows"]
    return found


def _batched(texts: Iterable[str], size: int) -> Iterable[tuple[str, ...]]:
    iterator = iter(texts)
    while batch := tuple(itertools.islice(iterator, size)):
        yield batch


def opening(customer: str, at: datetime, **history: Any) -> dict[str, Any]:
    """The record of a customer taken over, as far as the twin reads it."""
    stamp = show(from_datetime(at.replace(tzinfo=UTC)))
    return _record("account.opened_from", customer, at, {"system": "old", "cutover_at": stamp, "history": history}, {})
