"""The points report beside the fold: random events, late ones among them, and every pair of cut-offs."""

from collections import Counter
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from ledger import account as accounts
from ledger.instants import show
from ledger.records import Record
from projections.reports.movements import movements_of
from projections.reports.points import Header, points_report
from projections.reports.points_book import ORDER, Book
from projections.reports.tally import tally_of
from tests.builders import PROGRAM, Event
from tests.properties.invariants import cut_offs
from tests.properties.machine import Checkout, Clawbacks, Everything, outcome

AS_OFS, KNOWN, OPENINGS = 8, 3, 2
"""So many of the instants that occur, and those beside them, are cut-offs; of the states of knowledge; of the beginnings."""


class Reported(Everything):
    """At the end the report is asked for at many cut-offs, of the ledger whose clock never ran and of the one that always did."""

    def agree(self, posted: Event) -> None:
        for ledger in (self.never, self.always):
            outcome(ledger, posted)

    def agreed(self) -> None:
        zone = ZoneInfo(self.document["program"]["time_zone"])
        for records in (self.never.records, self.always.records):
            check_report(records, zone)


class ReportedCheckout(Reported, Checkout):
    """Buying, bringing back, spending."""


class ReportedClawbacks(Reported, Clawbacks):
    """What is brought back after its points are spent."""


def check_report(records: list[Record], zone: ZoneInfo) -> None:
    """The report is the fold, whatever the cut-offs; it rolls forward; where a period begins does not move its end."""
    instants = spread(cut_offs(records), AS_OFS)
    for known in spread(range(1, len(records) + 1), KNOWN):
        seen = records[:known]
        for number, as_of in enumerate(instants):
            closings = set()
            for opens_at in (None, *spread(instants[: number + 1], OPENINGS)):
                report, book = reported(seen, zone, opens_at, as_of)
                check_against_fold(report, book, seen, as_of)
                check_roll_forward(report, seen, opens_at)
                closings.add(str((report["totals"], report["slices"])))
            assert len(closings) == 1, f"known at {known}, as of {show(as_of)}"


def spread(values: Sequence[int], count: int) -> list[int]:
    """So many values from all over, the last one among them."""
    step = max(1, len(values) // count)
    return list(values[::-1][::step][:count][::-1])


def reported(records: list[Record], zone: ZoneInfo, opens_at: int | None, as_of: int) -> tuple[dict, Book]:
    """The report over some records of one customer, at positions 1, 2, 3 …"""
    header = Header(PROGRAM, zone, 0, as_of, records[-1].recorded_at, len(records), opens_at)
    book = Book(zone, -(2**62) if opens_at is None else opens_at, as_of, keeps_traces=True)
    for position, record in enumerate(records, start=1):
        for movement in movements_of(position, record.to_json(), "points"):
            book.add(movement)
    book.close()
    return points_report(header, tally_of(book), len(records)), book


def check_against_fold(report: dict, book: Book, records: list[Record], as_of: int) -> None:
    """Lot by lot and debt by debt what the account's own fold says."""
    state = accounts.lapsed(accounts.fold(records, as_of), as_of)
    lots = {lot.id: lot.remaining for lot in state.lots.values() if lot.asset == "points"}
    assert {lot.id: lot.closing for lot in book.lots.values() if lot.closing and lot.held_until is None} == lots
    debts = {debt.id: debt.remaining for debt in state.debts.values()}
    assert {debt.id: debt.closing for debt in book.debts.values() if debt.closing} == debts
    shown = accounts.show_account(state, as_of)
    totals = report["totals"]
    assert totals["available"] == shown["available"]["points"]
    assert totals["pending"] == shown["pending"]["points"]
    assert totals["held"] == shown["held"]["points"]
    assert totals["outstanding"] + totals["held"] - totals["debt"] == shown["balances"]["points"]
    by_reason: Counter[str] = Counter()
    for lot in state.lots.values():
        if lot.asset == "points":
            by_reason[lot.reason] += lot.remaining
    assert {row["reason"]: row["closing"] for row in report["by"]["reason"] if row["closing"]} == by_reason


def check_roll_forward(report: dict, records: list[Record], opens_at: int | None) -> None:
    """Opening + flows = closing, and the opening is what the fold held then; the records behind each line add up to it."""
    assert [check for check in report["checks"] if not check["holds"]] == []
    opening, *flows, closing = report["roll_forward"]["lines"]
    assert opening["points"] + sum(line["points"] for line in flows) == closing["points"]
    assert {line["line"] for line in flows} <= set(ORDER)
    if opens_at is None:
        assert opening["points"] == 0
    else:
        state = accounts.lapsed(accounts.fold(records, opens_at), opens_at)
        held = sum(lot.remaining for lot in state.lots.values() if lot.asset == "points")
        assert opening["points"] == held
