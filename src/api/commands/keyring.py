"""`ledger keys`: who may call, for which programs, with which scopes. Needs the owner of the tables, not the service."""

from typing import Annotated

import orjson
import typer

from api import keys as stored
from api.auth import Scope
from api.commands.connecting import Database, connection, database
from api.commands.console import note, say, show_table
from api.commands.options import JsonOption
from api.commands.running import run
from api.keys import ListedKey
from api.scopes import holders
from ledger.errors import NotFound
from ledger.instants import from_datetime, show
from ledger.settings import Settings

keys = typer.Typer(
    no_args_is_help=True, help="API keys: made, listed, revoked. A key is shown once and stored nowhere."
)


@keys.command()
def create(
    principal: Annotated[str, typer.Argument(help="The person or service it stands for; the actor of what it posts.")],
    scope: Annotated[list[Scope], typer.Option("--scope", "-s", help="What it may do; may be given again.")],
    program: Annotated[
        list[str] | None,
        typer.Option("--program", "-p", metavar="NAME", help="A program it is bound to; left out: every program."),
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="A source it may post for; left out: any source.")] = None,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a key and print it, this once."""
    with database(Settings.from_environment()) as at:
        key = run(_create(at, principal, program, scope, source, label))
    say(key)
    note(
        f"key of {principal} for {', '.join(program) if program else 'every program'}: {', '.join(scope)}; it is not shown again"
    )


@keys.command("list")
def list_keys(*, as_json: JsonOption = False) -> None:
    """List the keys, revoked ones included, oldest first."""
    with database(Settings.from_environment()) as at:
        found = run(_list(at))
    if as_json:
        say(orjson.dumps([_json(key) for key in found]).decode())
        return
    columns = ["id", "principal", "programs", "scopes", "sources", "label", "created", "revoked"]
    show_table(columns, [tuple(_cell(value) for value in _json(key).values()) for key in found])


@keys.command("scopes")
def list_scopes(
    program: Annotated[
        str | None, typer.Option("--program", "-p", metavar="NAME", help="Only what reaches this program.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """List who holds which scope by keys that live."""
    with database(Settings.from_environment()) as at:
        found = holders(run(_list(at)), program)
    if as_json:
        say(orjson.dumps(found).decode())
        return
    rows = [(one["principal"], ", ".join(one["scopes"]), ", ".join(key["key"] for key in one["keys"])) for one in found]
    show_table(["principal", "scopes", "keys"], rows)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, as `ledger keys list` shows it, or the key itself.")],
) -> None:
    """End a key for ever; within seconds nobody is let in by it."""
    with database(Settings.from_environment()) as at:
        revoked = run(_revoke(at, key))
    if not revoked:
        raise NotFound("No such key lives.")
    say("revoked")


async def _create(
    at: Database, principal: str, programs: list[str] | None, scopes: list[Scope], sources: list[str] | None, label: str
) -> str:
    async with connection(at.url) as conn:
        return await stored.add(
            conn, principal=principal, programs=programs or None, scopes=scopes, sources=sources or None, label=label
        )


async def _list(at: Database) -> list[ListedKey]:
    async with connection(at.url) as conn:
        return await stored.listed(conn)


async def _revoke(at: Database, key: str) -> bool:
    async with connection(at.url) as conn:
        return await stored.revoke(conn, key)


def _json(key: ListedKey) -> dict[str, object]:
    return {
        "id": key.id,
        "principal": key.principal,
        "programs": key.programs,
        "scopes": key.scopes,
        "sources": key.sources,
        "label": key.label,
        "created_at": show(from_datetime(key.created_at)),
        "revoked_at": None if key.revoked_at is None else show(from_datetime(key.revoked_at)),
    }


def _cell(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
