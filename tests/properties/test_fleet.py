"""Two roads to one number: the fold of an account, and the whole program's tables."""

import random
from dataclasses import replace

import pytest
from hypothesis import Phase, settings

from ledger import account as accounts
from ledger.instants import NEVER, show
from ledger.records import Record
from projections.metrics.answering import answer
from projections.metrics.lots import balances
from projections.reports.movements import movements_of
from projections.reports.points import Header, points_report
from projections.reports.points_book import Book
from projections.reports.points_twin import tally_of_fleet
from projections.reports.tally import tally_of
from projections.twin.fleet import Fleet
from tests.builders import PROGRAM, MemoryLedger, event, granted, purchase, redeemed, refunded, rules
from tests.metrics.fleets import fleet_of, texts_of
from tests.properties.invariants import cut_offs
from tests.properties.machine import Books, Checkout, Everything

CUT_OFFS_TRIED = 6


class _Fleets(Books):
    """At the end, at random pairs of cut-offs, each ledger's balances are those of its fleet."""

    def agreed(self) -> None:
        dice = random.Random(len(self.never.records))
        for ledger in (self.always, self.never):
            check(ledger.records, dice)


class AllOfIt(_Fleets, Everything):
    """All types."""


class Trade(_Fleets, Checkout):
    """Buying, bringing back, spending."""


def check(records: list[Record], dice: random.Random) -> None:
    whole = fleet_of(texts_of(records), as_of=0)
    instants = cut_offs(records)
    for _ in range(CUT_OFFS_TRIED):
        as_of, known_at = dice.choice(instants), dice.randint(1, len(records))
        compare(whole, records, as_of, known_at)
        opens_at = dice.choice([None, *(one for one in instants if one <= as_of)])
        compare_reports(whole, records, opens_at, as_of, known_at)
    whole.backend.disconnect()


def compare(whole: Fleet, records: list[Record], as_of: int, known_at: int) -> None:
    """Both roads at one pair of cut-offs."""
    state = accounts.lapsed(accounts.fold(records[:known_at], as_of), as_of)
    fleet = replace(whole, cut=replace(whole.cut, as_of=as_of, position=known_at))
    found = {row["asset"]: (row["balance"], row["debt"]) for row in fleet.rows(balances(fleet))}
    said = f"as of {show(as_of)}, known at {known_at}"
    shown = state.balances()
    for asset in {asset.removesuffix(":debt") for asset in shown} | set(found):
        wanted = (shown.get(asset, 0), shown.get(f"{asset}:debt", 0))
        assert found.get(asset, (0, 0)) == wanted, f"{asset} {said}"
    (points,) = answer(fleet, "points", {})["rows"]
    assert points["outstanding"] == shown["points"], said


def compare_reports(whole: Fleet, records: list[Record], opens_at: int | None, as_of: int, known_at: int) -> None:
    """The points report from the twin is the one from the movements, in every figure."""
    fleet = replace(whole, cut=replace(whole.cut, as_of=as_of, position=known_at))
    header = Header(PROGRAM, whole.book.zone, 0, as_of, records[known_at - 1].recorded_at, known_at, opens_at)
    book = Book(header.zone, -NEVER if opens_at is None else opens_at, as_of)
    for position, record in enumerate(records[:known_at], start=1):
        for movement in movements_of(position, record.to_json(), "points"):
            book.add(movement)
    book.close()
    expected = points_report(header, tally_of(book), known_at)
    found = points_report(header, tally_of_fleet(fleet, opens_at=opens_at), known_at)
    differing = {name: (found[name], expected[name]) for name in expected if found[name] != expected[name]}
    assert not differing, f"from {opens_at and show(opens_at)} as of {show(as_of)}, known at {known_at}: {differing}"


@pytest.mark.slow
@pytest.mark.parametrize("machine", [AllOfIt, Trade])
def test_the_fold_and_the_fleet_agree_at_random_cut_offs(machine):
    """Balances and debts of every asset, and the running sum of the flows of points.

    Planted: what lapsed and is not written yet left in; seen.
    """
    case = machine.TestCase
    case.settings = settings(
        max_examples=4,
        stateful_step_count=15,
        print_blob=True,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),  # an example takes seconds: not made smaller
    )
    case().runTest()


DEBT = [
    purchase("SO-1", 10_000, "2026-01-02"),
    redeemed("R-1", 80, "2026-01-03"),
    refunded("SO-1", 10_000, "2026-01-04"),
    granted(50, "2026-01-05"),
]
LATE = [
    purchase("SO-1", 10_000, "2026-01-02"),
    redeemed("R-1", 100, "2026-01-03"),
    granted(70, "2026-01-10"),
    refunded("SO-1", 10_000, "2026-01-05").late("2026-01-20"),
]
HELD = [
    granted(60, "2026-01-02", expires_at="2026-01-10T00:00:00Z"),
    event("hold.placed", "2026-01-03", hold_id="H-1", asset="points", amount=40, until="2026-01-20T00:00:00Z"),
    granted(5, "2026-01-25"),
]


@pytest.mark.parametrize("story", [DEBT, LATE, HELD], ids=["debt", "late", "held"])
def test_they_agree_at_every_cut_off_of_a_story(story):
    """A debt and what pays it; what a late refund takes now; what a hold keeps past its expiry, and no longer.

    Planted: a debt's opening taken for a lot; a posting at its record's time; a hold that keeps nothing. Each was seen.
    """
    ledger = MemoryLedger(rules(refunds="allow_negative"))
    for posted in story:
        ledger.post(posted)
    check_all(ledger.records)


def check_all(records: list[Record]) -> None:
    whole = fleet_of(texts_of(records), as_of=0)
    for as_of in cut_offs(records):
        compare(whole, records, as_of, len(records))
    whole.backend.disconnect()
