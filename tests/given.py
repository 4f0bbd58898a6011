"""given(events).when(event).then(postings): a decision as a sentence, in the ledger's own notation.

    given(purchase("SO-1", 100_00, "2026-01-05"))
    .when(redeemed("R-1", 60, "2026-01-06"))
    .then("60 points customer:points -> program:redeemed of 1.1:60")
    .lots("1.1 40/100 until 2027-02-01")

A posting reads `amount asset from -> to`, then what applies of `opens LOT`, `of LOT:amount …`, `pays DEBT:amount …`,
`on INSTANT` (where it is not the record's own), `from INSTANT` or `from delivery` (available), `until INSTANT`, `by RULE`.
A lot reads `id remaining/amount`, then `from …`, `until …`; other assets than points are named first. A debt reads
`owes id remaining/amount`. Instants are UTC, without what is zero: `2026-01-05`, `2026-01-05T10:00`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ledger import account as accounts
from ledger.errors import LedgerError
from ledger.instants import NEVER, show
from ledger.records import Lot, Posting, Record
from tests.builders import ClockRuns, Event, MemoryLedger, at, rules
from tests.properties.invariants import check_records

Step = Event | ClockRuns


@dataclass
class Given:
    """What happened before: decided like everything else, with the clock run only where it is told to."""

    ledger: MemoryLedger

    def when(self, posted: Step) -> "When":
        """The one event, or run of the clock, that is under test."""
        before = len(self.ledger.records)
        state = accounts.to_bytes(self.ledger.account)
        when = When(self.ledger, before, state)
        try:
            run(self.ledger, posted)
        except LedgerError as error:
            when.error = error
        check_records(self.ledger.records)
        return when

    def lots(self, *wanted: str) -> "Given":
        """The lots and debts there are before."""
        assert lots_of(self.ledger) == list(wanted)
        return self


@dataclass
class When:
    """What came of it; every method checks one thing and returns this again."""

    ledger: MemoryLedger
    before: int
    state: bytes
    error: LedgerError | None = None
    _own: Record | None = field(default=None, repr=False)

    @property
    def records(self) -> list[Record]:
        """The unit."""
        if self.error is not None:
            raise AssertionError(f"refused: {code_of(self.error)} {self.error.facts}") from self.error
        return self.ledger.records[self.before :]

    @property
    def own(self) -> Record:
        """The event's own record: the unit's last."""
        return self.records[-1]

    def then(self, *wanted: str) -> "When":
        """The postings of the event's own record."""
        assert postings_of(self.own) == list(wanted)
        return self

    def unit(self, *wanted: tuple[str, str, list[str]]) -> "When":
        """All records of the unit: type, instant, postings."""
        assert [(one.type, text_of(one.instant), postings_of(one)) for one in self.records] == list(wanted)
        return self

    def lots(self, *wanted: str) -> "When":
        """The lots and debts there are after it; nothing is left out because it lapsed."""
        assert self.records is not None
        assert lots_of(self.ledger) == list(wanted)
        return self

    def balance(self, points: int) -> "When":
        """Points, as the record itself says."""
        assert self.own.balances["points"] == points
        return self

    def notes(self, *wanted: dict[str, Any]) -> "When":
        """The notes of the event's own record."""
        assert self.own.notes == list(wanted)
        return self

    def derived(self, **wanted: Any) -> "When":
        """Some of what we found ourselves; None = not there."""
        found = self.own.derived or {}
        assert {name: found.get(name) for name in wanted} == wanted
        return self

    def why(self, number: int = 1, **wanted: Any) -> "When":
        """Some of the reasons of the n-th posting."""
        found = self.own.postings[number - 1].why or {}
        assert {name: found.get(name) for name in wanted} == wanted
        return self

    def refused(self, code: str, **facts: Any) -> "When":
        """The named no, with some of its facts."""
        if self.error is None:
            raise AssertionError(f"recorded: {postings_of(self.own)}")
        assert code_of(self.error) == code
        assert {name: self.error.facts.get(name) for name in facts} == facts
        return self

    def nothing_changed(self) -> "When":
        """No record, and the account is what it was, to the byte."""
        assert len(self.ledger.records) == self.before
        assert accounts.to_bytes(self.ledger.account) == self.state
        return self

    def seen(self, as_of: str | int, **wanted: int) -> "When":
        """What a reader sees at an instant: points, available, pending, owed."""
        instant = at(as_of)
        shown = accounts.show_account(accounts.fold(self.ledger.records, instant), instant)
        found = {
            "points": shown["balances"]["points"],
            "available": shown["available"]["points"],
            "pending": shown["pending"]["points"],
            "owed": shown["balances"].get("points:debt", 0),
        }
        assert {name: found[name] for name in wanted} == wanted, f"as of {as_of}"
        return self


def given(*steps: Step, document: dict[str, Any] | None = None, **settings: Any) -> Given:
    """What happened, in order of arrival.

    Args:
        steps: events, and runs of the clock.
        document: the program's rules; otherwise made of `settings`, with one point for a whole unit of money.
    """
    ledger = MemoryLedger(rules(**settings) if document is None else document)
    for step in steps:
        run(ledger, step)
    return Given(ledger)


def run(ledger: MemoryLedger, step: Step) -> None:
    if isinstance(step, ClockRuns):
        ledger.run_clock(step.until)
    else:
        ledger.post(step)


def code_of(error: LedgerError) -> str:
    """The code a sender reads."""
    return str(getattr(error, "form_code", error.code))


def lots_of(ledger: MemoryLedger) -> list[str]:
    """Lots in order of consumption, then debts in order of age."""
    state = ledger.account
    lots = [lot_text(lot) for lot in sorted(state.lots.values(), key=accounts.order_of_consumption)]
    return lots + [f"owes {debt.id} {debt.remaining}/{debt.amount}" for debt in state.debts.values()]


def lot_text(lot: Lot) -> str:
    words = [] if lot.asset == "points" else [lot.asset]
    words += [lot.id, f"{lot.remaining}/{lot.amount}"]
    if lot.available_at:
        words += ["from", text_of(lot.available_at, never="delivery")]
    return " ".join([*words, *until(lot.expires_at)])


def postings_of(record: Record) -> list[str]:
    return [posting_text(posting) for posting in record.postings]


def posting_text(posting: Posting) -> str:
    words = [str(posting.amount), posting.asset, posting.source, "->", posting.to]
    if posting.lot is not None:
        words += ["opens", posting.lot]
    words += named("of", posting.lots) + named("pays", posting.debts)
    if posting.at is not None:
        words += ["on", text_of(posting.at)]
    if posting.available_at is not None:
        words += ["from", text_of(posting.available_at, never="delivery")]
    words += until(posting.expires_at)
    if posting.rule is not None:
        words += ["by", posting.rule]
    return " ".join(words)


def named(word: str, parts: Iterable[tuple[str, int]]) -> list[str]:
    listed = [f"{number}:{amount}" for number, amount in parts]
    return [word, *listed] if listed else []


def until(expires_at: int) -> list[str]:
    return [] if expires_at == NEVER else ["until", text_of(expires_at)]


def text_of(instant: int, never: str = "never") -> str:
    if instant == NEVER:
        return never
    return show(instant).removesuffix("Z").removesuffix(":00").removesuffix("T00:00")


def table(*rows: tuple[str, Callable[[], Any]]) -> pytest.MarkDecorator:
    """Rows of a decision table: a sentence, and the scenario that makes it true."""
    return pytest.mark.parametrize("scenario", [pytest.param(row, id=sentence) for sentence, row in rows])
