"""The tie-out over HTTP: the fold of the streams against heads, read models and twin, and the customers behind a difference."""

import re
from uuid import UUID

from starlette.requests import Request

from api.answers import Whole, json_answer
from api.auth import Scope
from api.books import ledger_of, open_book
from api.queries import AnyText, bad_parameter, read_cut_offs, read_limit, read_query
from api.routing import open_to
from ledger import reading
from ledger.leasing import lent
from projections.tieout.tying import tie
from projections.twin.fleet import Fleets

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
    ledger = ledger_of(request)
    _, book = await open_book(request)
    fleets: Fleets = request.app.state.fleets
    async with lent(ledger.pool) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        cut = await reading.cut_off(conn, book, now=ledger.now(), as_of=as_of, known_at=known_at)
        async with fleets.at(conn, book, cut) as fleet:
            tied = await tie(conn, fleet, after=after, limit=limit)
    return json_answer(tied.shown(book.program))


def _stream(text: str) -> UUID:
    if not re.fullmatch(STREAM_PATTERN, text):
        raise bad_parameter("after", "the `next` of the page before")
    return UUID(text)
