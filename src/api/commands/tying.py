"""The tie-out behind `ledger check`: heads, read models and twin of each program against the fold of its streams."""

from dataclasses import dataclass
from typing import Any

from api.commands.console import Bar, bar, say
from api.commands.running import sentence
from ledger import reading
from ledger.errors import InvariantBroken, LedgerError
from ledger.service import wall_clock
from ledger.settings import Settings
from ledger.store import Connection, Log
from projections.errors import TwinDamaged
from projections.tieout.tying import Difference, Tied, tie
from projections.twin.engines import engine_of
from projections.twin.fleet import Fleets
from projections.twin.sealing import book_of

NAMED_MAX = 10
"""Differences that are printed; `--json` and the endpoint have more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one program: `tied`, or why nothing could be compared; `damaged`: because the twin is."""

    program: str
    tied: Tied | None
    reason: str = ""
    damaged: bool = False

    @property
    def differs(self) -> bool:
        """Whether something derived is not what the streams say."""
        return self.damaged or (self.tied is not None and not self.tied.holds)

    def json(self) -> dict[str, Any]:
        """As the endpoint says it."""
        return {"not_compared": self.reason} if self.tied is None else self.tied.shown(self.program)


async def tie_out(conn: Connection, settings: Settings, logs: list[Log]) -> list[Outcome]:
    """Tie out each program of which anything is recorded, in a snapshot of its own.

    Raises:
        DatabaseUnavailable
        SettingsError: what the chosen engine needs is not there.
    """
    fleets = Fleets(settings.twin, engine_of(settings))
    try:
        with bar("tying out", sum(log.next_position - 1 for log in logs)) as advance:
            return [await _outcome(conn, fleets, log, advance) for log in logs if log.next_position > 1]
    finally:
        fleets.close()


def show_outcome(outcome: Outcome) -> None:
    """What was compared, and the customers behind the first differences."""
    tied = outcome.tied
    if tied is None:
        say(f"  {'DIFFERS' if outcome.damaged else 'NOT CHECKED'}  tie-out: {outcome.reason}")
        return
    there = [f"{side} at {position:,}" for side, position in tied.positions.items() if position is not None]
    away = [side for side, position in tied.positions.items() if position is None]
    missing = f"; not there, so not compared: {', '.join(away)}" if away else ""
    if tied.holds:
        say(f"  tied out: {tied.customers:,} customers; as the streams say: {', '.join(there)}{missing}")
        return
    for one in tied.differences[:NAMED_MAX]:
        say(f"  DIFFERS  {_said(one)}")
    say(f"  {tied.differing:,} of {tied.customers:,} customers differ; compared: {', '.join(there)}{missing}")


async def _outcome(conn: Connection, fleets: Fleets, log: Log, advance: Bar) -> Outcome:
    name = log.program
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            book = await book_of(conn, log)
            cut = await reading.cut_off(conn, book, now=wall_clock(), as_of=None, known_at=None)
            async with fleets.at(conn, book, cut) as fleet:
                return Outcome(name, await tie(conn, fleet, progress=advance))
    except TwinDamaged as error:
        return Outcome(name, None, sentence(error), damaged=True)
    except (LedgerError, InvariantBroken) as error:
        return Outcome(name, None, sentence(error))


def _said(one: Difference) -> str:
    if one.detail is not None:
        return f"{one.customer}: {one.side}: {one.detail}"
    return f"{one.customer}: {one.side}: {one.figure} is {one.found or 0:,}, the fold of the stream says {one.expected or 0:,}"
