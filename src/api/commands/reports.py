"""`ledger report points`: the points owed, as tables for people or as a file for finance."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from api.commands.connecting import Database, database, opened
from api.commands.console import note, say, show_table
from api.commands.options import PROGRAM, AsOfOption, JsonOption, KnownAtOption, ProgramOption
from api.commands.running import FAILED, run
from api.importing.summary import shown
from ledger.leasing import lent
from ledger.reading import Book
from ledger.settings import Settings
from projections.reports.asking import Question, points
from projections.reports.formats import FORMATS, TABLES
from projections.reports.points import DIMENSIONS, holds
from projections.twin.engines import engine_of
from projections.twin.fleet import Fleets

report = typer.Typer(no_args_is_help=True, help="Reports: figures of a whole program, at any pair of cut-offs.")

_ROWS_MAX = 24
"""Rows of a dimension shown on a terminal; a file has them all."""


@report.callback()
def _family() -> None:
    """Reports: figures of a whole program, at any pair of cut-offs."""


@report.command("points")
def points_owed(  # noqa: PLR0913 - the options of a command
    program: ProgramOption = PROGRAM,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="INSTANT", help="Where the period begins: an instant or a date. Left out: all time."
        ),
    ] = None,
    money: Annotated[
        str | None,
        typer.Option(
            metavar="CURRENCY", help="Only this currency, or none. Left out: all that the rules value points in."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write to this .xlsx, .csv, .parquet or .json file."),
    ] = None,
    table: Annotated[
        str, typer.Option(metavar="NAME", help=f"Which table a .csv or .parquet file gets: {', '.join(TABLES)}.")
    ] = TABLES[0],
    *,
    as_json: JsonOption = False,
) -> None:
    """Points owed to customers: outstanding points, how they came to be in a period, and what they are worth.

    Exit status 1: a check does not hold.
    """
    _check_out(out, table)
    with database(Settings.from_environment()) as at:
        answer = run(_points(at, program, Question(as_of, known_at, since, money)))
    if out is not None:
        _write(answer, out, table)
    elif as_json:
        say(orjson.dumps(answer).decode())
    else:
        _show(answer)
    if not holds(answer["checks"]):
        raise typer.Exit(FAILED)


async def _points(at: Database, name: str, question: Question) -> dict[str, Any]:
    settings = Settings.from_environment()
    async with opened(settings, at) as ledger:
        program = await ledger.find(name)
        state = program.state
        reader = Book(program.log_id, program.name, state.rules.latest.document.zone, state)
        fleets = Fleets(settings.twin, engine_of(settings))
        try:
            async with lent(ledger.pool) as conn:
                return await points(conn, reader, fleets, question, now=ledger.now())
        finally:
            fleets.close()


def _check_out(out: Path | None, table: str) -> None:
    if table not in TABLES:
        raise typer.BadParameter(f"there is no table {table}; there are {', '.join(TABLES)}")
    if out is not None and out.suffix.removeprefix(".") not in ("json", *FORMATS):
        raise typer.BadParameter(f"a file's name ends in .json, {', '.join(f'.{name}' for name in FORMATS)}")


def _write(answer: dict[str, Any], out: Path, table: str) -> None:
    kind = out.suffix.removeprefix(".")
    body = orjson.dumps(answer) if kind == "json" else FORMATS[kind][1](answer, table)
    out.write_bytes(body)
    note(f"{out}: {len(body):,} bytes")


def _show(answer: dict[str, Any]) -> None:
    period = "all time" if answer["from"] is None else f"from {answer['from']}"
    say(f"Points owed by {answer['program']}, {answer['report']}, {answer['basis']} basis, {period}")
    say(f"as of {answer['as_of']}, known at position {answer['position']:,} ({answer['known_at']})")
    say()
    lines = answer["roll_forward"]["lines"]
    show_table(["roll-forward", "", "points#"], [(line["line"], line["detail"], line["points"]) for line in lines])
    say()
    totals = answer["totals"]
    say(f"outstanding {totals['outstanding']:,}: available {totals['available']:,}, pending {totals['pending']:,}")
    say(f"apart, not netted: debt {totals['debt']:,}, held {totals['held']:,}")
    say(
        f"{totals['lots']:,} lots of {totals['customers']:,} customers; {totals['customers_in_debt']:,} customers in debt"
    )
    _show_money(answer)
    for dimension in DIMENSIONS:
        _show_dimension(answer, dimension)
    _show_checks(answer["checks"])


def _show_money(answer: dict[str, Any]) -> None:
    if not answer["money"]:
        say("money: the rules have no valuation of points")
    for worth in answer["money"]:
        currency = worth["currency"]
        say(
            f"money: {shown(worth['amount'], currency)} {currency} = points × {worth['value_per_point']} a point × "
            f"{worth['redemption_rate']} expected to be redeemed (in force from {worth['effective_from']}); "
            f"{shown(worth['amount_if_all_redeemed'], currency)} if all were"
        )


def _show_dimension(answer: dict[str, Any], dimension: str) -> None:
    currencies = [worth["currency"] for worth in answer["money"]]
    rows = [row for row in answer["by"][dimension] if row["closing"]]
    say()
    show_table(
        [
            f"by {dimension.replace('_', ' ')}",
            "points#",
            "pending#",
            "lots#",
            *(f"{currency}#" for currency in currencies),
        ],
        [
            (
                row[dimension] or "not known",
                row["closing"],
                row["pending"],
                row["lots"],
                *(shown(row["money"][currency], currency) for currency in currencies),
            )
            for row in rows[:_ROWS_MAX]
        ],
    )
    if len(rows) > _ROWS_MAX:
        say(f"and {len(rows) - _ROWS_MAX:,} more; --out FILE has them all")


def _show_checks(checks: list[dict[str, Any]]) -> None:
    say()
    broken = [check for check in checks if not check["holds"]]
    if not broken:
        say(f"{len(checks)} checks hold")
    for check in broken:
        say(f"DIFFERS  {check['check']}: expected {check['expected']:,}, is {check['actual']:,}")
