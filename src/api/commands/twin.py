"""`ledger twin`: the log as typed Parquet, built, verified and removed."""

import re
from typing import Annotated

import orjson
import typer

from api.commands.connecting import Database, database, opened
from api.commands.console import bar, say
from api.commands.options import PROGRAM, JsonOption, ProgramOption
from api.commands.running import FAILED, run
from api.commands.sealing import watch_twin
from ledger import store
from ledger.leasing import lent
from ledger.reading import Book
from ledger.service import Ledger
from ledger.settings import Settings
from projections.twin.building import Built, Part, build, verify
from projections.twin.mirror import mirror_of
from projections.twin.ranges import RANGE, directory_of, remove

twin = typer.Typer(no_args_is_help=True, help="The columnar twin: whole ranges of a program's log as typed Parquet.")
twin.command("watch")(watch_twin)


@twin.command("build")
def build_twin(
    program: ProgramOption = PROGRAM,
    part: Annotated[
        str, typer.Option(metavar="K/N", help="Seal every N-th range from the K-th on: N builders share a log.")
    ] = "1/1",
    *,
    as_json: JsonOption = False,
) -> None:
    """Seal every whole range of the log that is not sealed yet. Killed, it goes on where it was."""
    settings, share = Settings.from_environment(), _part(part)
    with database(settings) as at:
        built = run(_build(settings, at, program, share))
    if as_json:
        say(orjson.dumps(built).decode())
        return
    say(
        f"{program}: {built.ranges:,} ranges of {RANGE:,} sealed, {built.before:,} were before; "
        f"sealed through position {built.sealed_through:,}, {built.tail:,} records behind it"
    )
    say(f"in {directory_of(settings.twin, program)}")


@twin.command("verify")
def verify_twin(program: ProgramOption = PROGRAM) -> None:
    """Build every sealed range again from the log and compare it byte by byte. Exit status 1: something differs."""
    settings = Settings.from_environment()
    with database(settings) as at:
        differences = run(_verify(settings, at, program))
    for difference in differences:
        say(f"DIFFERS  {difference}")
    if differences:
        raise typer.Exit(FAILED)
    say(f"{program}: nothing differs")


@twin.command("remove")
def remove_twin(
    program: ProgramOption = PROGRAM,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the twin of a program. Nothing is lost: the next question or `ledger twin build` makes it again."""
    where = Settings.from_environment().twin
    directory, mirror = directory_of(where, program), mirror_of(where, program)
    if not yes:
        also = "" if mirror is None else ", here and in object storage"
        typer.confirm(f"Remove {directory}{also}?", abort=True)
    if mirror is not None:
        mirror.remove()
    say(f"{program}: {remove(directory):,} ranges removed")


def _part(text: str) -> Part:
    match = _PART.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise typer.BadParameter("two whole numbers such as 1/4, the first not above the second", param_hint="--part")
    return Part(int(match[1]), int(match[2]))


_PART = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


async def _build(settings: Settings, at: Database, program: str, part: Part) -> Built:
    async with opened(settings, at) as ledger, lent(ledger.pool) as conn:
        book, last = await _book(ledger, program)
        with bar("building the twin", last) as advance:
            return await build(conn, book, settings.twin, last=last, part=part, progress=advance)


async def _verify(settings: Settings, at: Database, program: str) -> list[str]:
    async with opened(settings, at) as ledger, lent(ledger.pool) as conn:
        book, last = await _book(ledger, program)
        with bar("verifying the twin", last) as advance:
            return await verify(conn, book, settings.twin, progress=advance)


async def _book(ledger: Ledger, name: str) -> tuple[Book, int]:
    """The book of a program and its last position."""
    program = await ledger.find(name)
    async with lent(ledger.pool) as conn:
        log = (await store.read_logs(conn, [program.log_id]))[program.log_id]
    book = Book(program.log_id, name, program.state.rules.latest.document.zone, program.state)
    return book, log.next_position - 1
