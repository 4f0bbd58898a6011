"""For those who run the service: is it alive, is it ready, what does it measure. None of it needs a key or names anyone."""

import asyncio
from contextlib import suppress
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request

from api.answers import Whole, json_answer
from api.books import ledger_of
from api.problems import NotReady
from api.routing import open_to_all
from api.telemetry import exposition, show_backlogs, show_projections
from ledger.errors import DatabaseUnavailable
from ledger.leasing import lent
from projections.models.standing import read_standings

GAUGES_SECONDS_MAX = 2.0
"""A scrape is answered without the database's figures rather than not at all."""


@open_to_all
async def healthz(_request: Request) -> Whole:
    """The process lives and answers."""
    return json_answer({"status": "ok"})


@open_to_all
async def readyz(request: Request) -> Whole:
    """The service can take requests: migrated, UTF8, fsync and full_page_writes on, no standby, writers alive."""
    checks = await ledger_of(request).ready()
    if not all(checks.values()):
        raise NotReady(failed=sorted(name for name, passed in checks.items() if not passed))
    stopped = await _stopped(request)
    return json_answer({"status": "ready", "checks": checks, **({"stopped": stopped} if stopped else {})})


async def _stopped(request: Request) -> list[dict[str, Any]]:
    """The read models that stopped at a record they could not fold. The log goes on without them, so the service is ready."""
    with suppress(DatabaseUnavailable):
        async with lent(ledger_of(request).pool) as conn:
            return [one.shown() for one in await read_standings(conn) if one.stopped_at is not None]
    return []


@open_to_all
async def metrics(request: Request) -> Whole:
    """Metrics in Prometheus' text format. Where the database is away, its gauges show what they showed last."""
    with suppress(DatabaseUnavailable, TimeoutError):
        async with asyncio.timeout(GAUGES_SECONDS_MAX):
            ledger = ledger_of(request)
            show_backlogs(await ledger.backlogs())
            async with lent(ledger.pool) as conn:
                show_projections(await read_standings(conn))
    return Whole(200, exposition(), CONTENT_TYPE_LATEST)


@open_to_all
async def openapi(request: Request) -> Whole:
    """This document."""
    return json_answer(request.app.openapi())
