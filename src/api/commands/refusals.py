"""`ledger refusals`: what was decided against and kept."""

from typing import Annotated, Any

import orjson
import typer

from api.commands.connecting import Database, database, opened
from api.commands.console import note, say, show_table
from api.commands.options import PROGRAM, JsonOption, ProgramOption
from api.commands.running import FAILED, run
from ledger import store
from ledger.answers import command_of
from ledger.errors import NotFound
from ledger.instants import from_datetime, show
from ledger.leasing import lent
from ledger.records import source_key
from ledger.service import Ledger, Program
from ledger.settings import Settings
from ledger.store import Refusal

PAGE = 500
STATUSES = ("final", "waiting", "settled", "waived")

refusals = typer.Typer(
    no_args_is_help=True, help="What was decided against: refused for good, or waiting for what it needs."
)

SourceArgument = Annotated[str | None, typer.Argument(help="Source of one event; left out: every one that waits.")]
IdArgument = Annotated[str | None, typer.Argument(help="Its id.")]


@refusals.command("list")
def list_refusals(
    program: ProgramOption = PROGRAM,
    status: Annotated[
        list[str] | None, typer.Option(help=f"Only these: {', '.join(STATUSES)}; may be given again.")
    ] = None,
    customer: Annotated[str | None, typer.Option(help="Only this customer's.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """List refusals, oldest first."""
    unknown = set(status or ()) - set(STATUSES)
    if unknown:
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))}: there are {', '.join(STATUSES)}", param_hint="--status"
        )
    with database(Settings.from_environment()) as at:
        run(_list(at, program, status, customer, as_json=as_json))


@refusals.command()
def retry(source: SourceArgument = None, event_id: IdArgument = None, program: ProgramOption = PROGRAM) -> None:
    """Try what waits once more. The service does so by itself when what it waits for arrives."""
    if (source is None) != (event_id is None):
        raise typer.BadParameter("give both SOURCE and ID, or neither")
    with database(Settings.from_environment()) as at:
        run(_retry(at, program, source, event_id))


@refusals.command()
def waive(
    source: Annotated[str, typer.Argument(help="Source of the event.")],
    event_id: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    program: ProgramOption = PROGRAM,
) -> None:
    """Stop waiting for good: the event stays refused, whatever arrives, and its key stays spent."""
    with database(Settings.from_environment()) as at:
        run(_waive(at, program, source, event_id))


async def _list(at: Database, name: str, statuses: list[str] | None, customer: str | None, *, as_json: bool) -> None:
    async with opened(Settings.from_environment(), at) as ledger:
        found = await _all(ledger, await ledger.find(name), statuses, customer)
    if as_json:
        for refusal in found:
            say(orjson.dumps(_json(refusal)).decode())
        return
    columns = ["status", "refused at", "customer", "type", "code", "source", "id", "why"]
    show_table(columns, [_row(refusal) for refusal in found])
    note(f"{len(found):,} refusals")


async def _retry(at: Database, name: str, source: str | None, event_id: str | None) -> None:
    async with opened(Settings.from_environment(), at) as ledger:
        program = await ledger.find(name)
        if source is None or event_id is None:
            due = await _all(ledger, program, ["waiting"], None)
        else:
            due = [await _one(ledger, program, source, event_id)]
        for start in range(0, len(due), PAGE):
            commands = [command_of(refusal.event) for refusal in due[start : start + PAGE]]
            for command, answer in zip(commands, await ledger.post_many(name, commands), strict=True):
                became = answer.status if answer.error is None else f"refused: {answer.error.message}"
                say(f"{command.source} {command.id}: {became}")


async def _waive(at: Database, name: str, source: str, event_id: str) -> None:
    async with opened(Settings.from_environment(), at) as ledger:
        program = await ledger.find(name)
        refusal = await _one(ledger, program, source, event_id)
        async with lent(ledger.pool) as conn:
            waived = await store.waive_refusal(conn, program.log_id, refusal.source_key)
    if not waived:
        note(f"{source} {event_id} does not wait: it is {refusal.status}")
        raise typer.Exit(FAILED)
    say(f"{source} {event_id}: waived")


async def _one(ledger: Ledger, program: Program, source: str, event_id: str) -> Refusal:
    key = source_key(source, event_id)
    async with lent(ledger.pool) as conn:
        found = (await store.refusals_by_key(conn, program.log_id, [key])).get(key)
    if found is None:
        raise NotFound("No refusal of this event is kept.", source=source, id=event_id)
    return found


async def _all(ledger: Ledger, program: Program, statuses: list[str] | None, customer: str | None) -> list[Refusal]:
    found: list[Refusal] = []
    async with lent(ledger.pool) as conn:
        while True:
            after = (found[-1].recorded_at, found[-1].source_key) if found else None
            page = await store.list_refusals(
                conn, program.log_id, after=after, limit=PAGE, statuses=statuses, customer_id=customer
            )
            found += page
            if len(page) < PAGE:
                return found


def _json(refusal: Refusal) -> dict[str, Any]:
    return {
        "status": refusal.status,
        "recorded_at": show(from_datetime(refusal.recorded_at)),
        "problem": orjson.loads(refusal.problem),
        "event": orjson.loads(refusal.event),
    }


def _row(refusal: Refusal) -> tuple[str, ...]:
    event, problem = orjson.loads(refusal.event), orjson.loads(refusal.problem)
    facts = ", ".join(f"{name} {value}" for name, value in problem["facts"].items())
    return (
        refusal.status,
        show(from_datetime(refusal.recorded_at)),
        refusal.customer_id,
        event["type"],
        refusal.code,
        event["source"],
        event["id"],
        facts,
    )
