"""Tiers and the calendar: month ends, leap days, daylight saving, a business day that starts at 05:00. Dates by hand."""

import pytest

from tests.builders import MemoryLedger, at, clock_runs, purchase
from tests.given import given, text_of
from tests.tiering import SILVER, changes, level, stands, tier_seen, tiered

MEMBERSHIP = {"kind": "membership_year"}


def review_of(ledger: MemoryLedger) -> str:
    """When the tier is reviewed, UTC."""
    return text_of(at(ledger.account.parts["tiers"]["standing"]["review_at"]))


def rolling(**length: int) -> dict[str, object]:
    return {"kind": "rolling", **length}


@pytest.mark.parametrize(
    ("bought", "months", "reviews"),
    [
        ("2026-01-31", 1, ["2026-02-28", "2026-03-31", "2026-04-30"]),
        ("2027-12-31", 1, ["2028-01-31", "2028-02-29", "2028-03-31"]),
        ("2028-02-29", 12, ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
        ("2026-08-31", 6, ["2027-02-28", "2027-08-31"]),
    ],
)
def test_a_tier_reached_on_the_last_of_a_month_is_reviewed_on_the_last_and_does_not_creep(bought, months, reviews):
    """Against: the next review counted from the last one, which creeps from the 31st to the 28th for ever."""
    document = tiered(window={"kind": "lifetime"}, valid_months=months)
    ledger = given(purchase("A", 120_00, bought), document=document).ledger
    for review in reviews:
        assert review_of(ledger) == review
        ledger.run_clock(at(review))


@pytest.mark.parametrize(
    ("window", "counts", "day"),
    [
        (rolling(months=12), ["2026-03-16"], "2027-03-15"),
        (rolling(months=12), ["2027-03-01"], "2028-02-29"),
        (rolling(months=12), ["2028-02-29"], "2029-02-28"),
        (rolling(months=1), ["2026-03-01"], "2026-03-31"),
        (rolling(months=1), ["2026-01-29"], "2026-02-28"),
        (rolling(days=30), ["2026-03-01"], "2026-03-30"),
        (rolling(days=1), ["2026-03-30"], "2026-03-30"),
        ({"kind": "calendar", "period": "month"}, ["2028-02-01"], "2028-02-29"),
        ({"kind": "calendar", "period": "quarter"}, ["2026-10-01"], "2026-12-31"),
        ({"kind": "calendar", "period": "half_year"}, ["2026-01-01"], "2026-06-30"),
        ({"kind": "calendar", "period": "half_year"}, ["2026-07-01"], "2026-12-31"),
        ({"kind": "calendar", "period": "year"}, ["2026-01-01"], "2026-12-31"),
    ],
    ids=str,
)
def test_the_first_day_that_counts_and_the_one_before_it(window, counts, day):
    """The order of the first day counts with that of the last; one a microsecond earlier does not."""
    first = at(counts[0])
    document = tiered(level("silver", 1, orders=2), window=window)
    last = at(day) + 86_399_000_000 if window != rolling(days=1) else first + 1
    inside = given(purchase("A", 1, first), document=document).when(purchase("B", 1, last))
    assert len(changes(inside.records)) == 1
    outside = given(purchase("A", 1, first - 1), document=document).when(purchase("B", 1, last))
    assert changes(outside.records) == []


@pytest.mark.parametrize(
    ("joined", "bought", "review"),
    [
        ("2026-05-10", "2026-05-10", "2027-05-10"),
        ("2026-05-10", "2027-05-09", "2027-05-10"),
        ("2026-05-10", "2027-05-10", "2028-05-10"),
        ("2028-02-29", "2028-03-01", "2029-02-28"),
        ("2028-02-29", "2031-02-28", "2032-02-29"),
        ("2028-02-29", "2032-02-28", "2032-02-29"),
    ],
)
def test_a_membership_year_ends_on_the_day_of_joining_and_for_the_29_of_february_on_the_28th(joined, bought, review):
    document = tiered(window=MEMBERSHIP)
    ledger = given(purchase("J", 0, joined), purchase("A", 120_00, bought), document=document).ledger
    assert review_of(ledger) == review


@pytest.mark.parametrize(
    ("zone", "starts", "period", "bought", "review"),
    [
        ("Asia/Shanghai", "00:00", "year", "2026-12-31T23:59:59+08:00", "2026-12-31T16:00"),
        ("Asia/Shanghai", "00:00", "year", "2027-01-01T00:00:00+08:00", "2027-12-31T16:00"),
        ("Asia/Shanghai", "05:00", "year", "2027-01-01T04:59:59+08:00", "2026-12-31T21:00"),
        ("Asia/Shanghai", "05:00", "year", "2027-01-01T05:00:00+08:00", "2027-12-31T21:00"),
        # New York loses 02:00 to 03:00 on 14 March 2027 and repeats 01:00 to 02:00 on 7 November.
        ("America/New_York", "00:00", "month", "2027-03-20T12:00:00-04:00", "2027-04-01T04:00"),
        ("America/New_York", "00:00", "month", "2027-02-20T12:00:00-05:00", "2027-03-01T05:00"),
        # Beirut skips the first hour of 28 March 2027, Sao Paulo that of 4 November 2018.
        ("Asia/Beirut", "00:00", "quarter", "2027-03-31T12:00:00+03:00", "2027-03-31T21:00"),
    ],
)
def test_a_period_ends_where_the_business_day_after_it_begins(zone, starts, period, bought, review):
    """Against: midnight taken for the beginning of a business day of 05:00; the zone's offset of the order for the review's."""
    document = tiered(
        window={"kind": "calendar", "period": period}, program={"time_zone": zone}, business_day_starts_at=starts
    )
    assert review_of(given(purchase("A", 120_00, bought), document=document).ledger) == review


@pytest.mark.parametrize(
    ("zone", "starts", "days", "bought", "review"),
    [
        ("America/New_York", "02:30", 1, "2027-03-12T12:00:00-05:00", "2027-03-13T07:30"),
        ("America/New_York", "02:30", 1, "2027-03-13T12:00:00-05:00", "2027-03-14T07:00"),
        ("America/Sao_Paulo", "00:00", 1, "2018-11-03T12:00:00-03:00", "2018-11-04T03:00"),
        ("America/New_York", "01:30", 1, "2027-11-06T12:00:00-04:00", "2027-11-07T05:30"),
    ],
)
def test_a_day_whose_beginning_is_skipped_begins_where_the_gap_ends_and_a_repeated_one_at_the_first(
    zone, starts, days, bought, review
):
    """A grace period of so many days ends at the beginning of a business day, however long the days are."""
    document = tiered(
        program={"time_zone": zone}, business_day_starts_at=starts, grace_days=days, window=rolling(days=1)
    )
    document["tiers"]["valid_months"] = 1
    ledger = MemoryLedger(document)
    rules_of = ledger.program.rules.latest.document
    day = rules_of.business_date(at(bought))
    assert text_of(rules_of.start_of(type(day).fromordinal(day.toordinal() + days))) == review


def test_an_order_after_midnight_still_counts_for_the_year_before():
    """Against: the order's calendar day taken for its business day."""
    document = tiered(program={"time_zone": "Asia/Shanghai"}, business_day_starts_at="05:00")
    ledger = given(
        purchase("A", 120_00, "2026-06-01T12:00:00+08:00"),
        purchase("B", 380_00, "2027-01-01T03:00:00+08:00"),
        document=document,
    ).ledger
    assert stands(ledger, "2027-01-01T03:00:00+08:00") == "gold"
    assert stands(ledger, "2028-01-01T04:59:59+08:00") == "gold"
    assert stands(ledger, "2028-01-01T05:00:00+08:00") is None
    assert tier_seen(ledger, "2027-01-01T05:00:00+08:00")["value"]["growth"] == 0


def test_a_grace_period_ends_so_many_days_after_the_review_and_counts_from_where_the_review_did():
    document = tiered(SILVER, grace_days=60, window={"kind": "calendar", "period": "year"})
    ledger = given(
        purchase("A", 120_00, "2026-06-01"),
        purchase("B", 60_00, "2027-12-31"),
        clock_runs("2028-01-01"),
        purchase("C", 40_00, "2028-02-29"),
        document=document,
    ).ledger
    assert review_of(ledger) == "2028-03-01"
    assert tier_seen(ledger, "2028-02-29T12:00")["retain"] == {"missing": {}, "value": {"growth": 100, "orders": 2}}
    ledger.run_clock(at("2028-03-01"))
    assert changes(ledger.records)[-1] == "retained silver 2028-03-01, review 2029-01-01"
