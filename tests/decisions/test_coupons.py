"""`coupon.issued`, and the name of every no to a use; what time brings, what a reader sees."""

import pytest

from ledger import account as accounts
from ledger.errors import FormError
from ledger.rules import read_document
from tests.builders import (
    at,
    clock_runs,
    coupon,
    coupon_back,
    coupon_used,
    coupon_voided,
    event,
    published,
    rules,
)
from tests.given import given, table
from tests.vouchers import HERE, KINDS, TEN_OFF, having


@table(
    (
        "a lot of one use that stays",
        lambda: (
            having()
            .when(coupon("C-1", "2026-03-01"))
            .then("1 coupon:tea program:issued:campaign -> customer:coupon:tea opens 1.1")
            .derived(coupons=[{"coupon_id": "C-1", "kind": "tea", "lot": "1.1"}], counters=[["coupon:tea:total", 1]])
        ),
    ),
    (
        "a lot of several uses, for the reason given",
        lambda: (
            having()
            .when(coupon("C-1", "2026-03-01", "cake", reason="birthday"))
            .then("3 coupon:cake program:issued:birthday -> customer:coupon:cake opens 1.1")
        ),
    ),
    (
        "valid for days after the issue",
        lambda: having().when(coupon("C-1", "2026-03-01", "march")).lots("coupon:march 1.1 1/1 until 2026-03-11"),
    ),
    (
        "an earlier end as sent",
        lambda: (
            having()
            .when(coupon("C-1", "2026-03-01", "march", expires_at="2026-03-05T00:00:00Z"))
            .lots("coupon:march 1.1 1/1 until 2026-03-05")
        ),
    ),
    (
        "a later one than the rules allow does not count",
        lambda: (
            having()
            .when(coupon("C-1", "2026-03-01", "march", expires_at="2026-05-05T00:00:00Z"))
            .lots("coupon:march 1.1 1/1 until 2026-03-11")
        ),
    ),
    (
        "a window that lies ahead",
        lambda: (
            having()
            .when(coupon("C-1", "2026-03-01", "festival", campaign="qingming", code="QM-77"))
            .lots("coupon:festival 1.1 1/1 from 2026-04-01 until 2026-04-08")
            .derived(
                coupons=[
                    {
                        "coupon_id": "C-1",
                        "kind": "festival",
                        "lot": "1.1",
                        "code": "QM-77",
                        "campaign": "qingming",
                    }
                ]
            )
        ),
    ),
    (
        "a window that is over",
        lambda: (
            having()
            .when(coupon("C-1", "2026-04-08", "festival", campaign="qingming"))
            .refused("coupon_expired", expired_at="2026-04-08T00:00:00Z")
        ),
    ),
    (
        "a campaign of another kind",
        lambda: (
            having()
            .when(coupon("C-1", "2026-04-01", "festival", campaign="spring"))
            .refused("coupon_not_for_campaign", campaigns=["qingming"])
        ),
    ),
    (
        "a kind nobody knows",
        lambda: having().when(coupon("C-1", "2026-04-01", "coffee")).refused("coupon_kind_unknown", kind="coffee"),
    ),
    (
        "as many as a customer may have",
        lambda: (
            having(coupon("C-1", "2026-03-01", "one"))
            .when(coupon("C-2", "2026-03-02", "one"))
            .refused("limit_reached", counter="coupon:one:per_customer", used=1, limit=1)
            .nothing_changed()
        ),
    ),
    (
        "one voided before any use gives its place back",
        lambda: (
            having(coupon("C-1", "2026-03-01", "one"), coupon_voided("C-1", "2026-03-02"))
            .when(coupon("C-2", "2026-03-03", "one"))
            .lots("coupon:one 3.1 1/1")
        ),
    ),
    (
        "one that is used does not",
        lambda: (
            having(coupon("C-1", "2026-03-01", "one"), coupon_used("C-1", "U-1", "2026-03-02"))
            .when(coupon("C-2", "2026-03-03", "one"))
            .refused("limit_reached", used=1)
        ),
    ),
)
def test_a_coupon_is_issued_by_the_rules_of_its_kind(scenario):
    """Planted: `>` for `>=` against the limit of a customer; the later of the two ends."""
    scenario()


@table(
    (
        "never issued: kept until it is",
        lambda: having().when(coupon_used("C-9", "U-1", "2026-03-02")).refused("coupon_unknown", coupon_id="C-9"),
    ),
    (
        "issued later than that",
        lambda: (
            having(coupon("C-1", "2026-03-05"))
            .when(coupon_used("C-1", "U-1", "2026-03-02"))
            .refused("coupon_not_yet_valid", valid_from="2026-03-05T00:00:00Z")
        ),
    ),
    (
        "its window lies ahead",
        lambda: (
            having(coupon("C-1", "2026-03-01", "festival", campaign="qingming"))
            .when(coupon_used("C-1", "U-1", "2026-03-31T23:59:59Z"))
            .refused("coupon_not_yet_valid", valid_from="2026-04-01T00:00:00Z")
        ),
    ),
    (
        "taken out of use",
        lambda: (
            having(coupon("C-1", "2026-03-01"), coupon_voided("C-1", "2026-03-02"))
            .when(coupon_used("C-1", "U-1", "2026-03-03"))
            .refused("coupon_voided", voided_at="2026-03-02T00:00:00Z")
        ),
    ),
    (
        "gone to the instant, whether or not the clock has written it",
        lambda: (
            having(coupon("C-1", "2026-03-01", "march"))
            .when(coupon_used("C-1", "U-1", "2026-03-11"))
            .refused("coupon_expired", expired_at="2026-03-11T00:00:00Z")
            .nothing_changed()
        ),
    ),
    (
        "used up",
        lambda: (
            having(coupon("C-1", "2026-03-01"), coupon_used("C-1", "U-1", "2026-03-02"))
            .when(coupon_used("C-1", "U-2", "2026-03-03"))
            .refused("coupon_used", left=0)
        ),
    ),
    (
        "in a store of another brand",
        lambda: (
            having(coupon("C-1", "2026-03-01", "here"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", place=HERE))
            .refused("coupon_not_valid_here", store="SZ-1", brands=["red"], stores=["BJ-1"])
        ),
    ),
    (
        "nobody knows where",
        lambda: (
            having(coupon("C-1", "2026-03-01", "here"))
            .when(coupon_used("C-1", "U-1", "2026-03-03"))
            .refused("coupon_not_valid_here", store=None)
        ),
    ),
    (
        "too little bought",
        lambda: (
            having(coupon("C-1", "2026-03-01", "spend"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", spend=4999))
            .refused("minimum_spend_not_met", minimum_spend=5000, spend=4999)
        ),
    ),
    (
        "nobody says how much is bought",
        lambda: (
            having(coupon("C-1", "2026-03-01", "spend"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", order_id="SO-1"))
            .refused("minimum_spend_not_met", spend=None)
        ),
    ),
    (
        "more taken off than it is worth",
        lambda: (
            having(coupon("C-1", "2026-03-01"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", amount=1001))
            .refused("coupon_worth_exceeded", worth=1000, requested=1001)
        ),
    ),
    (
        "a gift takes nothing off",
        lambda: (
            having(coupon("C-1", "2026-03-01", "cake"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", amount=1))
            .refused("coupon_worth_exceeded", worth=0)
        ),
    ),
)
def test_a_use_is_refused_by_name(scenario):
    """Planted: the end counted as valid still; a coupon that ended called used."""
    scenario()


def test_a_coupon_bound_to_a_tier_is_issued_to_those_who_stand_there_then():
    """Planted: the tier of today for a coupon of yesterday."""
    gold = {"window": {"kind": "lifetime"}, "levels": [{"name": "gold", "rank": 1, "qualifies": {"orders": 100}}]}
    document = rules(coupons=[{"id": "tea", "value": TEN_OFF, "tiers": ["gold"]}], tiers=gold)
    assigned = event("tier.assigned", "2026-03-02", tier="gold", reason="a guest of the opening night")
    before = given(assigned, document=document)
    before.when(coupon("C-1", "2026-03-01")).refused("coupon_not_for_tier", tier=None, tiers=["gold"])
    before.when(coupon("C-1", "2026-03-03")).lots("coupon:tea 3.1 1/1")


def test_time_writes_the_end_of_a_coupon_as_its_own_record():
    """Apart from points that end at the same instant. Planted: one record for all."""
    having(coupon("C-1", "2026-03-01", "march"), coupon("C-2", "2026-03-01", "tea")).when(
        clock_runs("2026-03-12")
    ).unit(("coupon.expired", "2026-03-11", ["1 coupon:march customer:coupon:march -> program:expired of 1.1:1"]))


def test_a_reader_sees_the_coupons_that_are_open_then():
    ledger = having(
        coupon("C-1", "2026-03-01", "march", code="M-1"),
        coupon("C-2", "2026-03-01", "cake", campaign="spring"),
        coupon_used("C-2", "U-1", "2026-03-05"),
        coupon("C-3", "2026-03-06", "tea"),
        coupon_used("C-3", "U-2", "2026-03-07"),
        coupon_back("U-2", "2026-03-09"),
    ).ledger
    march = {
        "coupon_id": "C-1",
        "kind": "march",
        "left": 1,
        "lot": "1.1",
        "expires_at": "2026-03-11T00:00:00Z",
        "code": "M-1",
    }
    tea = {"coupon_id": "C-3", "kind": "tea", "left": 1, "lot": "4.1"}

    def cake(left):
        return {"coupon_id": "C-2", "kind": "cake", "left": left, "lot": "2.1", "campaign": "spring"}

    for as_of, wanted in [
        ("2026-03-04", [march, cake(3)]),
        ("2026-03-06", [march, cake(2), tea]),
        ("2026-03-08", [march, cake(2)]),
        ("2026-03-10", [march, cake(2), tea]),
        ("2026-03-12", [cake(2), tea]),
    ]:
        seen = accounts.show_account(accounts.fold(ledger.records, at(as_of)), at(as_of))
        assert seen["coupons"] == wanted, as_of


def test_a_coupon_keeps_the_terms_under_which_it_was_issued():
    """Planted: the terms of today."""
    dearer = rules(coupons=[{"id": "tea", "value": {**TEN_OFF, "amount": 1}}], effective_from="2026-03-02T00:00:00Z")
    without = rules(coupons=[], effective_from="2026-03-04T00:00:00Z")
    before = having(coupon("C-1", "2026-03-01"), published(dearer, "2026-03-01"), coupon("C-2", "2026-03-03"))
    before.when(coupon_used("C-2", "U-2", "2026-03-03")).derived(amount=1, coupon_rules=2)
    before.when(published(without, "2026-03-03"))
    before.when(coupon_used("C-1", "U-1", "2026-03-05")).derived(amount=1000, coupon_rules=1)


@pytest.mark.parametrize(
    "kind",
    [
        {"id": "x", "value": {"kind": "percentage", "percent": "101", "currency": "CNY"}},
        {"id": "x", "value": {"kind": "gift", "sku": "A"}, "minimum_spend": 1},
        {"id": "x", "value": {"kind": "gift", "sku": "A"}, "caps": {"budget": 1}},
        {"id": "x", "value": TEN_OFF, "uses": 0},
        {"id": "tea", "value": TEN_OFF},
    ],
    ids=["percent", "gift with a minimum", "gift with a budget", "no use", "the same id twice"],
)
def test_a_kind_that_cannot_be_meant_is_refused_with_its_place(kind):
    with pytest.raises(FormError) as refused:
        read_document(rules(coupons=[KINDS[0], kind]))
    assert refused.value.errors
