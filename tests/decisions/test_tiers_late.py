"""Tiers and late events: everything after them is run again on the records, and what comes out differently is written."""

from tests.builders import clock_runs, earns, purchase, refunded
from tests.given import given, table, text_of
from tests.tiering import assigned, changed, changes, stands, tiered

ONE_YEAR = (purchase("A", 120_00, "2026-03-01"), clock_runs("2028-02-01"))
"""Silver from 1.1; kept at 2027-01-01 in record 3; lost at 2028-01-01 in record 4."""


@table(
    (
        "an order that would have kept the tier",
        lambda: changed(
            given(*ONE_YEAR, document=tiered()).when(purchase("L", 100_00, "2027-12-31T23:00").late("2028-02-02")),
            "corrected silver 2028-01-01, review 2029-01-01, not 4",
        ),
    ),
    (
        "one that is not enough for it changes nothing",
        lambda: changed(
            given(*ONE_YEAR, document=tiered()).when(purchase("L", 99_00, "2027-12-31T23:00").late("2028-02-02"))
        ),
    ),
    (
        "an order that would have raised it, and what came of that",
        lambda: changed(
            given(*ONE_YEAR, document=tiered()).when(purchase("L", 380_00, "2026-06-01").late("2028-02-02")),
            "corrected gold 2026-06-01, review 2027-01-01, not 3 4",
            "corrected gold 2027-01-01, review 2028-01-01",
            "corrected none 2028-01-01",
        ),
    ),
    (
        "with nothing recorded after it, it is an upgrade like any other",
        lambda: changed(
            given(purchase("A", 90_00, "2026-03-02"), document=tiered()).when(purchase("L", 10_00, "2026-03-01")),
            "upgraded silver 2026-03-02, review 2027-01-01",
        ),
    ),
    (
        "the order that reached the tier was not the one after all",
        lambda: changed(
            given(purchase("A", 90_00, "2026-03-01"), purchase("B", 90_00, "2026-03-05"), document=tiered()).when(
                purchase("L", 10_00, "2026-03-03")
            ),
            "corrected silver 2026-03-03, review 2027-01-01, not 3",
        ),
    ),
    (
        "a refund of before: the tier was never reached",
        lambda: changed(
            given(purchase("A", 90_00, "2026-03-01"), purchase("B", 90_00, "2026-03-05"), document=tiered()).when(
                refunded("A", 90_00, "2026-03-03")
            ),
            "corrected none 2026-03-05, not 3",
        ),
    ),
    (
        "and reached later then",
        lambda: changed(
            given(
                purchase("A", 90_00, "2026-03-01"),
                purchase("B", 90_00, "2026-03-05"),
                purchase("C", 20_00, "2026-03-07"),
                document=tiered(),
            ).when(refunded("A", 90_00, "2026-03-03")),
            "corrected none 2026-03-05, not 3",
            "corrected silver 2026-03-07, review 2027-01-01",
        ),
    ),
    (
        "an assignment that was told late",
        lambda: changed(
            given(*ONE_YEAR, document=tiered()).when(
                assigned("gold", "2027-12-01", until="2028-01-15T00:00:00Z").late("2028-02-02")
            ),
            "corrected gold 2027-12-01, review 2028-01-15, not 4",
        ),
    ),
    (
        "what is corrected already is not corrected again",
        lambda: changed(
            given(
                *ONE_YEAR,
                purchase("L", 100_00, "2027-12-31T23:00").late("2028-02-02"),
                document=tiered(),
            ).when(purchase("M", 1_00, "2027-12-30").late("2028-02-03")),
        ),
    ),
    (
        "nor what was found never to have been",
        lambda: changed(
            given(
                purchase("A", 90_00, "2026-03-01"),
                purchase("B", 90_00, "2026-03-05"),
                refunded("A", 90_00, "2026-03-03"),
                document=tiered(),
            ).when(purchase("M", 5_00, "2026-03-02")),
        ),
    ),
    (
        "a correction can be corrected",
        lambda: changed(
            given(
                purchase("A", 90_00, "2026-03-01"),
                purchase("B", 90_00, "2026-03-05"),
                refunded("A", 90_00, "2026-03-03"),
                document=tiered(),
            ).when(purchase("M", 10_00, "2026-03-04")),
            "corrected silver 2026-03-05, review 2027-01-01, not 5",
        ),
    ),
    (
        "also by what was true before it",
        lambda: changed(
            given(
                purchase("A", 90_00, "2026-03-01"),
                purchase("B", 90_00, "2026-03-05"),
                refunded("A", 90_00, "2026-03-03"),
                document=tiered(),
            ).when(purchase("M", 10_00, "2026-03-02")),
            "corrected silver 2026-03-02, review 2027-01-01, not 5",
        ),
    ),
)
def test_a_late_event_runs_what_came_after_it_again(scenario):
    """Against: the review run on what the head knows; a correction dated where it was written; the second one left standing."""
    scenario()


def test_before_the_correction_was_known_nobody_knew_it():
    ledger = given(*ONE_YEAR, document=tiered()).ledger
    known = len(ledger.records)
    ledger.post(purchase("L", 380_00, "2026-06-01").late("2028-02-02"))
    days = ("2026-05-01", "2026-06-01", "2027-06-01", "2028-01-01")
    assert [stands(ledger, day, known=known) for day in days] == ["silver", "silver", "silver", None]
    assert [stands(ledger, day) for day in days] == ["silver", "gold", "gold", None]


def test_what_was_earned_meanwhile_stays_as_it_was():
    """Against: what a sender's record earned decided again under the corrected tier."""
    document = tiered(earning=[earns(tier_multipliers={"gold": "2"})])
    before = purchase("A", 120_00, "2026-03-01"), purchase("B", 10_00, "2026-06-01")
    when = given(*before, document=document).when(purchase("L", 380_00, "2026-05-01"))
    assert [record.type for record in when.records] == ["purchase.recorded", "tier.changed"]
    assert when.records[0].balances["points"] == 120 + 10 + 380


def test_whatever_the_order_of_arrival_the_tier_is_the_same_at_every_day():
    events = [
        purchase("A", 60_00, "2026-03-01"),
        purchase("B", 60_00, "2026-09-01"),
        purchase("C", 450_00, "2026-12-31T12:00"),
        refunded("B", 60_00, "2027-02-01"),
        purchase("D", 100_00, "2027-11-01"),
        purchase("E", 30_00, "2028-03-01"),
    ]
    in_order = given(*events, clock_runs("2029-06-01"), document=tiered()).ledger
    for first in (0, 2, 4):
        others = [one for one in events if one is not events[first]]
        mixed = given(*others, events[first], clock_runs("2029-06-01"), document=tiered()).ledger
        found = [stands(mixed, f"{year}-{month:02}-15") for year in (2026, 2027, 2028) for month in range(1, 13)]
        wanted = [stands(in_order, f"{year}-{month:02}-15") for year in (2026, 2027, 2028) for month in range(1, 13)]
        assert found == wanted, f"without {text_of(events[first].time)}"
    assert changes(in_order.records)[-1] == "downgraded none 2029-01-01"
