"""Debts: a clawback not covered, under `allow_negative`; what comes in later pays it first, in the same unit."""

from tests.builders import (
    adjusted,
    clock_runs,
    delivered,
    given_back,
    granted,
    opened,
    published,
    purchase,
    redeemed,
    refunded,
    rules,
    signed_up,
)
from tests.given import given, table

DOCUMENT = rules(
    {"id": "base", "on": "purchase.recorded", "points_per_unit": "1"},
    {"id": "hello", "on": "customer.signed_up", "points": 100},
    refunds="allow_negative",
)
WITH_MORE = {
    **DOCUMENT,
    "earning": [*DOCUMENT["earning"], {"id": "more", "on": "purchase.recorded", "points_per_unit": "2"}],
}
OWES_85 = (
    purchase("SO-1", 8500, "2026-03-01"),
    redeemed("R-1", 85, "2026-03-02"),
    refunded("SO-1", 8500, "2026-03-03"),
)
"""Opens the debt 3.1."""

OWES_TWICE = (
    purchase("SO-1", 1000, "2026-03-01"),
    purchase("SO-2", 2000, "2026-03-01"),
    redeemed("R-1", 30, "2026-03-02"),
    refunded("SO-1", 1000, "2026-03-03", refund="RF-1"),
    refunded("SO-2", 2000, "2026-03-04", refund="RF-2"),
)
"""Opens the debts 4.1 (10) and 5.1 (20)."""


def owing(*steps, **settings):
    return given(*steps, document={**DOCUMENT, **settings})


def pays(amount, lots, debts, more=""):
    return f"{amount} points customer:points -> customer:points:debt of {lots} pays {debts}{more}"


@table(
    (
        "it is opened by a posting out of the debt account, shown gross",
        lambda: (
            owing(*OWES_85[:2])
            .when(OWES_85[2])
            .then("85 points customer:points:debt -> program:reversed opens 3.1")
            .lots("owes 3.1 85/85")
            .seen("2026-03-03", points=-85, owed=85)
        ),
    ),
    (
        "a grant pays it first and keeps the rest",
        lambda: (
            owing(*OWES_85)
            .when(granted(100, "2026-03-04"))
            .then("100 points program:issued:goodwill -> customer:points opens 4.1", pays(85, "4.1:85", "3.1:85"))
            .lots("4.1 15/100")
            .balance(15)
        ),
    ),
    (
        "a grant too small pays part of it",
        lambda: (
            owing(*OWES_85)
            .when(granted(40, "2026-03-04"))
            .then("40 points program:issued:goodwill -> customer:points opens 4.1", pays(40, "4.1:40", "3.1:40"))
            .lots("owes 3.1 45/85")
            .balance(-45)
        ),
    ),
    (
        "the next pays what is left",
        lambda: (
            owing(*OWES_85, granted(40, "2026-03-04"))
            .when(granted(50, "2026-03-05"))
            .then("50 points program:issued:goodwill -> customer:points opens 5.1", pays(45, "5.1:45", "3.1:45"))
            .lots("5.1 5/50")
        ),
    ),
    (
        "the oldest debt first, each in a posting of its own",
        lambda: (
            owing(*OWES_TWICE)
            .when(granted(25, "2026-03-05"))
            .then(
                "25 points program:issued:goodwill -> customer:points opens 6.1",
                pays(10, "6.1:10", "4.1:10"),
                pays(15, "6.1:15", "5.1:15"),
            )
            .lots("owes 5.1 5/20")
        ),
    ),
    (
        "a purchase pays",
        lambda: (
            owing(*OWES_85)
            .when(purchase("SO-2", 3000, "2026-03-04"))
            .then(
                "30 points program:issued:purchase -> customer:points opens 4.1 by base", pays(30, "4.1:30", "3.1:30")
            )
        ),
    ),
    (
        "several lots of one purchase pay together",
        lambda: (
            owing(*OWES_85, published(WITH_MORE, "2026-03-03T12:00"))
            .when(purchase("SO-2", 4000, "2026-03-04"))
            .then(
                "40 points program:issued:purchase -> customer:points opens 4.1 by base",
                "80 points program:issued:purchase -> customer:points opens 4.2 by more",
                pays(85, "4.1:40 4.2:45", "3.1:85"),
            )
        ),
    ),
    (
        "a sign-up pays",
        lambda: (
            owing(*OWES_85)
            .when(signed_up("2026-03-04"))
            .then(
                "100 points program:issued:signup -> customer:points opens 4.1 by hello", pays(85, "4.1:85", "3.1:85")
            )
        ),
    ),
    (
        "an adjustment pays",
        lambda: (
            owing(*OWES_85)
            .when(adjusted(10, "2026-03-04"))
            .then("10 points program:adjusted -> customer:points opens 4.1", pays(10, "4.1:10", "3.1:10"))
        ),
    ),
    (
        "a redemption given back pays, out of the lot it reopens",
        lambda: (
            owing(
                granted(50, "2026-03-01"),
                redeemed("R-0", 50, "2026-03-01T01:00"),
                purchase("SO-1", 8500, "2026-03-01T02:00"),
                redeemed("R-1", 85, "2026-03-02"),
                refunded("SO-1", 8500, "2026-03-03"),
            )
            .when(given_back("R-0", "2026-03-04"))
            .then("50 points program:redeemed -> customer:points of 1.1:50", pays(50, "1.1:50", "5.1:50"))
            .lots("owes 5.1 35/85")
        ),
    ),
    (
        "an opening pays",
        lambda: (
            owing(*OWES_85)
            .when(
                opened(
                    "2026-03-04",
                    [
                        {"asset": "growth", "amount": 7, "granted_at": "2026-01-01T00:00:00Z", "reason": "opening"},
                        {"asset": "points", "amount": 90, "granted_at": "2026-01-01T00:00:00Z", "reason": "opening"},
                    ],
                )
            )
            .then(
                "7 growth program:opening:old -> customer:growth opens 4.1",
                "90 points program:opening:old -> customer:points opens 4.2",
                pays(85, "4.2:85", "3.1:85"),
            )
        ),
    ),
    (
        "points that wait pay all the same",
        lambda: (
            owing(*OWES_85, published({**DOCUMENT, "availability": {"kind": "after_delivery"}}, "2026-03-03T12:00"))
            .when(purchase("SO-2", 3000, "2026-03-04"))
            .then(
                "30 points program:issued:purchase -> customer:points opens 4.1 from delivery by base",
                pays(30, "4.1:30", "3.1:30"),
            )
        ),
    ),
    (
        "a delivery moves points, it pays nothing anew",
        lambda: (
            owing(
                purchase("SO-1", 1000, "2026-03-01"),
                purchase("SO-2", 2000, "2026-03-01"),
                refunded("SO-1", 1000, "2026-03-02"),
                availability={"kind": "after_delivery"},
            )
            .when(delivered("SO-2", "2026-03-03"))
            .then("20 points customer:points -> customer:points opens 4.1 of 2.1:20 from 2026-03-03")
        ),
    ),
    (
        "while it is owed nothing can be spent",
        lambda: (
            owing(*OWES_85, granted(40, "2026-03-04"))
            .when(redeemed("R-2", 1, "2026-03-05"))
            .refused("insufficient_points", available=0, requested=1)
            .nothing_changed()
        ),
    ),
    (
        "a debt does not expire",
        lambda: (
            owing(*OWES_85, expiry={"kind": "end_of_month", "n": 0})
            .when(clock_runs("2027-01-01"))
            .unit()
            .lots("owes 3.1 85/85")
        ),
    ),
    (
        "late: a grant dated before the debt pays it when it came to be",
        lambda: (
            owing(*OWES_85)
            .when(granted(100, "2026-03-02T12:00"))
            .then(
                "100 points program:issued:goodwill -> customer:points opens 4.1",
                pays(85, "4.1:85", "3.1:85", " on 2026-03-03"),
            )
            .lots("4.1 15/100")
            .seen("2026-03-02T12:00", points=100, owed=0)
            .seen("2026-03-03", points=15, owed=0)
        ),
    ),
    (
        "late: a grant that had expired before the debt came to be pays nothing",
        lambda: (
            owing(*OWES_85)
            .when(granted(100, "2026-03-02T12:00", expires_at="2026-03-02T18:00:00Z"))
            .then("100 points program:issued:goodwill -> customer:points opens 4.1 until 2026-03-02T18:00")
            .seen("2026-03-03", points=-85, owed=85)
        ),
    ),
    (
        "late: a debt paid since is not paid twice",
        lambda: (
            owing(*OWES_85, granted(100, "2026-03-05"))
            .when(granted(50, "2026-03-04"))
            .then("50 points program:issued:goodwill -> customer:points opens 5.1")
            .lots("5.1 50/50", "4.1 15/100")
        ),
    ),
)
def test_debts(scenario):
    """Planted: the newest debt paid first; a late grant paying at its own time, before the debt was there."""
    scenario()
