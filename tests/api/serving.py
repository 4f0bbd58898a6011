"""A server of the API for tests: the real application under uvicorn, in a thread, on a real database."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

import asyncpg
import httpx
import uvicorn

from api import keys
from api.app import LedgerApi, create_app
from api.auth import Scope
from ledger.instants import show
from ledger.service import Ledger, wall_clock
from ledger.settings import Settings
from tests.postgres import Database

STARTED_SECONDS_MAX = 20.0
TIMEOUT_SECONDS = 30.0

STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
NDJSON = {"Content-Type": "application/x-ndjson"}

Answer = TypeVar("Answer")

_numbers = itertools.count(1)


class Service:
    """One running server and its database."""

    def __init__(self, database: Database, settings: Settings | None = None) -> None:
        self.database = database
        self.settings = settings or Settings()
        self.app: LedgerApi = create_app(self._opening)
        config = uvicorn.Config(
            self.app,
            port=0,
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=2,
        )
        self.server = uvicorn.Server(config)
        self._clients: list[httpx.Client] = []
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()
        self._await_start()
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"
        self.admin_key = self.key(Scope.ADMIN, principal="root")

    def _await_start(self) -> None:
        waited = threading.Event()
        for _ in range(int(STARTED_SECONDS_MAX / 0.01)):
            if self.server.started:
                return
            if not self._thread.is_alive():
                break
            waited.wait(0.01)
        raise RuntimeError("the server did not start")

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        self.app.state.tail.close()
        self.server.should_exit = True
        self._thread.join(STARTED_SECONDS_MAX)

    def key(
        self,
        *scopes: Scope,
        programs: Sequence[str] | None = None,
        sources: Sequence[str] | None = None,
        principal: str = "pos",
    ) -> str:
        """A fresh key."""
        return self.as_owner(
            lambda conn: keys.add(conn, principal=principal, programs=programs, scopes=scopes, sources=sources)
        )

    def as_owner(self, do: Callable[[Any], Awaitable[Answer]]) -> Answer:
        """Run something on a connection of the tables' owner."""

        async def done() -> Answer:
            conn = await asyncpg.connect(self.database.owner_url)
            try:
                return await do(conn)
            finally:
                await conn.close()

        return asyncio.run(done())

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        """A client with the admin key, or another; `key=""` sends none."""
        sent = self.admin_key if key is None else key
        headers = {"Authorization": f"Bearer {sent}"} if sent else {}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT_SECONDS, trust_env=False, **options)
        self._clients.append(client)
        return client

    @asynccontextmanager
    async def _opening(self) -> AsyncIterator[Ledger]:
        async with Ledger.opened(self.settings, service_url=self.database.service_url) as ledger:
            yield ledger


@dataclass
class Shop:
    """A program of a test's own, with a client that may do everything."""

    service: Service
    client: httpx.Client
    program: str

    @property
    def events(self) -> str:
        return f"/v1/programs/{self.program}/events"

    def customer(self, customer: str) -> str:
        return f"/v1/programs/{self.program}/customers/{customer}"

    def post(self, event: dict[str, Any], **options: Any) -> httpx.Response:
        headers = STRUCTURED | options.pop("headers", {})
        return self.client.post(self.events, json=event, headers=headers, **options)

    def post_batch(self, events: list[Any]) -> httpx.Response:
        return self.client.post(self.events, json=events, headers=BATCH)

    def with_key(self, key: str) -> "Shop":
        return Shop(self.service, self.service.client(key), self.program)


def await_that(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds; fail when it does not in time."""
    until = monotonic() + seconds
    while not holds():
        if monotonic() > until:
            raise AssertionError("it did not come to hold in time")
        threading.Event().wait(0.01)


def fresh(prefix: str) -> str:
    """A name nobody has used before in this process."""
    return f"{prefix}-{next(_numbers)}"


def event(event_type: str, customer: str, data: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    """A CloudEvent that happened a minute ago, or as the attributes say; an attribute None is left out."""
    whole = {
        "specversion": "1.0",
        "id": fresh("e"),
        "source": "/pos/sz-001",
        "type": event_type,
        "subject": customer,
        "time": show(wall_clock() - 60_000_000),
        "data": data,
        **attributes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def purchase(customer: str, total: int = 8588, **attributes: Any) -> dict[str, Any]:
    """A purchase; by default rules it earns a point for each whole unit of currency."""
    data = {"order_id": fresh("SO"), "currency": "CNY", "total": total}
    return event("purchase.recorded", customer, data, **attributes)


def redemption(customer: str, points: int, **attributes: Any) -> dict[str, Any]:
    return event("points.redeemed", customer, {"redemption_id": fresh("R"), "points": points}, **attributes)


def grant(customer: str, points: int, **attributes: Any) -> dict[str, Any]:
    return event("points.granted", customer, {"points": points, "reason": "goodwill"}, **attributes)


def code_of(answer):
    """The code of a problem document, whose form is checked on the way."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].endswith(problem["code"])
    assert {"title", "detail", "retryable"} <= problem.keys()
    return problem["code"]
