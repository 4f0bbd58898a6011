"""The HTTP face: the application, its routes, and what it opens and closes.

    create_app(opening, analyst) -> FastAPI    `opening` gives the ledger for the life of the application

Each server process has an application of its own, with its own ledger, keys and tail.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, cast

from fastapi import FastAPI
from starlette.routing import Router
from starlette.types import ASGIApp

from api import keys
from api.analysts import Analyst, Desk, Here
from api.auth import Keys
from api.openapi import complete, route
from api.routes import OPERATIONS
from api.routing import RawRoute
from api.tailing import Tail
from api.telemetry import Telemetry
from ledger import store
from ledger.service import Ledger
from ledger.store import Connection
from projections.twin.engines.on_duckdb import DuckDb

Opening = Callable[[], AbstractAsyncContextManager[Ledger]]

TITLE = "Customer-asset ledger"
VERSION = "1"


class LedgerApi(FastAPI):
    """FastAPI with our own layers around the routes."""

    def build_middleware_stack(self) -> ASGIApp:
        """Starlette's router inside Telemetry: FastAPI's layers serve dependencies, which no route here has."""
        return Telemetry(Router(self.routes, redirect_slashes=False, lifespan=self.router.lifespan_context))

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi(), OPERATIONS)
        return self.openapi_schema


def _here(ledger: Ledger) -> Analyst:
    return Here(Desk(ledger.pool, ledger.twin_dir, DuckDb()))


def create_app(opening: Opening, analyst: Callable[[Ledger], Analyst] = _here) -> LedgerApi:
    """The application.

    Args:
        opening: opens the ledger when the application starts and closes it when it ends.
        analyst: makes who answers metrics; one for the life of the application. Left out: this process.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opening() as ledger, _equipped(app, ledger, analyst(ledger)):
            yield

    app = LedgerApi(
        title=TITLE,
        version=VERSION,
        lifespan=lifespan,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.router.routes.extend(RawRoute(**route(operation)) for operation in OPERATIONS)
    return app


@asynccontextmanager
async def _equipped(app: FastAPI, ledger: Ledger, analyst: Analyst) -> AsyncIterator[None]:
    """Give the application what its endpoints use, and keep the tail looking."""
    tail = Tail(_next_positions(ledger))
    ledger.on_append = tail.grown
    app.state.ledger = ledger
    app.state.keys = Keys(lambda key_hash: keys.find(_connection(ledger), key_hash))
    app.state.tail = tail
    app.state.analyst = analyst
    looking = asyncio.create_task(tail.run())
    try:
        yield
    finally:
        tail.close()
        analyst.close()
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


def _next_positions(ledger: Ledger) -> Callable[[Iterable[int]], Any]:
    async def look_up(log_ids: Iterable[int]) -> dict[int, int]:
        logs = await store.read_logs(_connection(ledger), log_ids)
        return {log_id: log.next_position for log_id, log in logs.items()}

    return look_up


def _connection(ledger: Ledger) -> Connection:
    """The pool in a connection's place: each statement takes one and gives it back."""
    return cast("Connection", ledger.pool)
