"""`ledger coupons`: codes in bulk, made for a campaign and written to a file."""

import getpass
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from api.codes import FORMATS, written
from api.commands.connecting import Database, database, opened
from api.commands.console import note
from api.commands.options import PROGRAM, ProgramOption
from api.commands.running import run
from ledger.deciding import Command
from ledger.errors import InvariantBroken
from ledger.events import validated
from ledger.program import Codes
from ledger.settings import Settings

coupons = typer.Typer(no_args_is_help=True, help="Coupons: codes in bulk.")

SOURCE = "/ledger/command/coupons"


@coupons.callback()
def _several() -> None:
    """A group of commands, also while it has one."""


@coupons.command("codes")
def make_codes(  # noqa: PLR0913 - one parameter an option
    batch: Annotated[str, typer.Argument(help="Names the batch; one that is there is written out again.")],
    program: ProgramOption = PROGRAM,
    *,
    kind: Annotated[str | None, typer.Option(help="The kind of coupon a code is claimed for.")] = None,
    count: Annotated[int | None, typer.Option(help="How many codes.")] = None,
    campaign: Annotated[str | None, typer.Option(help="The campaign they are made for.")] = None,
    per_customer: Annotated[int | None, typer.Option(help="Codes of the batch one customer may claim.")] = None,
    total: Annotated[int | None, typer.Option(help="Codes of the batch all customers together may claim.")] = None,
    claim_until: Annotated[str | None, typer.Option(help="The first instant at which none can be claimed.")] = None,
    form: Annotated[str, typer.Option("--format", help="csv or ndjson.")] = "csv",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to; left out: the terminal.")] = None,
) -> None:
    """Make codes for a campaign, and write them a line each. They are derived from a key and stored nowhere."""
    if form not in FORMATS:
        raise typer.BadParameter("csv or ndjson", param_hint="--format")
    said = {"batch": batch, "kind": kind, "count": count, "campaign": campaign, "per_customer": per_customer}
    said |= {"total": total, "claim_until": claim_until}
    settings = Settings.from_environment()
    with database(settings) as at:
        key, made = run(
            _made(settings, at, program, {name: value for name, value in said.items() if value is not None})
        )
    with nullcontext(sys.stdout.buffer) if output is None else output.open("xb") as file:
        for part in written(key, program, made, form):
            file.write(part)
    note(f"{program}: {made.data['count']} codes of batch {batch} for coupons of kind {made.data['kind']}")


async def _made(settings: Settings, at: Database, name: str, said: dict[str, Any]) -> tuple[bytes, Codes]:
    """The key, and the batch, which is made where it is not there yet.

    Raises:
        FormError: what there is of a new batch will not do.
        CodesKnown: it is there, and was made otherwise.
    """
    async with opened(settings, at) as ledger:
        program = await ledger.find(name)
        made = program.state.codes_of(said["batch"])
        if made is not None and said.keys() == {"batch"}:
            return ledger.codes_key.made(), made
        now = ledger.now()
        data = validated("codes.made", said, now)
        command = Command(SOURCE, str(uuid4()), "codes.made", name, now, data, f"cli:{getpass.getuser()}")
        answer = await ledger.post(name, command)
        if answer.error is not None:
            raise answer.error
        made = program.state.codes_of(said["batch"])
        if made is None:
            raise InvariantBroken(f"batch {said['batch']} is recorded and not known")
        return ledger.codes_key.made(), made
