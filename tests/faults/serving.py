"""A server process: the real application on a unix socket, with the faults its order names."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from api.app import create_app
from api.telemetry import configure_logging
from ledger.service import Ledger
from ledger.settings import Settings
from tests.faults import injection


def serve(order: dict[str, Any]) -> None:
    """Serve until killed, or until told to end well by SIGTERM."""
    configure_logging("warning")
    now = injection.install(order["faults"])

    @asynccontextmanager
    async def opening() -> AsyncIterator[Ledger]:
        settings = Settings(**order["settings"])
        async with Ledger.opened(settings, service_url=order["url"], now=now, works=order["works"]) as ledger:
            yield ledger

    config = uvicorn.Config(
        create_app(opening),
        uds=order["socket"],
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run()


def show_tasks(*_: Any) -> None:
    """Write into the log what every task waits for: a server that hangs is asked so."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
    sys.stderr.flush()
