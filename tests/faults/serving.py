"""A server process: the real application on a unix socket, with the faults its order names."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
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
        injection.report()

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
        print(task.get_name(), *_awaiting(task.get_coro()), sep="\n    ", file=sys.stderr)  # noqa: T201 - into the log
    sys.stderr.flush()


def _awaiting(work: Any) -> Iterator[str]:
    """The frames of a suspended coroutine, innermost last; also through the one that counts its steps."""
    while work is not None:
        frame = getattr(work, "cr_frame", None) or getattr(work, "gi_frame", None) or getattr(work, "ag_frame", None)
        if frame is None:
            yield repr(work)
            return
        yield f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}"
        inner = getattr(work, "cr_await", None) or getattr(work, "gi_yieldfrom", None)
        work = frame.f_locals.get("work") if frame.f_code.co_name == "_watched" else inner
