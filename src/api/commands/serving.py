"""`ledger serve`: database up, migrated, first program and key made, then the API in one process or several.

The listening socket is opened first, so that a taken port is said at once. The workers share it; each has a ledger of its
own on the one database, and the parent keeps the embedded database and starts a worker again that dies.
"""

import asyncio
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated

import orjson
import typer
import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from api import keys
from api.analysts import Apart
from api.app import create_app
from api.commands.beside import beside
from api.commands.connecting import Database, NotReady, connection, database, shown, where
from api.commands.console import note, say
from api.commands.projecting import project
from api.commands.running import collect_rarely, run
from api.commands.sealing import seal
from api.commands.upkeep import first_key
from api.telemetry import configure_logging
from ledger.migrating import migrate
from ledger.service import Ledger
from ledger.settings import Settings
from projections.twin.engines import engine_of

WORKERS_MAX = 64
BACKLOG = 2048
GRACE_SECONDS = 10
"""How long requests may go on after the service was told to stop; those who follow a feed are cut off then."""

WORKER_SECONDS_MAX = 60
"""How long a worker may take to start, or to show that it lives, before it is replaced."""

ORPHAN_SECONDS = 1.0
ORPHAN_GRACE_SECONDS = GRACE_SECONDS + 5
READY_SECONDS_MAX = 120.0
POLL_SECONDS = 0.05

_FIRST_START = 0x6C656467_66737473
"""Advisory lock under which the first start makes its program and its key: two servers that start at once."""


@dataclass(frozen=True, slots=True)
class Application:
    """Makes the application of a server process; it is handed to new processes, so it holds nothing but words."""

    settings: Settings
    service_url: str
    started_by: int

    def __call__(self) -> FastAPI:
        """The application, with a ledger of its own once it starts."""
        configure_logging(self.settings.log_level)
        if os.getpid() != self.started_by:
            threading.Thread(target=_end_with, args=(self.started_by,), daemon=True).start()
        collect_rarely()
        engine_of(self.settings)  # what it needs and is not there is said at the start
        return create_app(
            partial(Ledger.opened, self.settings, service_url=self.service_url),
            lambda _: Apart(self.settings, self.service_url),
        )


def serve(
    workers: Annotated[int, typer.Option(min=1, max=WORKERS_MAX, help="Server processes on the one database.")] = 1,
) -> None:
    """Serve the API until told to stop.

    Without LEDGER_DATABASE_URL an embedded PostgreSQL is started in LEDGER_DATA_DIR. The database is migrated; an empty one
    gets the program `default` and an admin key in LEDGER_DATA_DIR/admin.key.
    """
    settings = Settings.from_environment()
    engine_of(settings)  # what it needs is missed now, not at the first question
    with _told_to_stop(), _listening(settings) as listener, database(settings, make=True) as at:
        service_url = run(_prepared(settings, at))
        address = _address(listener)
        threading.Thread(target=_greet, args=(address, settings), daemon=True).start()
        with _beside(settings, service_url):
            _serve(Application(settings, service_url, os.getpid()), listener, workers)


async def _prepared(settings: Settings, at: Database) -> str:
    """Migrate, and make what a first start makes; the URL the service connects with."""
    is_service = await at.is_service()
    if is_service:
        note("LEDGER_DATABASE_URL is the service's own: not migrated here, no keys made here")
    else:
        await asyncio.to_thread(migrate, at.url)
    service_url = await at.service_url()
    async with connection(at.url) as conn:
        await conn.execute("SELECT pg_advisory_lock($1)", _FIRST_START)
        async with Ledger.opened(settings, service_url=service_url, works=False):
            pass
        if not is_service:
            await first_key(at, settings)
    return service_url


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """Let SIGTERM and SIGINT unwind what has been started, whenever they come."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _beside(settings: Settings, service_url: str) -> Iterator[None]:
    """What follows the log in processes of its own: the read models and the twin."""
    with ExitStack() as processes:
        processes.enter_context(beside("projections", project, service_url, settings.log_level))
        if settings.twin_seal:
            processes.enter_context(beside("twin", seal, service_url, settings))
        yield


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket.

    Raises:
        NotReady: the address cannot be had.
    """
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        raise NotReady(
            f"cannot listen on {settings.host}:{settings.port}: {reason}; LEDGER_PORT names another"
        ) from None
    with listener:
        yield listener


def _serve(application: Application, listener: socket.socket, workers: int) -> None:
    """Serve until told to stop."""
    config = uvicorn.Config(
        application,
        factory=True,
        loop="uvloop" if os.name == "posix" else "auto",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        workers=workers,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=WORKER_SECONDS_MAX,
    )
    if workers == 1:
        server = uvicorn.Server(config)
        server.run([listener])
        if not server.started:
            raise NotReady("the service did not start; its log says why")
        return
    with TemporaryDirectory(prefix="ledger-metrics-") as metrics:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        listener.set_inheritable(True)
        supervisor = Multiprocess(config, sockets=[listener])
        supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            raise NotReady("a worker did not start; its log says why")


def _end_with(parent: int) -> None:
    """End this worker when its parent has: a parent that was killed takes nobody with it, and the port would stay taken."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_GRACE_SECONDS)
    os._exit(1)  # it could not end by itself: the embedded database, say, is gone with the parent


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{reachable}:{port}"


def _greet(address: str, settings: Settings) -> None:
    """Say where everything is, once the service answers."""
    if not _answers_in_time(address):
        return
    key_file = settings.data_dir / keys.FIRST_KEY_FILE
    failed = _not_ready(address)
    say(
        f"The ledger is ready at {address}"
        if not failed
        else f"The ledger answers at {address} but is NOT READY: {failed}"
    )
    say(f"  admin key  {shown(key_file)}" if key_file.exists() else "  keys       ledger keys list")
    say(f"  database   {where(settings)}")
    say(f"  API        {address}/openapi.json")


def _answers_in_time(address: str) -> bool:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        with suppress(OSError), _OPENER.open(f"{address}/healthz", timeout=READY_SECONDS_MAX):
            return True
        time.sleep(POLL_SECONDS)
    return False


def _not_ready(address: str) -> str:
    """What keeps the service from being ready; nothing if it is."""
    try:
        with _OPENER.open(f"{address}/readyz", timeout=READY_SECONDS_MAX):
            return ""
    except urllib.error.HTTPError as error:
        facts = orjson.loads(error.read()).get("facts", {})
        return ", ".join(facts.get("failed", ())) or error.reason
    except OSError as error:
        return str(error)


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
