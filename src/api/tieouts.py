"""The tie-out over HTTP: the fold of the streams against heads, read models and twin, and the customers behind a difference."""

import re
from uuid import UUID

from starlette.requests import Request

from api.analysts import Analyst, Subject, TieOutAsked
from api.answers import JSON, Whole
from api.auth import Scope
from api.books import ledger_of, open_book
from api.queries import AnyText, bad_parameter, read_cut_offs, read_limit, read_query
from api.routing import open_to

LIMIT = 10_000
LIMIT_MAX = 100_000
STREAM_PATTERN = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


@open_to(Scope.FINANCE, Scope.AUDIT)
async def read_tie_out(request: Request) -> Whole:
    """Hold heads, read models and twin against the fold of the streams, a range of customers at a time."""
    query = read_query(request, as_of=AnyText, known_at=AnyText, after=AnyText, limit=AnyText)
    as_of, known_at = read_cut_offs(query)
    after = _stream(query["after"]) if "after" in query else None
    limit = read_limit(query, default=LIMIT, most=LIMIT_MAX)
    _, book = await open_book(request)
    analyst: Analyst = request.app.state.analyst
    subject = Subject(book.log_id, book.program, book.zone.key)
    asked = TieOutAsked(subject, ledger_of(request).now(), as_of, known_at, after, limit)
    return Whole(200, await analyst.ask(asked), JSON)


def _stream(text: str) -> UUID:
    if not re.fullmatch(STREAM_PATTERN, text):
        raise bad_parameter("after", "the `next` of the page before")
    return UUID(text)
