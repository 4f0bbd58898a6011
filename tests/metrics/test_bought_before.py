"""A customer taken over from another system with orders is not new: by every metric that asks who is."""

from datetime import UTC, datetime
from typing import Any

import pytest

from projections.twin.fleet import Fleet
from tests.metrics.fleets import fleet_of, opening, order, rows, texts_of


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


BOUGHT = {"first_order_at": "2024-03-08T12:00:00Z", "last_order_at": "2025-12-30T18:00:00Z", "orders": 41}


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    """`loyal` and `quiet` were taken over with orders, `lead` without; `fresh` buys here first. All but `quiet` buy here."""
    records: list[dict[str, Any]] = [
        opening("loyal", day("2026-01-01"), **BOUGHT),
        opening("quiet", day("2026-01-01"), last_order_at="2025-12-30T18:00:00Z"),
        opening("lead", day("2026-01-01"), orders=0),
        order("loyal", "1", day("2026-01-10"), 4000),
        order("lead", "2", day("2026-01-11"), 1000),
        order("fresh", "3", day("2026-02-12"), 500),
        order("loyal", "4", day("2026-02-20"), 300),
    ]
    return fleet_of(texts_of(records), as_of="2026-02-28T23:59:59")


def test_the_money_of_the_loyal_is_that_of_returning_customers(fleet: Fleet):
    """Planted: the first order here taken for the first ever."""
    found = rows(fleet, "revenue/new_returning", by="month")
    assert [(row["period"], row["new_amount"], row["returning_amount"]) for row in found] == [
        ("2026-01", 1000, 4000),
        ("2026-02", 500, 300),
    ]


def test_activity_knows_them_and_does_not_count_them_as_new(fleet: Fleet):
    names = ("period", "new", "active", "return", "unactive")
    found = [tuple(row[name] for name in names) for row in rows(fleet, "activity/month_on_month")]
    assert found == [("2026-01", 1, 0, 1, 1), ("2026-02", 1, 1, 0, 2)]


def test_stages_count_what_was_bought_before(fleet: Fleet):
    """`loyal` is returning, `quiet` silent by its order of before, `lead` and `fresh` new."""
    found = {row["stage"]: row["customers"] for row in rows(fleet, "stage", silent="60") if row["customers"]}
    assert found == {"new": 2, "returning": 1, "silent": 1}


def test_cohorts_and_repurchase_leave_out_whose_orders_are_not_known(fleet: Fleet):
    cells = {(row["cohort"], row["k"]): row["customers"] for row in rows(fleet, "cohort")}
    assert cells == {("2026-01", 0): 1, ("2026-01", 1): 0, ("2026-02", 0): 1}
    (found,) = rows(fleet, "repurchase_rate/cohort", n="90", immature="include")
    assert (found["customers"], found["repeated"]) == (2, 0)


def test_by_cohort_they_are_of_the_month_they_first_bought_in(fleet: Fleet):
    found = {row["cohort"]: row["orders"] for row in rows(fleet, "orders", by="cohort")}
    assert found == {"2024-03": 2, "2026-01": 1, "2026-02": 1}
