"""`ledger changes`: what needs two people, proposed, listed and approved."""

import getpass
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from api.changes import shown
from api.commands.connecting import Database, database, opened
from api.commands.console import say, show_table
from api.commands.options import PROGRAM, JsonOption, ProgramOption
from api.commands.running import run
from api.documents import read_yaml_with_marks
from api.importing.mapping import shipped_or_file
from ledger.approving import KINDS, approve, propose
from ledger.changes import Change
from ledger.settings import Settings

changes = typer.Typer(no_args_is_help=True, help="What needs two people: proposed by one, approved by another.")


@changes.command("propose")
def propose_change(
    file: Annotated[Path, typer.Argument(help="A rules document, or other content, in YAML or JSON.")],
    program: ProgramOption = PROGRAM,
    kind: Annotated[str, typer.Option(help=f"What it is: {', '.join(KINDS)}.")] = "rules",
) -> None:
    """Propose a change; prints its id and the hash of its content."""
    document, marks = read_yaml_with_marks(shipped_or_file(file))
    settings = Settings.from_environment()
    with database(settings) as at, marks.named():
        change = run(_propose(settings, at, program, kind, document))
    say(f"{program}: change {change.id} proposed by {change.proposed_by}, hash {change.hash}")


@changes.command("list")
def list_changes(program: ProgramOption = PROGRAM, *, as_json: JsonOption = False) -> None:
    """List every change, oldest first."""
    settings = Settings.from_environment()
    with database(settings) as at:
        found = run(_listed(settings, at, program))
    if as_json:
        say(orjson.dumps([shown(change) for change in found]).decode())
        return
    show_table(
        ["change", "kind", "proposed by", "approved by", "hash"],
        [(change.id, change.kind, change.proposed_by, change.approved_by, change.hash[:16]) for change in found],
    )


@changes.command("approve")
def approve_change(
    change: Annotated[str, typer.Argument(help="The change's id.")],
    content_hash: Annotated[str, typer.Option("--hash", help="The hash of the content that was looked at.")],
    program: ProgramOption = PROGRAM,
) -> None:
    """Approve a change that somebody else proposed; it happens at once."""
    settings = Settings.from_environment()
    with database(settings) as at:
        done = run(_approve(settings, at, program, change, content_hash))
    say(f"{program}: change {done.id} approved by {done.approved_by}")


async def _propose(settings: Settings, at: Database, name: str, kind: str, document: Any) -> Change:
    async with opened(settings, at) as ledger:
        return await propose(ledger, await ledger.find(name), kind, document, actor=principal())


async def _listed(settings: Settings, at: Database, name: str) -> list[Change]:
    async with opened(settings, at) as ledger:
        return list((await ledger.find(name)).state.changes.values())


async def _approve(settings: Settings, at: Database, name: str, change: str, content_hash: str) -> Change:
    async with opened(settings, at) as ledger:
        program = await ledger.find(name)
        done = await approve(ledger, program, change, content_hash, actor=principal())
        if done.kind == "correction":
            await program.correcting.run_once()
        return done


def principal() -> str:
    """Whoever is logged in here."""
    return f"cli:{getpass.getuser()}"
