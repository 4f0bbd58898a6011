"""Corrections: what wrong records gave many customers, surveyed or ordered; and the register of all adjustments."""

import re
from typing import Any

from starlette.requests import Request

from api.answers import Whole, json_answer
from api.auth import Scope
from api.bodies import read_body
from api.books import find_program, ledger_of, open_book
from api.documents import read_json
from api.headers import content_length
from api.problems import DocumentTooLarge
from api.queries import AnyText, bad_parameter, read_limit, read_query, read_whole
from api.routing import caller_of, open_to
from api.rules import DOCUMENT_BYTES_MAX
from api.schemas import CUSTOMER_PATTERN
from ledger import store
from ledger.adjustments import register
from ledger.approving import order
from ledger.correcting import Outcome, survey, totals, tried
from ledger.corrections import Correction, read_order
from ledger.instants import show
from ledger.leasing import lent

LIMIT = 100
LIMIT_MAX = 1_000

_CUSTOMER = re.compile(CUSTOMER_PATTERN)
_NUMBER = re.compile(r"[0-9a-f-]{36}\Z")


@open_to(Scope.ADMIN)
async def order_correction(request: Request) -> Whole:
    """Order a correction (201), or with `dry_run=true` say what it would come to (200) and write nothing."""
    query = read_query(request, dry_run=("true", "false"), limit=AnyText)
    limit = read_limit(query, default=LIMIT, most=LIMIT_MAX)
    program, ledger = await find_program(request), ledger_of(request)
    body = await read_body(request.receive, content_length(request.scope), DOCUMENT_BYTES_MAX, DocumentTooLarge)
    sent = read_json(body)
    if query.get("dry_run") != "true":
        ordered = await order(ledger, program, sent, actor=caller_of(request).principal)
        return json_answer(shown(ordered, is_done=False), 201)
    state, now = program.state, ledger.now()
    latest = state.rules.latest
    content = read_order(sent, versions=latest.version, refunds=latest.document.refunds, now=now)
    found = [
        outcome
        async for outcome in survey(ledger.pool, program.log_id, program.name, state, tried(content, now), now=now)
    ]
    return json_answer(surveyed(program.name, content, found, limit))


@open_to(Scope.ADMIN, Scope.AUDIT, Scope.FINANCE)
async def read_corrections(request: Request) -> Whole:
    """Every correction ordered, oldest first, and whether every customer is adjusted."""
    read_query(request)
    program = await find_program(request)
    unfinished = {one.id for _, one in await program.correcting.unfinished()}
    orders = program.state.corrections.values()
    return json_answer({"corrections": [shown(one, is_done=one.id not in unfinished) for one in orders]})


@open_to(Scope.ADMIN, Scope.AUDIT, Scope.FINANCE)
async def read_adjustments(request: Request) -> Whole:
    """The register of adjustments: who, when, how much, why, by what ticket, proposed and approved by whom."""
    query = read_query(request, customer=AnyText, correction=AnyText, after=AnyText, limit=AnyText)
    limit = read_limit(query, default=LIMIT, most=LIMIT_MAX)
    after = read_whole(query, "after", default=0)
    customer, correction = query.get("customer"), query.get("correction")
    if customer is not None and not _CUSTOMER.fullmatch(customer):
        raise bad_parameter("customer", "a customer's id")
    if correction is not None and not _NUMBER.match(correction):
        raise bad_parameter("correction", "a correction's id")
    program = await find_program(request)
    _, book = await open_book(request)
    async with lent(ledger_of(request).pool) as conn:
        last = (await store.read_logs(conn, [book.log_id]))[book.log_id].next_position - 1
        found = await register(
            conn,
            book.log_id,
            program.name,
            program.state,
            after=after,
            up_to=last,
            limit=limit + 1,
            customer=customer,
            correction=correction,
        )
    following = found[limit - 1]["position"] if len(found) > limit else None
    return json_answer({"adjustments": found[:limit], "next": following})


def shown(correction: Correction, *, is_done: bool) -> dict[str, Any]:
    """An order as answers show it."""
    return {
        "correction": correction.id,
        "status": "done" if is_done else "ordered",
        "hash": correction.hash,
        "ordered_by": correction.ordered_by,
        "ordered_at": show(correction.time),
        "change": correction.change,
        "order": correction.content,
    }


def surveyed(program: str, content: dict[str, Any], found: list[Outcome], limit: int | None) -> dict[str, Any]:
    """What an order would come to: the sums, and the customers, those whose points are spent first."""
    listed = sorted(found, key=lambda outcome: (-outcome.spent, outcome.customer))
    customers = [outcome.to_json() for outcome in (listed if limit is None else listed[:limit])]
    return {"program": program, "order": content, "totals": totals(found), "customers": customers}
