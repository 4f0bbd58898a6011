"""The read models: the process beside `ledger serve` that keeps them up to date, and `ledger rebuild`.

The process folds the log while the servers take events in; it is started again when it dies, and ends with who started it.
"""

import asyncio
from typing import Annotated

import typer

from api.commands.connecting import Database, connection, database
from api.commands.console import Bar, bar, say
from api.commands.running import FAILED, collect_rarely, run
from api.telemetry import configure_logging
from ledger import store
from ledger.settings import Settings
from projections.models import MODELS, Model
from projections.models.runner import Rebuilt, Runner, projecting_pool, rebuild

_EVERY = "all"


def project(service_url: str, log_level: str) -> None:
    """The process: one runner, for as long as it is let."""
    configure_logging(log_level)
    collect_rarely()
    run(_run(service_url))


async def _run(service_url: str) -> None:
    async with projecting_pool(service_url) as pool:
        await Runner(pool).run()


def rebuild_models(
    name: Annotated[str, typer.Argument(metavar="NAME|all", help=f"Which read model: {', '.join(MODELS)}, or all.")],
) -> None:
    """Build read models anew from the log, beside those that answer, and switch when they have caught up.

    Nothing that is read meanwhile is wrong or missing. Killed, it goes on where it was when it is run again. What it replaces is
    compared row for row. Exit status 1: rows differ, or a record cannot be folded.
    """
    if name != _EVERY and name not in MODELS:
        raise typer.BadParameter(f"there is no read model {name}; there are {', '.join(MODELS)}")
    models = list(MODELS.values()) if name == _EVERY else [MODELS[name]]
    with database(Settings.from_environment()) as at:
        done = run(_rebuild(at, models))
    if any(one.differing or one.stopped is not None for one in done):
        raise typer.Exit(FAILED)


async def _rebuild(at: Database, models: list[Model]) -> list[Rebuilt]:
    service_url = await at.service_url()
    done: list[Rebuilt] = []
    async with connection(service_url) as conn:
        logs = await store.list_logs(conn)
    async with projecting_pool(service_url) as pool:
        for model in models:
            with bar(f"building {model.name}", sum(log.next_position - 1 for log in logs)) as advance:
                done += await _rebuild_one(pool, model, logs, advance)
    return done


async def _rebuild_one(pool: store.Pool, model: Model, logs: list[store.Log], advance: Bar) -> list[Rebuilt]:
    done = []
    async for one in rebuild(pool, model, logs=logs, progress=advance):
        say(_said(one))
        done.append(one)
        await asyncio.sleep(0)
    return done


def _said(one: Rebuilt) -> str:
    named = f"{one.program}: {one.model}"
    if one.stopped is not None:
        return f"{named}: STOPPED at position {one.stopped.stopped_at:,}: {one.stopped.reason}; the live one answers on"
    built = f"{named}: {one.rows:,} rows from {one.records:,} records"
    if one.differing is None:
        return f"{built}; nothing to compare them with"
    if one.differing:
        return f"{built}; {one.differing:,} rows DIFFER from those replaced"
    return f"{built}, equal to those replaced, row for row"
