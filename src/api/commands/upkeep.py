"""Keeping a database in order: `migrate`, `check`, `heads rebuild`."""

from collections.abc import Iterable
from typing import Annotated

import orjson
import typer

from api import keys
from api.commands.connecting import Database, connection, database, shown
from api.commands.console import bar, fail, note, say, show_table
from api.commands.options import JsonOption
from api.commands.running import EXPECTED, FAILED, collect_rarely, run, sentence
from api.commands.tying import Outcome, show_outcome, tie_out
from ledger import store
from ledger.checking import LogReport, check
from ledger.migrating import head_revision
from ledger.migrating import migrate as bring_up_to_date
from ledger.rebuilding import rebuild
from ledger.settings import Settings

DIFFERS = 1
NOT_CHECKED = 2

heads = typer.Typer(no_args_is_help=True, help="The heads of streams: the states folded from their records.")


def migrate() -> None:
    """Bring the database up to date, and make the first admin key where there is no key yet.

    Needs the owner of the tables. Safe while servers run, and where nothing is to be done.
    """
    settings = Settings.from_environment()
    with database(settings, make=True) as at:
        bring_up_to_date(at.url)
        say(f"migrated to revision {head_revision()}")
        made = run(first_key(at, settings))
        if made is not None:
            say(f"admin key written to {made}")


async def first_key(at: Database, settings: Settings) -> str | None:
    """Make the first admin key of a database without any; where it was written, None where there was one."""
    async with connection(at.url) as conn:
        made = await keys.make_first(conn, settings.data_dir)
    return None if made is None else shown(made)


def check_ledger(
    program: Annotated[
        list[str] | None, typer.Option("--program", "-p", metavar="NAME", help="Only this program; may be given again.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Check the whole ledger: fold every stream again and compare everything with it, heads, read models and twin included.

    Exit status 0: nothing differs. 1: something does; the first difference is named with its position. 2: it could not be
    checked. Servers may go on meanwhile.
    """
    collect_rarely()
    try:
        settings = Settings.from_environment()
        with database(settings) as at:
            reports, tied = run(_checked(at, settings, program))
    except EXPECTED as error:
        fail(f"could not check: {sentence(error)}")
        raise typer.Exit(NOT_CHECKED) from None
    unknown = set(program or ()) - {report.program for report in reports}
    if unknown:
        fail(f"could not check: there is no program {', '.join(sorted(unknown))}")
        raise typer.Exit(NOT_CHECKED)
    for report in reports:
        _show_report(report, tied.get(report.program), as_json=as_json)
    raise typer.Exit(_status(reports, tied.values()))


@heads.command("rebuild")
def rebuild_heads(
    *,
    every: Annotated[bool, typer.Option("--all", help="Every head, not only those of another state schema.")] = False,
) -> None:
    """Fold heads again whose state another version of the fold has written, while servers go on."""
    with database(Settings.from_environment()) as at:
        run(_rebuild(at, every=every))


async def _checked(
    at: Database, settings: Settings, programs: list[str] | None
) -> tuple[list[LogReport], dict[str, Outcome]]:
    url = await at.service_url()
    async with connection(url) as conn:
        logs = [log for log in await store.list_logs(conn) if programs is None or log.program in programs]
        with bar("checking", 2 * sum(log.next_position - 1 for log in logs)) as advance:
            reports = await check(conn, programs=[log.program for log in logs], progress=advance)
        return reports, {one.program: one for one in await tie_out(conn, settings, logs)}


async def _rebuild(at: Database, *, every: bool) -> None:
    async with connection(await at.service_url()) as conn:
        for log in await store.list_logs(conn):
            with bar(f"folding {log.program}") as advance:
                done = await rebuild(conn, log, every=every, progress=advance)
            say(f"{log.program}: {done.rebuilt:,} heads folded again, {done.moved_on:,} had moved on")
            for stream, reason in done.unreadable:
                note(f"{log.program}: {stream} cannot be folded: {reason}")
            if done.unreadable:
                raise typer.Exit(FAILED)


def _status(reports: list[LogReport], tied: Iterable[Outcome]) -> int:
    outcomes = list(tied)
    if any(report.first is not None for report in reports) or any(one.differs for one in outcomes):
        return DIFFERS
    left_out = any(report.unreadable for report in reports) or any(one.tied is None for one in outcomes)
    return NOT_CHECKED if left_out else 0


def _show_report(report: LogReport, tied: Outcome | None, *, as_json: bool) -> None:
    if as_json:
        say(orjson.dumps({**_json(report), "tie_out": None if tied is None else tied.json()}).decode())
        return
    _show_findings(report)
    if tied is not None:
        show_outcome(tied)


def _show_findings(report: LogReport) -> None:
    say(f"{report.program}: {report.records:,} records in {report.streams:,} streams{_and_refusals(report)}")
    for asset, accounts in sorted(report.accounts.items()):
        rows = [(account, amount) for account, amount in sorted(accounts.items())]
        show_table([f"  {asset} given out", "#"], [(f"  {account}", amount) for account, amount in rows])
        say(f"  = held by customers: {report.customers[asset]:,}")
    if report.refolded:
        say(f"  {report.refolded:,} heads carry no state of ours; `ledger heads rebuild` folds them")
    if report.unreadable:
        say(f"  NOT CHECKED  {report.unreadable}")
    if report.first is None:
        say("  nothing differs" if not report.unreadable else "  nothing else differs")
        return
    at = "" if report.first.position is None else f" at position {report.first.position}"
    say(f"  DIFFERS{at}: {report.first.what}: {report.first.detail}")
    if report.differences > 1:
        say(f"  and {report.differences - 1:,} more differences behind it")


def _and_refusals(report: LogReport) -> str:
    parts = [f"{count:,} {status}" for status, count in sorted(report.refusals.items())]
    return f"; refusals: {', '.join(parts)}" if parts else ""


def _json(report: LogReport) -> dict[str, object]:
    return {
        "program": report.program,
        "records": report.records,
        "streams": report.streams,
        "heads_without_our_state": report.refolded,
        "refusals": dict(report.refusals),
        "accounts": {asset: dict(accounts) for asset, accounts in report.accounts.items()},
        "customers": dict(report.customers),
        "differences": report.differences,
        "first": None if report.first is None else report.first._asdict(),
        "unreadable": report.unreadable,
    }
