"""Searching customers over HTTP: filters, order and pages of the read model."""

import re
from datetime import date

from starlette.requests import Request

from api.answers import Whole, json_answer
from api.auth import Scope
from api.books import ledger_of, open_book
from api.queries import AnyText, bad_parameter, read_cut_offs, read_limit, read_query, read_whole
from api.routing import open_to
from ledger.instants import midnight, parse
from ledger.reading import Book
from projections.models.searching import EQUALS, INSTANTS, NUMBERS, SORTS, Search, search_customers

LIMIT = 100
LIMIT_MAX = 1_000
SOON_DAYS = 30
SOON_DAYS_MAX = 3_660
TEXT_MAX = 256

SORT_VALUES = tuple(f"{sign}{name}" for name in SORTS for sign in ("", "-"))

_WHOLE = re.compile(r"-?[0-9]{1,15}\Z")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{1,1000}\Z")

_BOUNDS = tuple(f"{name}_{end}" for name in NUMBERS for end in ("min", "max"))
_TIMES = tuple(f"{name}_{end}" for name in INSTANTS for end in ("from", "before"))


@open_to(Scope.READ, Scope.AUDIT)
async def read_customers(request: Request) -> Whole:
    """Customers by filter and order, a page at a time."""
    query = read_query(
        request,
        **dict.fromkeys((*EQUALS, *_BOUNDS, *_TIMES, "prefix", "after", "limit", "expiring_days"), AnyText),
        sort=SORT_VALUES,
    )
    ledger, (_, book) = ledger_of(request), await open_book(request)
    found = await search_customers(ledger.pool, book, _search(query, book), now=ledger.now())
    return json_answer(found)


def _search(query: dict[str, str], book: Book) -> Search:
    for name in ("prefix", *EQUALS):
        if name in query and not 1 <= len(query[name]) <= TEXT_MAX:
            raise bad_parameter(name, f"1 to {TEXT_MAX} characters")
    sort = query.get("sort", "customer")
    after = query.get("after")
    if after is not None and not _CURSOR.match(after):
        raise bad_parameter("after", "the `next` of the page before")
    soon_days = read_whole(query, "expiring_days", default=SOON_DAYS)
    if soon_days > SOON_DAYS_MAX:
        raise bad_parameter("expiring_days", f"a whole number from 0 to {SOON_DAYS_MAX}")
    least = {column: _number(query, f"{name}_min") for name, column in NUMBERS.items() if f"{name}_min" in query}
    least |= {
        column: _instant(query, f"{name}_from", book) for name, column in INSTANTS.items() if f"{name}_from" in query
    }
    return Search(
        prefix=query.get("prefix"),
        equals={name: query[name] for name in EQUALS if name in query},
        least=least,
        most={column: _number(query, f"{name}_max") for name, column in NUMBERS.items() if f"{name}_max" in query},
        before={
            column: _instant(query, f"{name}_before", book)
            for name, column in INSTANTS.items()
            if f"{name}_before" in query
        },
        sort=sort.removeprefix("-"),
        descending=sort.startswith("-"),
        after=after,
        limit=read_limit(query, default=LIMIT, most=LIMIT_MAX),
        soon_days=soon_days,
    )


def _number(query: dict[str, str], name: str) -> int:
    if not _WHOLE.match(query[name]):
        raise bad_parameter(name, "a whole number of at most 15 digits")
    return int(query[name])


def _instant(query: dict[str, str], name: str, book: Book) -> int:
    """An instant, or a date, whose first instant is meant."""
    text = read_cut_offs({"as_of": query[name]})[0] or ""
    try:
        return midnight(date.fromisoformat(text), book.zone) if _DATE.match(text) else parse(text)
    except (ValueError, OverflowError) as error:
        raise bad_parameter(name, str(error)) from error
