"""`ledger import`: a file's rows become events; its end is a summary in which everything is accounted for."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import orjson
import typer

from api.commands.connecting import Database, database, opened
from api.commands.console import bar, note, say, show_table
from api.commands.options import PROGRAM, JsonOption, ProgramOption
from api.commands.running import FAILED, collect_rarely, run
from api.documents import read_yaml
from api.importing.mapping import Mapping, MappingError, shipped_or_file
from api.importing.mappings import read_any
from api.importing.points import PointsTable
from api.importing.points_mapping import PointsMapping
from api.importing.readers import Fault, FileError
from api.importing.runner import Import, Named
from api.importing.sources import EventLines, Source, Table
from api.importing.summary import Summary, shown, shown_exact, shown_points
from api.importing.tie_out import TieOut
from api.intake import Sender
from ledger.codes_key import CodesKey
from ledger.errors import ProgramUnknown
from ledger.service import Ledger, Program, wall_clock
from ledger.settings import Settings

NAMED_MAX = 20
"""So many rows that were not imported are named on standard error; --not-imported writes all of them to a file."""

EVENT_FILES = (".ndjson", ".jsonl")
TABLES = (".csv", ".parquet")


def import_file(
    file: Annotated[Path, typer.Argument(help="NDJSON of CloudEvents (.ndjson, .jsonl), or a table (.csv, .parquet).")],
    program: ProgramOption = PROGRAM,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping", "-m", help="What the table's columns mean: a YAML file, or the name of a shipped one."
        ),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Make the program with these rules where it is not there yet.")
    ] = None,
    not_imported: Annotated[
        Path | None,
        typer.Option(
            "--not-imported", metavar="FILE", help="Write every row that was not imported, and why, to a file."
        ),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Import a file's orders or events into a program.

    Ids come from the file, so a second run changes nothing, and one that was cut short is simply run again. What cannot be
    read or is refused is named, the rest is imported. Exit status 0: the money in the file is the money in the ledger.
    """
    collect_rarely()
    settings = Settings.from_environment()
    source = _source(file, program, mapping)
    with bar(f"reading {file.name}") as advance:
        source.scan(advance)
    with database(settings) as at, _naming(not_imported) as named:
        summary = run(_imported(settings, at, program, rules, source, named))
    if as_json:
        say(orjson.dumps(summary.to_json(), option=orjson.OPT_INDENT_2).decode())
    else:
        _show(summary)
    if not summary.agrees:
        raise typer.Exit(FAILED)


async def _imported(
    settings: Settings, at: Database, name: str, rules: Path | None, source: Source, named: Named
) -> Summary:
    async with opened(settings, at) as ledger:
        program = await _program(ledger, name, rules)
        _must_take_its_currency(program, source)
        with bar(f"importing into {name}", source.horizon.rows) as advance:
            return await Import(ledger, program, source, named=named).run(advance)


async def _program(ledger: Ledger, name: str, rules: Path | None) -> Program:
    try:
        return await ledger.find(name)
    except ProgramUnknown:
        if rules is None:
            raise
    version = await ledger.publish(name, read_yaml(shipped_or_file(rules)), actor=_actor())
    note(f"made program {name} with {rules} as version {version.version} of its rules")
    return ledger.program(name)


def _must_take_its_currency(program: Program, source: Source) -> None:
    """Said before anything is posted: a refusal would spend the key of every order for good."""
    if not isinstance(source, Table | PointsTable):
        return
    fixed = program.state.rules.latest.document.program
    if fixed.currencies and source.mapping.currency not in fixed.currencies:
        taken = ", ".join(fixed.currencies)
        raise MappingError(f"the mapping's currency is {source.mapping.currency}, program {program.name} takes {taken}")
    if isinstance(source, PointsTable) and source.mapping.points_scale != fixed.points_scale:
        raise MappingError(
            f"points have {source.mapping.points_scale} decimals in the mapping, {fixed.points_scale} in program {program.name}"
        )


def _source(file: Path, program: str, mapping: Path | None) -> Source:
    kind = file.suffix.lower()
    if kind in EVENT_FILES:
        if mapping is not None:
            raise MappingError(f"{file} holds events already: an NDJSON file takes no mapping")
        key = CodesKey.of(Settings.from_environment())
        sender = Sender(program, wall_clock(), _actor(), None, may_backdate=True, is_admin=True, codes_key=key)
        return EventLines(file, sender)
    if kind not in TABLES:
        raise FileError(f"{file}: files that end in {', '.join((*TABLES, *EVENT_FILES))} can be imported")
    if mapping is None:
        raise MappingError(f"{file} is a table: --mapping says what its columns mean")
    read = read_any(mapping)
    if isinstance(read, PointsMapping):
        return PointsTable(file, read, _actor())
    if isinstance(read, Mapping):
        return Table(file, read, _actor())
    raise MappingError(f"{mapping} is of no kind that a table can be read with")


@contextmanager
def _naming(file: Path | None) -> Iterator[Named]:
    """Names what is not imported: the first ones on standard error, all of them in a file where one is given."""
    count = 0
    written: TextIO | None = None if file is None else file.open("w", encoding="utf-8")

    def name(fault: Fault) -> None:
        nonlocal count
        count += 1
        if count <= NAMED_MAX:
            note(f"not imported: {fault.where}: {fault.reason}")
        if written is not None:
            written.write(f"{fault.where}\t{fault.reason}\n")

    try:
        yield name
    finally:
        if written is not None:
            written.close()
        if count > NAMED_MAX:
            note(f"and {count - NAMED_MAX:,} more" + ("" if file else "; --not-imported FILE writes all of them down"))


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _show(summary: Summary) -> None:
    show_table(["rows", "#"], _rows(summary))
    say()
    show_table(["events", "#"], _events(summary))
    for (kind, currency), money in sorted(summary.money.items()):
        say()
        lines = [
            ("exact, before rounding", None if money.exact is None else shown_exact(money.exact, currency)),
            ("in the file", shown(money.file, currency)),
            ("refused", shown(money.not_taken, currency) if money.not_taken else None),
            ("in the ledger", shown(money.ledger, currency)),
        ]
        title = f"{kind}, {currency} ({money.events:,} events)"
        show_table([title, "#"], [(what, amount) for what, amount in lines if amount is not None])
    _show_points(summary)
    if summary.tie_out is not None:
        _show_tie_out(summary.tie_out, summary.points_scale)
    say()
    say(f"{_verdict(summary)}; {summary.seconds:,.1f} s")


def _verdict(summary: Summary) -> str:
    """Whether the file is the ledger, and in what: `money and points agree`."""
    named = [("money", summary.money), ("points", summary.points_said), ("what was taken over", summary.tie_out)]
    *others, last = [what for what, found in named if found] or ["money"]
    if not others:
        return f"{last} {'agrees' if summary.agrees else 'DOES NOT AGREE'}"
    return f"{', '.join(others)} and {last} {'agree' if summary.agrees else 'DO NOT AGREE'}"


def _show_points(summary: Summary) -> None:
    scale = summary.points_scale
    for kind, said in sorted(summary.points_said.items()):
        say()
        lines = [("in the file", said.file), ("refused", said.not_taken), ("in the ledger", said.ledger)]
        shown_lines = [(what, shown_points(points, scale)) for what, points in lines if points or what != "refused"]
        show_table([f"points {kind} ({said.events:,} events)", "#"], shown_lines)
    if summary.points:
        say()
        accounts = [(account, shown_points(points, scale)) for account, points in sorted(summary.points.items())]
        show_table(["points", "#"], accounts)


def _show_tie_out(tie_out: TieOut, scale: int) -> None:
    say()
    rows: list[tuple[str, ...]] = [
        ("customers", *(f"{count:,}" for count in (tie_out.customers_old, tie_out.customers_new)), "")
    ]
    for (what, of), old, new in tie_out.rows():
        amounts = [shown_points(one, scale) if what == "points" else f"{one:,}" for one in (old, new)]
        rows.append((f"{what} {of}".strip(), *amounts, "" if old == new else "DIFFERS"))
    show_table(["taken over", "old#", "new#", ""], rows)
    for customer, (what, of), old, new in tie_out.differing:
        note(f"differs: {customer}: {what} {of}: old {old:,}, new {new:,}")
    if tie_out.customers_differing:
        note(f"{tie_out.customers_differing:,} openings differ")


def _rows(summary: Summary) -> list[tuple[str, int]]:
    return [
        ("read", summary.rows),
        ("in events of the ledger", summary.rows_in_events),
        *((f"left out: {reason}", count) for reason, count in sorted(summary.rows_left_out.items())),
        *_where_any(*sorted(summary.repeated.items())),
        *_where_any(("could not be read", summary.rows_faulty), ("refused", summary.rows_refused)),
    ]


def _events(summary: Summary) -> list[tuple[str, int]]:
    customers = [("customers with a purchase", summary.customers)] if summary.customers else []
    return [
        ("recorded", summary.recorded),
        ("replayed", summary.replayed),
        *((f"refused: {code}", count) for code, count in sorted(summary.refused.items())),
        *_where_any(("of those waiting", summary.waiting), ("lines drawn together", summary.lines_drawn_together)),
        *((f"note {code}", count) for code, count in sorted(summary.notes.items())),
        *customers,
    ]


def _where_any(*counts: tuple[str, int]) -> list[tuple[str, int]]:
    return [(what, count) for what, count in counts if count]
