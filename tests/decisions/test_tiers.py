"""Tiers: reached at once, reviewed when their time is up, assigned, undone; with the evidence each change carries."""

from tests.builders import (
    clock_runs,
    earns,
    line,
    purchase,
    redeemed,
    refunded,
    returned,
    signed_up,
)
from tests.given import given, table
from tests.tiering import SILVER, SPENT, assigned, changed, changes, level, stands, tier_seen, tiered

LIFETIME = {"kind": "lifetime"}


@table(
    (
        "one order may pass over a tier",
        lambda: changed(
            given(document=tiered()).when(purchase("A", 700_00, "2026-03-01")),
            "upgraded gold 2026-03-01, review 2027-01-01",
        ),
    ),
    (
        "one short is not enough",
        lambda: changed(given(document=tiered()).when(purchase("A", 99_99, "2026-03-01"))),
    ),
    (
        "reached a step at a time",
        lambda: changed(
            given(purchase("A", 100_00, "2026-03-01"), document=tiered()).when(purchase("B", 400_00, "2026-03-02")),
            "upgraded gold 2026-03-02, review 2027-01-01",
        ),
    ),
    (
        "what was before the period does not count",
        lambda: changed(
            given(purchase("A", 99_00, "2025-12-31T23:59"), document=tiered()).when(purchase("B", 99_00, "2026-01-01")),
        ),
    ),
    (
        "by spend, in the block's currency only",
        lambda: changed(
            given(
                purchase("A", 900, "2026-03-01", currency="JPY"),
                purchase("B", 100_00, "2026-03-01"),
                document=tiered(level("silver", 1, spend=200_00), currency="CNY"),
            ).when(purchase("C", 100_00, "2026-03-02")),
            "upgraded silver 2026-03-02, review 2027-01-01",
        ),
    ),
    (
        "by the number of orders",
        lambda: changed(
            given(purchase("A", 0, "2026-03-01"), document=tiered(level("silver", 1, orders=2))).when(
                purchase("B", 1, "2026-03-02")
            ),
            "upgraded silver 2026-03-02, review 2027-01-01",
        ),
    ),
    (
        "all of a condition must hold",
        lambda: changed(
            given(purchase("A", 500_00, "2026-03-01"), document=tiered(level("silver", 1, growth=100, orders=2))).when(
                purchase("B", 0, "2026-03-02")
            ),
            "upgraded silver 2026-03-02, review 2027-01-01",
        ),
    ),
    (
        "one of a choice is enough",
        lambda: changed(
            given(
                purchase("A", 1_00, "2026-03-01"),
                document=tiered(level("silver", 1, any=[{"growth": 1000}, {"all": [{"orders": 2}, {"growth": 2}]}])),
            ).when(purchase("B", 1_00, "2026-03-02")),
            "upgraded silver 2026-03-02, review 2027-01-01",
        ),
    ),
    (
        "a base tier is everyone's from the first day, and never reviewed",
        lambda: changed(
            given(document=tiered(level("member", 1, growth=0), level("gold", 2, growth=500))).when(
                signed_up("2026-03-01")
            ),
            "upgraded member 2026-03-01",
        ),
    ),
)
def test_a_tier_is_reached_at_once(scenario):
    """Against: the first tier that is reached taken for the best; the day of the order left out of the window."""
    scenario()


KEPT = [purchase("A", 600_00, "2026-03-01"), purchase("B", 120_00, "2027-03-01")]


@table(
    (
        "kept, from the old end on",
        lambda: changed(
            given(KEPT[0], document=tiered()).when(clock_runs("2027-01-01")),
            "retained gold 2027-01-01, review 2028-01-01",
        ),
    ),
    (
        "not kept, it falls to what the value keeps",
        lambda: changed(
            given(*KEPT, document=tiered()).when(clock_runs("2028-01-01")),
            "downgraded silver 2028-01-01, review 2029-01-01",
        ),
    ),
    (
        "to nothing, where there is nothing",
        lambda: changed(
            given(KEPT[0], document=tiered()).when(clock_runs("2028-06-01")),
            "retained gold 2027-01-01, review 2028-01-01",
            "downgraded none 2028-01-01",
        ),
    ),
    (
        "one step down",
        lambda: changed(
            given(KEPT[0], clock_runs("2027-01-01"), document=tiered(review="step_down")).when(
                clock_runs("2029-01-01")
            ),
            "downgraded silver 2028-01-01, review 2029-01-01",
            "downgraded none 2029-01-01",
        ),
    ),
    (
        "never lost",
        lambda: changed(
            given(KEPT[0], clock_runs("2027-01-01"), document=tiered(review="retain")).when(clock_runs("2028-01-01")),
            "retained gold 2028-01-01, review 2029-01-01",
        ),
    ),
    (
        "keeping may ask for less than reaching",
        lambda: changed(
            given(*KEPT, document=tiered(SILVER, level("gold", 2, growth=500, keeps={"growth": 120}))).when(
                clock_runs("2028-01-01")
            ),
            "retained gold 2028-01-01, review 2029-01-01",
        ),
    ),
    (
        "a grace period: what is done meanwhile keeps it",
        lambda: changed(
            given(
                *KEPT, clock_runs("2028-01-01"), purchase("C", 380_00, "2028-01-20"), document=tiered(grace_days=31)
            ).when(clock_runs("2028-02-01")),
            "retained gold 2028-02-01, review 2029-01-01",
        ),
    ),
    (
        "a grace period that ends with nothing done",
        lambda: changed(
            given(*KEPT, document=tiered(grace_days=31)).when(clock_runs("2028-02-01")),
            "retained gold 2028-01-01, review 2028-02-01",
            "downgraded silver 2028-02-01, review 2029-01-01",
        ),
    ),
    (
        "the next event writes what the clock has not",
        lambda: changed(
            given(*KEPT, document=tiered()).when(purchase("C", 500_00, "2028-03-01")),
            "downgraded silver 2028-01-01, review 2029-01-01",
            "upgraded gold 2028-03-01, review 2029-01-01",
        ),
    ),
)
def test_a_tier_is_reviewed_when_its_time_is_up(scenario):
    """Against: the window of the review taken on its own day, the next period's first; grace that forgets where it began."""
    scenario()


@table(
    (
        "until it ends, and then what the values keep",
        lambda: changed(
            given(
                purchase("A", 120_00, "2026-02-01"),
                assigned("gold", "2026-03-01", until="2026-06-15T00:00:00Z"),
                document=tiered(review="retain"),
            ).when(clock_runs("2026-07-01")),
            "downgraded silver 2026-06-15, review 2027-01-01",
        ),
    ),
    (
        "kept at its end where it was reached meanwhile",
        lambda: changed(
            given(
                assigned("gold", "2026-03-01", until="2026-06-15T00:00:00Z"),
                purchase("A", 520_00, "2026-04-01"),
                document=tiered(),
            ).when(clock_runs("2026-07-01")),
            "retained gold 2026-06-15, review 2027-01-01",
        ),
    ),
    (
        "without an end, to the next review",
        lambda: changed(
            given(document=tiered()).when(assigned("silver", "2026-03-01")),
            "assigned silver 2026-03-01, review 2027-01-01",
        ),
    ),
    (
        "one that nothing reaches stays",
        lambda: changed(
            given(document=tiered(SILVER, level("staff", 9))).when(assigned("staff", "2026-03-01")),
            "assigned staff 2026-03-01",
        ),
    ),
    (
        "one there is not",
        lambda: given(document=tiered()).when(assigned("lead", "2026-03-01")).refused("tier_unknown").nothing_changed(),
    ),
)
def test_staff_assigns_a_tier(scenario):
    """Against: the setting that tiers are never lost applied to the end of an assignment."""
    scenario()


def test_a_refund_reduces_growth_and_leaves_the_tier_unless_the_rules_let_it_undo_the_upgrade():
    """Against: growth taken back out of other orders' lots; the upgrade judged by the window of today."""
    steps = purchase("A", 90_00, "2026-03-01"), purchase("B", 410_00, "2026-03-02")
    stays = given(*steps, document=tiered()).when(refunded("B", 410_00, "2027-02-01"))
    assert changes(stays.records) == ["retained gold 2027-01-01, review 2028-01-01"]
    assert stays.own.balances == {"points": 90, "growth": 90}
    undone = given(*steps, document=tiered(refunds_undo_upgrade=True)).when(refunded("B", 10_00, "2026-12-01"))
    changed(undone, "downgraded silver 2026-12-01, review 2027-01-01")
    assert undone.own.data["reason"] == "refund"
    assert undone.own.data["evidence"]["values"] == {"growth": 490, "orders": 2}
    more = given(*steps, purchase("C", 10_00, "2026-04-01"), document=tiered(refunds_undo_upgrade=True))
    changed(more.when(refunded("B", 10_00, "2026-12-01")))


def test_goods_brought_back_take_off_growth_money_and_in_the_end_the_order():
    document = tiered(level("silver", 1, growth=50), currency="CNY")
    bought = purchase("A", 100_00, "2026-03-01", lines=[line(1, 60_00, sku="A"), line(2, 40_00, sku="B")])
    when = given(bought, document=document).when(returned(("A", 1, 60_00), time="2026-03-05"))
    assert tier_seen(when.ledger, "2026-03-06")["value"] == {"growth": 40, "spend": 40_00, "orders": 1}
    when = given(bought, returned(("A", 1, 60_00), time="2026-03-05"), document=document).when(
        refunded("A", 40_00, "2026-03-06")
    )
    assert tier_seen(when.ledger, "2026-03-06")["value"] == {"growth": 0, "spend": 0, "orders": 0}


@table(
    (
        "for money, whole units only, without what does not earn",
        lambda: (
            given(document=tiered(growth=[{**SPENT, "exclude_categories": ["gift card"]}]))
            .when(
                purchase(
                    "A", 30_99, "2026-03-01", lines=[line(1, 10_00, category="gift card"), line(2, 20_99, sku="B")]
                )
            )
            .then(
                "30 points program:issued:purchase -> customer:points opens 1.1 by base",
                "20 growth program:issued:purchase -> customer:growth opens 1.2 by spent",
            )
        ),
    ),
    (
        "for points",
        lambda: (
            given(document=tiered(growth=[{"id": "half", "on": "purchase.recorded", "per_point": "1/2"}]))
            .when(purchase("A", 31_00, "2026-03-01"))
            .then(
                "31 points program:issued:purchase -> customer:points opens 1.1 by base",
                "15 growth program:issued:purchase -> customer:growth opens 1.2 by half",
            )
        ),
    ),
    (
        "for an order, and for joining",
        lambda: (
            given(
                document=tiered(
                    growth=[
                        {"id": "joined", "on": "customer.signed_up", "amount": 7},
                        {"id": "order", "on": "purchase.recorded", "amount": 5},
                    ]
                )
            )
            .when(signed_up("2026-03-01"))
            .then("7 growth program:issued:signup -> customer:growth opens 1.1 by joined")
        ),
    ),
)
def test_growth_is_earned_under_the_rules(scenario):
    scenario()


def test_growth_is_never_spent_and_not_among_the_points():
    """Against: growth counted as available."""
    when = given(purchase("A", 50_00, "2026-03-01"), document=tiered()).when(redeemed("R", 51, "2026-03-02"))
    when.refused("insufficient_points", available=50)
    when.seen("2026-03-02", points=50, available=50)


def test_a_tier_multiplies_what_is_earned_after_it_was_reached():
    """Against: the tier an order itself brings applied to that order."""
    document = tiered(earning=[earns(tier_multipliers={"silver": "2", "gold": "3"})])
    when = given(purchase("A", 100_00, "2026-03-01"), document=document).when(purchase("B", 400_00, "2026-03-02"))
    assert [posting.amount for posting in when.records[0].postings] == [400, 400, 400]
    assert when.records[0].derived["tier"]["tier"] == "silver"
    late = given(*[purchase("A", 100_00, "2026-03-03")], document=document).when(purchase("B", 10_00, "2026-03-02"))
    assert [posting.amount for posting in late.records[0].postings] == [10, 10]


def test_a_review_deducts_what_keeping_the_tier_asks_for():
    document = tiered(window=LIFETIME, deduct_growth=True, valid_months=12)
    when = given(purchase("A", 620_00, "2026-03-01"), document=document).when(clock_runs("2027-03-01"))
    when.then("500 growth customer:growth -> program:deducted of 1.2:500 by gold")
    changed(when, "retained gold 2027-03-01, review 2028-03-01")
    assert tier_seen(when.ledger, "2027-03-01")["value"]["growth"] == 120
    assert tier_seen(when.ledger, "2028-02-01")["retain"]["missing"] == {"growth": 380}
    assert stands(when.ledger, "2028-03-01") == "silver"
