"""A year of history: posted today in order it must give what the same events gave when they happened."""

from ledger import account as accounts
from ledger.errors import LedgerError
from ledger.instants import show
from ledger.program import ProgramState
from ledger.records import Record
from tests.builders import Event, MemoryLedger
from tests.properties.agreement import seen
from tests.properties.invariants import check_records, cut_offs
from tests.properties.machine import Checkout, outcome


class Historian(Checkout):
    """At the end, everything that was posted is posted again in order: then and today, with and without the clock."""

    def agree(self, posted: Event) -> None:
        outcome(self.never, posted)

    def agreed(self) -> None:
        past = sorted((posted for posted in self.events if posted.time <= self.now), key=lambda posted: posted.time)
        books = [
            in_order(past, self.never.program, today=today, clock=clock)
            for today in (None, self.now)
            for clock in (False, True)
        ]
        for as_of in sorted({instant for records, _ in books for instant in cut_offs(records)}):
            then, *others = [seen(accounts.fold(records, as_of), as_of) for records, _ in books]
            assert all(other == then for other in others), f"as of {show(as_of)}"
        assert all(said == books[0][1] for _, said in books)
        for records, _ in books:
            check_records(records)


def in_order(
    events: list[Event], program: ProgramState, *, today: int | None, clock: bool
) -> tuple[list[Record], list[str]]:
    """The records, and what was said to each event."""
    ledger = MemoryLedger({}, clock=clock)
    ledger.program = program
    said = []
    for posted in events:
        arrives = posted.time if today is None else today
        try:
            ledger.post(Event(posted.type, posted.time, posted.data, id=posted.id, arrives=arrives))
            said.append("recorded")
        except LedgerError as error:
            said.append(error.code)
    return ledger.records, said
