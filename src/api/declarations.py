"""Declarations: what the sources say they sold on a business day, compared with the log."""

from datetime import date

from starlette.requests import Request

from api.answers import Whole, json_answer
from api.auth import Scope
from api.books import open_book
from api.openapi import Operation, good, parameter
from api.queries import AnyText, bad_parameter, read_query
from api.routing import open_to
from api.schemas import PROGRAM_PATTERN, ref
from ledger import declaring
from ledger.declaring import STATUSES

FIRST_YEAR, LAST_YEAR = 1900, 9998
"""Of the instants there are; see `ledger.instants`."""

EXAMPLE = {
    "program": "default",
    "business_day": "2026-11-21",
    "position": 4180,
    "declarations": [
        {
            "source": "/pos/sz-001",
            "store": "SZ-001",
            "currency": "CNY",
            "found": {
                "orders": 403,
                "gross": 1923400,
                "refunds": 12900,
                "net": 1910500,
                "hash": "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8",
            },
            "status": "open",
            "declared": {"orders": 412, "gross": 1968200, "refunds": 12900, "net": 1955300},
            "differences": [
                {"field": "orders", "declared": 412, "found": 403},
                {"field": "gross", "declared": 1968200, "found": 1923400},
                {"field": "net", "declared": 1955300, "found": 1910500},
            ],
            "missing": None,
            "extra": None,
            "declared_in": 4180,
        }
    ],
}


@open_to(Scope.READ, Scope.AUDIT, Scope.FINANCE)
async def read_declarations(request: Request) -> Whole:
    """What each till declared for a business day, what of it arrived, and what differs."""
    query = read_query(request, business_day=AnyText, status=STATUSES)
    day = _read_day(query.get("business_day"))
    conn, book = await open_book(request)
    answer = await declaring.declarations(conn, book, day)
    if "status" in query:
        answer["declarations"] = [one for one in answer["declarations"] if one["status"] == query["status"]]
    return json_answer(answer)


def _read_day(text: str | None) -> date:
    try:
        day = date.fromisoformat(text or "")
    except ValueError as error:
        raise bad_parameter("business_day", "a date such as 2026-11-21") from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise bad_parameter("business_day", f"a date of the years {FIRST_YEAR} to {LAST_YEAR}")
    return day


OPERATION = Operation(
    "GET",
    "/v1/programs/{program}/declarations",
    read_declarations,
    "declarations",
    {200: good("Every till that declared the day or sold on it.", ref("Declarations"), EXAMPLE)},
    problems=(400, 404),
    parameters=(
        parameter("program", "path", "The program's name.", {"type": "string", "pattern": PROGRAM_PATTERN}, "default"),
        {
            **parameter(
                "business_day", "query", "Which business day.", {"type": "string", "format": "date"}, "2026-11-21"
            ),
            "required": True,
        },
        parameter("status", "query", "Only these.", {"enum": list(STATUSES)}),
    ),
)
