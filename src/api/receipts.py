"""Receipts: what an event did, for ever found by its source and id."""

from starlette.requests import Request

from api.answers import Whole, json_answer
from api.auth import Scope
from api.books import open_book
from api.queries import AnyText, bad_parameter, read_query
from api.routing import open_to
from ledger import reading


@open_to(Scope.POST, Scope.READ, Scope.AUDIT)  # who posted an event can prove it
async def read_receipt(request: Request) -> Whole:
    """The receipt of an event, named by its source and id."""
    query = read_query(request, source=AnyText, id=AnyText)
    for name in ("source", "id"):
        if not query.get(name):
            raise bad_parameter(name, "needed")
    conn, book = await open_book(request)
    return json_answer(await reading.receipt(conn, book, source=query["source"], event_id=query["id"]))
