"""Reading a customer at any pair of cut-offs: the account, the records, the replay, and where a number comes from."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request

from api.answers import Lines, Whole, json_answer, json_line
from api.auth import Scope
from api.books import ledger_of, open_book
from api.queries import AnyText, bad_parameter, read_cut_offs, read_limit, read_query, read_whole
from api.routing import open_to
from ledger import reading
from ledger.shapes.basics import EXPLAINED_PATTERN

EVENTS_LIMIT = 100
PIECE_BYTES = 64 * 1024

_ASSET = re.compile(EXPLAINED_PATTERN)


@open_to(Scope.READ, Scope.AUDIT)
async def read_customer(request: Request) -> Whole:
    """The account of a customer: balances, lots, debts, tier, totals."""
    as_of, known_at = read_cut_offs(read_query(request, as_of=AnyText, known_at=AnyText))
    conn, book = await open_book(request)
    customer = request.path_params["customer"]
    shown = await reading.customer(conn, book, customer, now=ledger_of(request).now(), as_of=as_of, known_at=known_at)
    return json_answer(shown, headers={"ETag": f'"{shown["version"]}"'})


@open_to(Scope.READ, Scope.AUDIT)
async def read_events(request: Request) -> Whole:
    """The records of a customer, oldest first, a page at a time."""
    query = read_query(request, after=AnyText, limit=AnyText, as_of=AnyText, known_at=AnyText)
    as_of, known_at = read_cut_offs(query)
    after = read_whole(query, "after", default=0)
    limit = read_limit(query, default=EVENTS_LIMIT, most=reading.EVENTS_LIMIT_MAX)
    conn, book = await open_book(request)
    customer = request.path_params["customer"]
    cut = await reading.cut_off(conn, book, now=ledger_of(request).now(), as_of=as_of, known_at=known_at)
    return json_answer(await reading.events(conn, book, customer, cut, after=after, limit=limit))


@open_to(Scope.AUDIT)
async def replay(request: Request) -> Lines:
    """Every record of a customer with the state after it, and a summary."""
    as_of, known_at = read_cut_offs(read_query(request, as_of=AnyText, known_at=AnyText))
    conn, book = await open_book(request)
    customer = request.path_params["customer"]
    states = reading.replay(conn, book, customer, now=ledger_of(request).now(), as_of=as_of, known_at=known_at)
    first = await anext(states)  # what is wrong with the request is found before anything is answered
    return Lines(_lines(first, states))


@open_to(Scope.AUDIT)
async def explain(request: Request) -> Whole:
    """Where a balance comes from: the lots, the records and rules that made and consumed them, and the sum."""
    query = read_query(request, of=AnyText, as_of=AnyText, known_at=AnyText)
    as_of, known_at = read_cut_offs(query)
    asset = query.get("of", "points")
    if not _ASSET.fullmatch(asset):
        raise bad_parameter("of", "an asset, such as points")
    conn, book = await open_book(request)
    customer = request.path_params["customer"]
    return json_answer(
        await reading.explain(
            conn, book, customer, of=asset, now=ledger_of(request).now(), as_of=as_of, known_at=known_at
        )
    )


async def _lines(first: dict[str, Any], states: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """The lines in pieces of some size: sending costs as much as a line. Others have their turn after each."""
    piece = [json_line(first)]
    size = len(piece[0])
    async for state in states:
        line = json_line(state)
        piece.append(line)
        size += len(line)
        if size >= PIECE_BYTES:
            yield b"".join(piece)
            piece, size = [], 0
            await asyncio.sleep(0)
    if piece:
        yield b"".join(piece)
