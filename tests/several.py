"""several(events of customers).when(customer, event): a decision that concerns two customers, in the ledger's own notation.

    several(("a", granted(100, "2026-01-01")), ("b", granted(1, "2026-01-01")))
    .when("a", transferred("T-1", 60, "b", "2026-01-02"))
    .unit(("a", "points.transferred", ["60 points customer:points -> program:transferred of 1.1:60"]), …)
    .lots("b", "1.1 1/1", "2.1 60/60")

Postings and lots read as in `tests/given.py`. It decides with the ledger in memory that examples and back-tests use.
"""

from dataclasses import dataclass, field
from typing import Any

from ledger import account as accounts
from ledger.account import Account
from ledger.errors import LedgerError
from ledger.records import PROGRAM_TYPES, Record
from ledger.trial import Trial
from tests.builders import PROGRAM, ClockRuns, Event, MemoryLedger, at, rules
from tests.given import code_of, lots_of, postings_of, text_of
from tests.properties.invariants import check_records

Step = tuple[str, Event | ClockRuns]


@dataclass
class Seen:
    """One customer, as `lots_of` looks at it."""

    account: Account


@dataclass
class Several:
    """Customers of one program, and what came of the last step."""

    trial: Trial
    ledger: MemoryLedger
    records: list[Record] = field(default_factory=list)
    error: LedgerError | None = None
    before: dict[str, bytes] = field(default_factory=dict)

    def run(self, customer: str, posted: Event | ClockRuns) -> None:
        """Post, or let the clock write what is due."""
        if isinstance(posted, ClockRuns):
            self.trial.now = max(self.trial.now, posted.until)
            self.records = self.trial.advance(customer, posted.until)
            return
        self.trial.now = max(self.trial.now, posted.arrives if posted.arrives is not None else posted.time)
        number = sum(map(len, self.trial.histories.values())) + 1
        subject = PROGRAM if posted.type in PROGRAM_TYPES else customer
        command = self.ledger.command(posted, subject)
        if not posted.id:
            command.id = f"e-{number}"
        self.records = self.trial.post(command)

    def when(self, customer: str, posted: Event | ClockRuns) -> "Several":
        """The one step under test."""
        self.before = self.states()
        try:
            self.run(customer, posted)
        except LedgerError as error:
            self.records, self.error = [], error
        for records in self.trial.histories.values():
            check_records(records)
        return self

    def states(self) -> dict[str, bytes]:
        """Every account, to the byte."""
        return {name: accounts.to_bytes(account) for name, account in self.trial.accounts.items()}

    def account(self, customer: str) -> Account:
        return self.trial.accounts.get(customer) or accounts.empty()

    def unit(self, *wanted: tuple[str, str, list[str]]) -> "Several":
        """All records of the unit in order: subject, type, postings."""
        assert self.error is None, (self.error, self.error.facts)
        assert [(one.subject, one.type, postings_of(one)) for one in self.records] == list(wanted)
        return self

    def instants(self, *wanted: str) -> "Several":
        """When each record of the unit takes effect."""
        assert [text_of(one.instant) for one in self.records] == list(wanted)
        return self

    def lots(self, customer: str, *wanted: str) -> "Several":
        """The lots and debts a customer has."""
        assert self.error is None, (self.error, self.error.facts)
        assert lots_of(Seen(self.account(customer))) == list(wanted)  # type: ignore[arg-type]
        return self

    def refused(self, code: str, **facts: Any) -> "Several":
        """The named no, with some of its facts; nothing has changed for anybody."""
        assert self.error is not None, "recorded"
        assert code_of(self.error) == code
        assert {name: self.error.facts.get(name) for name in facts} == facts
        assert self.states() == self.before
        return self

    def shown(self, customer: str, as_of: str | int) -> dict[str, Any]:
        """What a reader sees of a customer at an instant."""
        instant = at(as_of)
        return accounts.show_account(accounts.fold(self.trial.histories.get(customer, []), instant), instant)


def several(*steps: Step, **settings: Any) -> Several:
    """What happened, in order of arrival, under rules made of `settings`."""
    ledger = MemoryLedger(rules(**settings))
    made = Several(Trial(PROGRAM, ledger.program), ledger)
    for customer, posted in steps:
        made.run(customer, posted)
    return made
