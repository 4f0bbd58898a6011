"""`ledger programs` and `ledger rules`: which programs there are, and what their rules say."""

import difflib
import getpass
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import yaml

from api.commands.connecting import Database, database, opened
from api.commands.console import note, say, show_table
from api.commands.options import PROGRAM, JsonOption, ProgramOption
from api.commands.running import FAILED, run
from api.documents import read_yaml
from api.importing.mapping import shipped_or_file
from ledger import store
from ledger.errors import NotFound
from ledger.instants import EARLIEST, from_datetime, show
from ledger.leasing import lent
from ledger.rules import Rulebook, RulesDocument, RuleVersion, read_document
from ledger.service import Ledger
from ledger.settings import Settings

programs = typer.Typer(no_args_is_help=True, help="The programs of the database.")
rules = typer.Typer(no_args_is_help=True, help="The rules of a program: published whole, every version kept.")


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


@rules.command()
def publish(
    file: Annotated[Path, typer.Argument(help="A rules document in YAML or JSON, or the name of a shipped one.")],
    program: ProgramOption = PROGRAM,
) -> None:
    """Publish a rules document. A program that is not there yet is made; the same document again changes nothing."""
    settings = Settings.from_environment()
    with database(settings) as at:
        version, before = run(_publish(settings, at, program, read_yaml(shipped_or_file(file))))
    if before == version.version:
        say(f"{program}: nothing has changed since version {before}")
    else:
        say(f"{program}: version {version.version}, {_since(version)}")


@rules.command("show")
def show_rules(
    program: ProgramOption = PROGRAM,
    version: Annotated[int | None, typer.Option(min=1, help="Which version; left out: the last one.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Print a program's rules."""
    settings = Settings.from_environment()
    with database(settings) as at:
        chosen = _version(run(_rulebook(settings, at, program)), version)
    note(f"{program}: version {chosen.version}, {_since(chosen)}")
    document = chosen.document.model_dump(mode="json", exclude_none=True)
    say(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() if as_json else _yaml(chosen.document).rstrip())


@rules.command()
def diff(
    file: Annotated[Path | None, typer.Argument(help="Compare this document with the program's rules.")] = None,
    program: ProgramOption = PROGRAM,
    old: Annotated[
        int | None,
        typer.Option("--from", min=1, help="The older version; left out: the one before, or with FILE the last."),
    ] = None,
    new: Annotated[int | None, typer.Option("--to", min=1, help="The newer version; left out: the last one.")] = None,
) -> None:
    """Say what differs between two versions of the rules, or between a document and them. Exit status 1: something does."""
    settings = Settings.from_environment()
    if file is not None and new is not None:
        raise typer.BadParameter("give FILE or --to, not both")
    with database(settings) as at:
        book = run(_rulebook(settings, at, program))
    if file is None:
        after = _version(book, new)
        before = _version(book, old or max(1, after.version - 1))
        changed = _differences(before.document, f"version {before.version}", after.document, f"version {after.version}")
    else:
        before = _version(book, old)
        document = read_document(read_yaml(shipped_or_file(file)))
        changed = _differences(before.document, f"version {before.version}", document, str(file))
    for line in changed:
        say(line)
    if changed:
        raise typer.Exit(FAILED)


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


async def _publish(settings: Settings, at: Database, program: str, document: Any) -> tuple[RuleVersion, int | None]:
    """The version that holds now, and the one that did before."""
    async with opened(settings, at) as ledger:
        known = program in await ledger.programs()
        before = ledger.program(program).state.rules.latest.version if known else None
        return await ledger.publish(program, document, actor=f"cli:{getpass.getuser()}"), before


async def _rulebook(settings: Settings, at: Database, program: str) -> Rulebook:
    async with opened(settings, at) as ledger:
        return (await ledger.find(program)).state.rules


def _version(book: Rulebook, number: int | None) -> RuleVersion:
    if number is None:
        return book.latest
    for version in book.versions:
        if version.version == number:
            return version
    raise NotFound(f"There is no version {number}; the last one is {book.latest.version}.")


def _since(version: RuleVersion) -> str:
    return (
        "in force from ever" if version.effective_from == EARLIEST else f"in force from {show(version.effective_from)}"
    )


def _yaml(document: RulesDocument) -> str:
    return yaml.safe_dump(document.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True)


def _differences(before: RulesDocument, old: str, after: RulesDocument, new: str) -> list[str]:
    return list(difflib.unified_diff(_yaml(before).splitlines(), _yaml(after).splitlines(), old, new, lineterm=""))
