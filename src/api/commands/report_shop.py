"""`ledger report shop`: what a store manager wants to know, as tables in a terminal or as one HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.connecting import Database, database
from api.commands.console import note, say, show_table
from api.commands.fleets import fleet_of
from api.commands.options import PROGRAM, AsOfOption, KnownAtOption, ProgramOption
from api.commands.running import run
from ledger.settings import Settings
from projections.reports.shop.asking import Report, ask
from projections.reports.shop.contents import sections
from projections.reports.shop.page import html
from projections.reports.shop.sections import Section
from projections.reports.shop.verdicts import VERDICTS, findings


def shop(
    program: ProgramOption = PROGRAM,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    currency: Annotated[
        str | None, typer.Option(metavar="CODE", help="ISO 4217; needed where there are several.")
    ] = None,
    page: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one page with charts.")] = None,
) -> None:
    """Is the pool of customers growing, is repurchase rising, is the average order rising, who is leaving."""
    settings = Settings.from_environment()
    with database(settings) as at:
        report = run(_asked(settings, at, program, as_of=as_of, known_at=known_at, currency=currency))
    if page is None:
        _show(report)
        return
    body = html(report).encode()
    page.write_bytes(body)
    note(f"{page}: {len(body):,} bytes")


async def _asked(
    settings: Settings, at: Database, name: str, *, as_of: str | None, known_at: str | None, currency: str | None
) -> Report:
    async with fleet_of(settings, at, name, as_of=as_of, known_at=known_at) as fleet:
        return ask(fleet, currency=currency)


def _show(report: Report) -> None:
    say(f"{report.program} as of {report.as_of}, known at position {report.position:,}")
    for one in findings(report):
        verdict = one.word or VERDICTS[one.verdict]
        say()
        say(f"{one.question.en} {one.question.zh}")
        say(f"{verdict.en} {verdict.zh}: {one.figure}")
        say(one.said.en)
        say(one.said.zh)
    for section in sections(report):
        _show_section(section)


def _show_section(section: Section) -> None:
    say()
    say(f"{section.title.en} {section.title.zh}")
    if section.rows:
        show_table(section.heads, section.rows)
    if section.chart is None:
        say(f"{section.nothing.en} {section.nothing.zh}")
    note(", ".join(answer["metric"] for answer in section.answers))
