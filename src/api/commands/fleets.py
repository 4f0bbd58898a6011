"""A program's whole fleet for a command, at a pair of cut-offs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from api.commands.connecting import Database, opened
from ledger import reading
from ledger.leasing import lent
from ledger.reading import Book
from ledger.settings import Settings
from projections.reports.asking import program_at
from projections.twin.engines import engine_of
from projections.twin.fleet import Fleet, Fleets


@asynccontextmanager
async def fleet_of(
    settings: Settings, at: Database, program: str, *, as_of: str | None, known_at: str | None
) -> AsyncIterator[Fleet]:
    """The twin of a program's log with what is not sealed yet, cut as asked.

    Raises:
        ProgramUnknown, DatabaseUnavailable, FormError: a cut-off is malformed or lies in the future.
        SettingsError: what the chosen engine needs is not there.
    """
    engine = engine_of(settings)
    async with opened(settings, at) as ledger, lent(ledger.pool) as conn:
        found = await ledger.find(program)
        book = Book(found.log_id, program, found.state.rules.latest.document.zone, found.state)
        cut = await reading.cut_off(conn, book, now=ledger.now(), as_of=as_of, known_at=known_at)
        book = replace(book, state=await program_at(conn, book, cut.position))
        fleets = Fleets(settings.twin, engine)
        try:
            async with fleets.at(conn, book, cut) as fleet:
                yield fleet
        finally:
            fleets.close()
