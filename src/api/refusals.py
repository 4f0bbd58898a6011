"""Refusals: what was decided against and kept."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request

from api.answers import Whole, json_answer
from api.auth import Scope
from api.books import open_book
from api.problems import problem
from api.queries import AnyText, bad_parameter, read_limit, read_query
from api.routing import open_to
from api.schemas import CUSTOMER_PATTERN
from ledger import store
from ledger.answers import refused
from ledger.instants import from_datetime, show, to_datetime
from ledger.store import Refusal

STATUSES = ("final", "waiting", "settled", "waived")
LIMIT = 100
LIMIT_MAX = 1_000

_CUSTOMER = re.compile(CUSTOMER_PATTERN)
_CURSOR = re.compile(r"([0-9]{1,16})-([0-9a-f]{32})\Z")


@open_to(Scope.AUDIT)
async def read_refusals(request: Request) -> Whole:
    """What was decided against and kept, oldest first, a page at a time."""
    query = read_query(request, status=STATUSES, customer=AnyText, after=AnyText, limit=AnyText)
    status = query.get("status")
    limit = read_limit(query, default=LIMIT, most=LIMIT_MAX)
    conn, book = await open_book(request)
    page = await store.list_refusals(
        conn,
        book.log_id,
        after=_read_cursor(query.get("after")),
        limit=limit + 1,
        statuses=None if status is None else [status],
        customer_id=_read_customer(query.get("customer")),
    )
    following = _cursor(page[limit - 1]) if len(page) > limit else None
    return json_answer({"refusals": [_shown(refusal) for refusal in page[:limit]], "next": following})


def _read_customer(text: str | None) -> str | None:
    if text is not None and not _CUSTOMER.fullmatch(text):
        raise bad_parameter("customer", "a customer's id")
    return text


def _shown(refusal: Refusal) -> dict[str, Any]:
    event = orjson.loads(refusal.event)
    return {
        "status": refusal.status,
        "id": event["id"],
        "source": event["source"],
        "type": event["type"],
        "subject": event["subject"],
        "time": event["time"],
        "recorded_at": show(from_datetime(refusal.recorded_at)),
        "problem": problem(refused(refusal.problem)),
    }


def _cursor(refusal: Refusal) -> str:
    return f"{from_datetime(refusal.recorded_at)}-{refusal.source_key.hex}"


def _read_cursor(text: str | None) -> tuple[datetime, UUID] | None:
    if text is None:
        return None
    match = _CURSOR.match(text)
    if match is None:
        raise bad_parameter("after", "the `next` of the page before")
    return to_datetime(int(match[1])), UUID(hex=match[2])
