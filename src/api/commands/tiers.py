"""`ledger tiers`: tiers introduced on a program that runs."""

import getpass
from collections import Counter
from uuid import UUID, uuid4

import typer

from api.commands.connecting import Database, database, opened
from api.commands.console import bar, say
from api.commands.options import PROGRAM, ProgramOption
from api.commands.running import run
from ledger import store
from ledger.deciding import Command
from ledger.leasing import lent
from ledger.records import program_stream_id
from ledger.service import Ledger, Program
from ledger.settings import Settings

tiers = typer.Typer(no_args_is_help=True, help="Tiers introduced on a program that runs.")

SOURCE = "ledger:tiers"
AT_ONCE = 500
"""Customers of a page: each asks for the records of its stream."""


@tiers.callback()
def _several() -> None:
    """A group of commands, also while it has one."""


@tiers.command("introduce")
def introduce_tiers(program: ProgramOption = PROGRAM) -> None:
    """Count what every customer did before the program had tiers, and bring the tier it supports. Can be run again."""
    settings = Settings.from_environment()
    with database(settings) as at:
        found = run(_introduce(settings, at, program))
    say(f"{program}: {found['counted']} customers counted, {found['before']} before")


async def _introduce(settings: Settings, at: Database, name: str) -> Counter[str]:
    """How many were counted now, and how many had been before.

    Raises:
        LedgerError: the first no; what was counted by then stays, and is not counted again.
    """
    found: Counter[str] = Counter(counted=0, before=0)
    async with opened(settings, at) as ledger:
        program = await ledger.find(name)
        after: UUID | None = None
        with bar(f"introducing tiers in {name}") as done:
            while heads := await _page(ledger, program, after):
                after = heads[-1].stream_id
                customers = [head.customer_id for head in heads if head.stream_id != program_stream_id(name)]
                found += await _introduced(ledger, name, customers)
                done(len(customers))
    return found


async def _page(ledger: Ledger, program: Program, after: UUID | None) -> list[store.Head]:
    async with lent(ledger.pool) as conn:
        return await store.list_heads(conn, program.log_id, after=after, limit=AT_ONCE)


async def _introduced(ledger: Ledger, name: str, customers: list[str]) -> Counter[str]:
    now, actor = ledger.now(), f"cli:{getpass.getuser()}"
    commands = [Command(SOURCE, str(uuid4()), "tier.introduced", customer, now, {}, actor) for customer in customers]
    found: Counter[str] = Counter()
    for answer in await ledger.post_many(name, commands):
        if answer.error is not None:
            raise answer.error
        receipt = answer.receipt or {}
        found["before" if receipt["status"] == "replayed" else "counted"] += 1
    return found
