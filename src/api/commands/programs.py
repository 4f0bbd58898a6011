"""`ledger programs`: which programs there are."""

from typing import Any

import orjson
import typer

from api.commands.connecting import Database, database, opened
from api.commands.console import say, show_table
from api.commands.options import JsonOption
from api.commands.running import run
from ledger import store
from ledger.instants import from_datetime, show
from ledger.leasing import lent
from ledger.service import Ledger
from ledger.settings import Settings

programs = typer.Typer(no_args_is_help=True, help="The programs of the database.")


@programs.command("list")
def list_programs(*, as_json: JsonOption = False) -> None:
    """List the programs."""
    settings = Settings.from_environment()
    with database(settings) as at:
        found = run(_programs(settings, at))
    if as_json:
        say(orjson.dumps(found).decode())
        return
    show_table(
        [
            "program",
            "records#",
            "rules#",
            "time zone",
            "currencies",
            "points scale#",
            "orders unique per",
            "last written",
        ],
        [tuple(program.values()) for program in found],
    )


async def _programs(settings: Settings, at: Database) -> list[dict[str, Any]]:
    async with opened(settings, at) as ledger:
        names = set(await ledger.programs())
        async with lent(ledger.pool) as conn:
            logs = await store.list_logs(conn)
        return [_described(ledger, log) for log in logs if log.program in names]


def _described(ledger: Ledger, log: store.Log) -> dict[str, Any]:
    latest = ledger.program(log.program).state.rules.latest
    block = latest.document.program
    return {
        "program": log.program,
        "records": log.next_position - 1,
        "rules": latest.version,
        "time_zone": block.time_zone,
        "currencies": ", ".join(block.currencies) or "any",
        "points_scale": block.points_scale,
        "order_scope": block.order_scope,
        "recorded_at": show(from_datetime(log.recorded_at)),
    }
