"""`membership.cancelled`: what is paid back of each period, and what of the bundle is taken back."""

import pytest

from tests.builders import (
    coupon_used,
    granted,
    member,
    membership,
    published,
    redeemed,
    renewal,
    rules,
)
from tests.given import table
from tests.memberships import VIP, having


@pytest.mark.parametrize(
    ("steps", "on", "refund"),
    [
        ([member("M", "2026-03-01", "today")], "2026-03-01T12:00", 36_400),
        ([member("M", "2026-03-01", "today")], "2027-02-28T12:00", 0),
        ([member("M", "2026-03-01", "today")], "2026-08-31", 18_100),
        ([member("M", "2026-03-01", "today", price=100, currency="CNY")], "2026-08-31", 49),
        ([member("M", "2026-03-01", "monthly"), renewal("M", "N", "2026-03-02")], "2026-03-16", 4451),
        ([member("M", "2026-03-01", "listed")], "2026-03-01T12:00", 32_500),
        ([member("M", "2026-03-01", "listed")], "2026-04-01", 28_500),
        ([member("M", "2026-03-01", "listed")], "2027-01-01", 0),
        ([member("M", "2026-03-01", "kept")], "2026-03-02", 0),
    ],
    ids=[
        "on its first day",
        "on its last",
        "half of it",
        "what was paid counts",
        "a period that has not begun",
        "one month begun",
        "two months begun",
        "never less than nothing",
        "none",
    ],
)
def test_a_cancellation_pays_back_what_the_plan_says(steps, on, refund):
    """Against: the day of the cancellation paid back; 29 of 31 days of the month to come."""
    having(*steps).when(membership("cancelled", "M", on)).derived(refund=refund, currency="CNY")


def test_days_paused_are_no_days_of_use():
    """Cancelled in the pause or right after it, the same is paid back. Against: the days of the pause in both."""
    steps = [
        member("M", "2026-03-01"),
        membership("paused", "M", "2026-05-01"),
        membership("resumed", "M", "2026-05-11"),
    ]
    having(*steps).when(membership("cancelled", "M", "2026-05-11")).derived(refund=36_500 * 303 // 365)
    having(*steps[:2]).when(membership("cancelled", "M", "2026-05-11")).derived(refund=36_500 * 303 // 365)


@table(
    (
        "what is left of the bundle is taken back, and unused coupons give their places back",
        lambda: (
            having(
                member("M", "2026-03-01"),
                coupon_used("membership:M:1:tea:1", "U-1", "2026-03-02"),
                coupon_used("membership:M:1:cake:1", "U-2", "2026-03-02"),
                redeemed("R-1", 200, "2026-03-03"),
            )
            .when(membership("cancelled", "M", "2026-03-04"))
            .then(
                "300 points customer:points -> program:reversed of 1.1:300",
                "1 coupon:tea customer:coupon:tea -> program:reversed of 1.3:1",
                "2 coupon:cake customer:coupon:cake -> program:reversed of 1.4:2",
            )
            .derived(places_back=["tea"], counters=[["coupon:tea:total", -1]])
            .lots()
        ),
    ),
    (
        "and can no longer be used",
        lambda: (
            having(member("M", "2026-03-01"), membership("cancelled", "M", "2026-03-04"))
            .when(coupon_used("membership:M:1:tea:1", "U-1", "2026-03-05"))
            .refused("coupon_voided")
        ),
    ),
    (
        "other points stay",
        lambda: (
            having(granted(7, "2026-02-01"), member("M", "2026-03-01"))
            .when(membership("cancelled", "M", "2026-03-04"))
            .balance(7)
        ),
    ),
    (
        "unless the plan lets them keep it",
        lambda: (
            having(member("M", "2026-03-01", "kept"))
            .when(membership("cancelled", "M", "2026-03-04"))
            .then()
            .balance(500)
        ),
    ),
    (
        "it may be renewed again, from that day",
        lambda: (
            having(member("M", "2026-03-01", "monthly"), membership("cancelled", "M", "2026-03-04"))
            .when(renewal("M", "N-1", "2026-03-06"))
            .derived(refund=None)
        ),
    ),
    (
        "under the terms of its own period",
        lambda: (
            having(
                member("M", "2026-03-01", "today"),
                published(
                    rules(membership=[{**VIP, "id": "today", "refund": "none"}], effective_from="2026-03-02T00:00:00Z"),
                    "2026-03-01",
                ),
            )
            .when(membership("cancelled", "M", "2026-08-31"))
            .derived(refund=18_100)
        ),
    ),
)
def test_a_cancellation_takes_back_what_came_with_it(scenario):
    """Against: the coupons left with the customer; the places of used ones given back."""
    scenario()
