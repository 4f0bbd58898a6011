"""`ledger correct`: what wrong records gave many customers is set right by one order. `ledger adjustments`: the register."""

import csv
import sys
from typing import Annotated, Any

import orjson
import typer

from api.commands.changes import principal
from api.commands.connecting import Database, database, opened
from api.commands.console import bar, note, say, show_table
from api.commands.options import PROGRAM, JsonOption, ProgramOption
from api.commands.running import run
from api.corrections import surveyed
from ledger import store
from ledger.adjustments import outcomes, register
from ledger.approving import order, propose
from ledger.changes import Change, hash_of
from ledger.correcting import Outcome, survey, tried
from ledger.corrections import Correction, read_order
from ledger.leasing import lent
from ledger.service import Ledger, Program
from ledger.settings import Settings

adjustments = typer.Typer(
    no_args_is_help=True, help="The register of adjustments: who, when, how much, why, approved by whom."
)

LISTED = 20

_COLUMNS = (
    "customer",
    "records",
    "due",
    "own",
    "others",
    "expired",
    "dropped",
    "debt",
    "given",
    "forgone",
    "spent",
    "change",
    "refused",
)


def correct(  # noqa: PLR0913, PLR0917 - the options of a command
    since: Annotated[str, typer.Option("--from", metavar="INSTANT", help="Records that happened from then on.")],
    until: Annotated[str, typer.Option(metavar="INSTANT", help="And before then.")],
    reason: Annotated[str, typer.Option(help="Why; it stands on every adjustment.")],
    where: Annotated[str | None, typer.Option(metavar="CEL", help="A condition over the event, as in rules.")] = None,
    types: Annotated[list[str] | None, typer.Option("--type", help="Only these types; may be given again.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only points this rule gave.")] = None,
    rules: Annotated[int | None, typer.Option(help="Only what this version of the rules decided.")] = None,
    store_name: Annotated[str | None, typer.Option("--store", help="Only events of this store.")] = None,
    source: Annotated[str | None, typer.Option(help="Only events of this source.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only events of this campaign.")] = None,
    factor: Annotated[str | None, typer.Option(help="What is right, as a part of what was issued: 1/10, 0, 2.")] = None,
    as_rules: Annotated[int | None, typer.Option(help="Or: as this version of the rules would have decided.")] = None,
    spent: Annotated[
        str | None,
        typer.Option(help="pending_only, within_balance or allow_negative; left out: the rules' setting for refunds."),
    ] = None,
    ticket: Annotated[str | None, typer.Option(help="Where it was asked for.")] = None,
    program: ProgramOption = PROGRAM,
    *,
    do: Annotated[
        bool | None,
        typer.Option("--apply/--dry-run", help="Order it and adjust every customer; or only say what would be."),
    ] = None,
    proposing: Annotated[bool, typer.Option("--propose", help="Propose it, for somebody else to approve.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print every customer as CSV.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Set right what wrong records gave: one order, and one adjustment per customer, out of or beside the very lots.

    Run again after it was cut, it goes on; run again when it is done, it changes nothing.
    """
    if (do is None) == (not proposing):
        raise typer.BadParameter("say one of --dry-run, --apply and --propose")
    sent = {"from": since, "until": until, "types": types or None, "rule": rule, "rules": rules, "store": store_name}
    sent |= {"source": source, "campaign": campaign, "where": where, "factor": factor, "as_rules": as_rules}
    sent |= {"spent": spent, "reason": reason, "ticket": ticket}
    content = {name: value for name, value in sent.items() if value is not None}
    settings = Settings.from_environment()
    with database(settings) as at:
        if proposing:
            change = run(_propose(settings, at, program, content))
            say(f"{program}: change {change.id} proposed by {change.proposed_by}, hash {change.hash}")
            return
        kept, found, done = run(_correct(settings, at, program, content, is_applied=bool(do)))
    _show(program, kept, found, done, as_csv=as_csv, as_json=as_json)


@adjustments.command("list")
def list_adjustments(
    program: ProgramOption = PROGRAM,
    customer: Annotated[str | None, typer.Option(help="Only of this customer.")] = None,
    correction: Annotated[str | None, typer.Option(help="Only by this order to correct.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """List every adjustment, oldest first."""
    settings = Settings.from_environment()
    with database(settings) as at:
        found = run(_listed(settings, at, program, customer, correction))
    if as_json:
        say(orjson.dumps(found).decode())
        return
    shown = ("position", "customer", "recorded_at", "points", "reason", "ticket", "actor", "proposed_by", "approved_by")
    columns = ["position#", "customer", "written", "points#", "reason", "ticket", "actor", "proposed by", "approved by"]
    show_table(columns, [tuple(one[name] for name in shown) for one in found])


async def _propose(settings: Settings, at: Database, name: str, content: dict[str, Any]) -> Change:
    async with opened(settings, at) as ledger:
        return await propose(ledger, await ledger.find(name), "correction", content, actor=principal())


async def _correct(
    settings: Settings, at: Database, name: str, content: dict[str, Any], *, is_applied: bool
) -> tuple[dict[str, Any], list[Outcome], Correction | None]:
    """The order as it is kept, what it comes to, and the order itself where it was carried out."""
    async with opened(settings, at) as ledger:
        program = await ledger.find(name)
        latest = program.state.rules.latest
        kept = read_order(content, versions=latest.version, refunds=latest.document.refunds, now=ledger.now())
        if not is_applied:
            return kept, await _surveyed(ledger, program, tried(kept, ledger.now())), None
        begun = [one for _, one in await program.correcting.unfinished() if one.hash == hash_of("correction", kept)]
        ordered = begun[0] if begun else await order(ledger, program, content, actor=principal())
        with bar(f"{name}: customers adjusted") as done:
            await program.correcting.run_once(done)
        async with lent(ledger.pool) as conn:
            last = (await store.read_logs(conn, [program.log_id]))[program.log_id].next_position - 1
            found = await outcomes(conn, program.log_id, ordered, up_to=last)
        return kept, found + await _surveyed(ledger, program, ordered), ordered


async def _surveyed(ledger: Ledger, program: Program, ordered: Correction) -> list[Outcome]:
    """What an order comes to for customers whom it has not adjusted."""
    with bar(f"{program.name}: customers looked at") as done:
        found = survey(
            ledger.pool, program.log_id, program.name, program.state, ordered, now=ledger.now(), on_progress=done
        )
        return [outcome async for outcome in found]


async def _listed(
    settings: Settings, at: Database, name: str, customer: str | None, correction: str | None
) -> list[dict[str, Any]]:
    async with opened(settings, at) as ledger:
        program = await ledger.find(name)
        async with lent(ledger.pool) as conn:
            last = (await store.read_logs(conn, [program.log_id]))[program.log_id].next_position - 1
            return await register(
                conn,
                program.log_id,
                name,
                program.state,
                after=0,
                up_to=last,
                limit=last,
                customer=customer,
                correction=correction,
            )


def _show(
    program: str,
    content: dict[str, Any],
    found: list[Outcome],
    done: Correction | None,
    *,
    as_csv: bool,
    as_json: bool,
) -> None:
    shown = surveyed(program, content, found, None) | {"correction": None if done is None else done.id}
    if as_json:
        say(orjson.dumps(shown).decode())
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([customer[name] for name in _COLUMNS] for customer in shown["customers"])
    else:
        _show_tables(program, shown, done)


def _show_tables(program: str, shown: dict[str, Any], done: Correction | None) -> None:
    sums, setting = shown["totals"], shown["order"]["spent"]
    spent = [customer for customer in shown["customers"] if customer["spent"] or customer["refused"]]
    show_table(
        ["points", "#"],
        [
            ("too much", sums["due"]),
            ("  taken back from the very lots", sums["own"]),
            ("  expired by itself", sums["expired"]),
            ("  spent already", sums["spent"]),
            ("    taken from other lots", sums["others"]),
            ("    owed from now on", sums["debt"]),
            ("    dropped", sums["dropped"]),
            ("    let go by refunds before", sums["forgone"]),
            ("too little, given", sums["given"]),
            ("change of all balances", sums["change"]),
        ],
    )
    if spent:
        say()
        show_table(
            ["customer", *(f"{name}#" for name in _SPENT), "refused"],
            [(one["customer"], *(one[name] for name in _SPENT), one["refused"]) for one in spent[:LISTED]],
            title=f"points spent already: {setting}",
        )
        if len(spent) > LISTED:
            note(f"{len(spent) - LISTED:,} more; --csv and --json list all of them")
    say()
    what = "nothing is written" if done is None else f"order {done.id}"
    say(f"{program}: {sums['customers']:,} customers, {sums['customers_spent']:,} of them with points spent; {what}")


_SPENT = ("due", "own", "spent", "others", "debt", "dropped", "forgone")
