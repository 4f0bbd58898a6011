"""Reports over HTTP: the points owed, as JSON, CSV, Parquet or a workbook, and the records behind a line."""

import asyncio
import re

import orjson
from starlette.requests import Request

from api.analysts import Analyst, PointRecordsAsked, PointsAsked, Subject
from api.answers import JSON, Whole
from api.auth import Scope
from api.books import ledger_of, open_book
from api.queries import AnyText, bad_parameter, read_cut_offs, read_limit, read_query, read_whole
from api.routing import open_to
from projections.reports.asking import NO_MONEY, Behind, Question
from projections.reports.formats import FORMATS, TABLES
from projections.reports.points import DIMENSIONS

LIMIT = 100
LIMIT_MAX = 10_000
UNKNOWN = "none"
"""How a dimension's value that is not known is asked for."""

TEXT_MAX = 256

_LINE = re.compile(r"[a-z_]{1,64}\Z")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


@open_to(Scope.FINANCE, Scope.AUDIT)
async def read_points_report(request: Request) -> Whole:
    """Points owed: what is outstanding, how it came to be, and what it is worth."""
    query = read_query(
        request,
        **{"from": AnyText, "as_of": AnyText, "known_at": AnyText, "money": AnyText},
        format=("json", *FORMATS),
        table=TABLES,
    )
    question = _question(query)
    _, reader = await open_book(request)
    subject = Subject(reader.log_id, reader.program, reader.zone.key)
    analyst: Analyst = request.app.state.analyst
    answered = await analyst.ask(PointsAsked(subject, ledger_of(request).now(), question))
    kind = query.get("format", "json")
    if kind == "json":
        return Whole(200, answered, JSON)
    media_type, write = FORMATS[kind]
    report = orjson.loads(answered)
    body = await asyncio.to_thread(write, report, query.get("table", TABLES[0]))
    name = f"points-{reader.program}-{report['as_of'][:10]}.{kind}"
    return Whole(200, body, media_type, {"Content-Disposition": f'attachment; filename="{name}"'})


@open_to(Scope.FINANCE, Scope.AUDIT)
async def read_points_report_records(request: Request) -> Whole:
    """The records behind one line of the points report, a page at a time."""
    query = read_query(
        request,
        **{"from": AnyText, "as_of": AnyText, "known_at": AnyText, "line": AnyText, "detail": AnyText},
        **dict.fromkeys(DIMENSIONS, AnyText),
        after=AnyText,
        limit=AnyText,
    )
    if not _LINE.match(query.get("line", "")):
        raise bad_parameter("line", "a line of the roll-forward, such as granted")
    for name in ("detail", *DIMENSIONS):
        if name in query and not 1 <= len(query[name]) <= TEXT_MAX:
            raise bad_parameter(name, f"1 to {TEXT_MAX} characters")
    chosen = {name: _value(query[name]) for name in DIMENSIONS if name in query}
    after = read_whole(query, "after", default=0)
    limit = read_limit(query, default=LIMIT, most=LIMIT_MAX)
    behind = Behind(query["line"], query.get("detail"), chosen, after, limit)
    _, reader = await open_book(request)
    subject = Subject(reader.log_id, reader.program, reader.zone.key)
    analyst: Analyst = request.app.state.analyst
    question = _question({**query, "money": NO_MONEY})
    return Whole(200, await analyst.ask(PointRecordsAsked(subject, ledger_of(request).now(), question, behind)), JSON)


def _question(query: dict[str, str]) -> Question:
    as_of, known_at = read_cut_offs(query)
    since, _ = read_cut_offs({"as_of": query["from"]}) if "from" in query else (None, None)
    money = query.get("money")
    if money is not None and money != NO_MONEY and not _CURRENCY.match(money):
        raise bad_parameter("money", f"a currency such as CNY, or {NO_MONEY}")
    return Question(as_of, known_at, since, money)


def _value(text: str) -> str | None:
    return None if text == UNKNOWN else text
