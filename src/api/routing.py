"""Routes: FastAPI documents them, and nothing of it stands between the raw request and the endpoint.

Every endpoint says who may call it, `@open_to(Scope.READ, …)` or `@open_to_all`; one that says nothing cannot be routed.
An endpoint takes the request, whose `caller` is known by then, and returns its response (any ASGI application, so a stream
can read and write as it goes) or raises a LedgerError.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar

import structlog
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from api.auth import Caller, Keys, Scope
from api.problems import answered, problem_answer
from ledger.errors import DatabaseUnavailable, LedgerError
from ledger.leasing import UNREACHABLE

Endpoint = Callable[[Request], Awaitable[ASGIApp]]
AnEndpoint = TypeVar("AnEndpoint", bound=Endpoint)

log = structlog.get_logger("api")

_ACCESS: dict[Endpoint, frozenset[Scope] | None] = {}


def open_to(*any_of: Scope) -> Callable[[AnEndpoint], AnEndpoint]:
    """Any one of these scopes opens the endpoint, for the programs the key is bound to."""

    def declare(endpoint: AnEndpoint) -> AnEndpoint:
        _ACCESS[endpoint] = frozenset(any_of)
        return endpoint

    return declare


def open_to_all(endpoint: AnEndpoint) -> AnEndpoint:
    """No key is needed."""
    _ACCESS[endpoint] = None
    return endpoint


def access_of(endpoint: Endpoint) -> frozenset[Scope] | None:
    """The scopes any of which opens an endpoint; None = no key is needed.

    Raises:
        KeyError: the endpoint does not say.
    """
    return _ACCESS[endpoint]


def caller_of(request: Request) -> Caller:
    """Who sent the request."""
    caller: Caller = request.scope["caller"]
    return caller


class RawRoute(APIRoute):
    """A route whose endpoint gets the request as it came."""

    def __init__(self, path: str, endpoint: Endpoint, **described: Any) -> None:
        super().__init__(path, endpoint, **described)
        any_of = access_of(endpoint)
        self.app = _answering(endpoint if any_of is None else _admitting(endpoint, any_of))

    def matches(self, scope: AsgiScope) -> tuple[Match, AsgiScope]:
        """Whether the route is meant. FastAPI's own asks for the context of included routers first; there are none."""
        match, child_scope = Route.matches(self, scope)
        child_scope["route"] = self
        return match, child_scope

    async def handle(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer; see `matches`."""
        await Route.handle(self, scope, receive, send)


def _admitting(endpoint: Endpoint, any_of: frozenset[Scope]) -> Endpoint:
    async def admitted(request: Request) -> ASGIApp:
        scope = request.scope
        keys: Keys = scope["app"].state.keys
        caller = scope["caller"] = await keys.caller(scope)
        caller.check_program(scope["path_params"]["program"])
        caller.check_scope(any_of)
        return await endpoint(request)

    return admitted


def _turned_away(error: LedgerError, scope: AsgiScope) -> ASGIApp:
    if answered(error).status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("turned_away", request_id=scope["request_id"].decode(), code=error.code, **error.facts)
    return problem_answer(error)


def _answering(endpoint: Endpoint) -> ASGIApp:
    async def answer(scope: AsgiScope, receive: Receive, send: Send) -> None:
        try:
            response = await endpoint(Request(scope, receive, send))
        except LedgerError as error:
            response = _turned_away(error, scope)
        except UNREACHABLE as error:
            response = _turned_away(DatabaseUnavailable(reason=repr(error)), scope)
        await response(scope, receive, send)

    return answer
