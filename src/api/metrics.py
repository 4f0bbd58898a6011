"""Metrics of a whole program: which there are, and the answer to each at any pair of cut-offs."""

from starlette.requests import Request

from api.analysts import Analyst, MetricAsked, Subject
from api.answers import JSON, Whole, json_answer
from api.auth import Scope
from api.books import ledger_of, open_book
from api.queries import AnyText, read_cut_offs, read_query
from api.routing import open_to
from ledger import reading
from projections.metrics.answering import listing
from projections.metrics.asking import COMMON, find

CUT_OFFS = ("as_of", "known_at")


@open_to(Scope.READ, Scope.AUDIT, Scope.FINANCE)
async def list_metrics(request: Request) -> Whole:
    """Every metric with its sentence, its formula, its parameters, and what it can be asked by."""
    read_query(request)
    _, book = await open_book(request)
    return json_answer({"program": book.program, "metrics": listing()})


@open_to(Scope.READ, Scope.AUDIT, Scope.FINANCE)
async def read_metric(request: Request) -> Whole:
    """The answer of a metric, such as `customers` or `revenue@1`."""
    return await _answered(request, request.path_params["metric"])


@open_to(Scope.READ, Scope.AUDIT, Scope.FINANCE)
async def read_metric_in_a_sense(request: Request) -> Whole:
    """The answer of a metric that has several senses, such as `repurchase_rate/window`."""
    return await _answered(request, f"{request.path_params['metric']}/{request.path_params['sense']}")


async def _answered(request: Request, name: str) -> Whole:
    conn, book = await open_book(request)
    definition = find(name)
    known = (*CUT_OFFS, *COMMON, *(one.name for one in definition.parameters))
    query = read_query(request, **dict.fromkeys(known, AnyText))
    as_of, known_at = read_cut_offs(query)
    cut = await reading.cut_off(conn, book, now=ledger_of(request).now(), as_of=as_of, known_at=known_at)
    given = {key: value for key, value in query.items() if key not in CUT_OFFS}
    analyst: Analyst = request.app.state.analyst
    subject = Subject(book.log_id, book.program, book.zone.key)
    return Whole(200, await analyst.ask(MetricAsked(subject, cut, name, given)), JSON)
