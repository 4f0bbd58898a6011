"""A coupon that pays: one record with the purchase, all or none; a refund gives the use back by the coupon's own rule."""

import pytest

from tests.builders import coupon, coupon_used, coupon_voided, granted, purchase, redeemed, refunded
from tests.given import table
from tests.vouchers import HERE, having

TEA = coupon("C-1", "2026-03-01")
CAKE = coupon("G-1", "2026-03-01", "cake")
USED = "1 coupon:tea customer:coupon:tea -> program:redeemed of 1.1:1"
BACK = "1 coupon:tea program:redeemed -> customer:coupon:tea of 1.1:1"


def pays(amount, coupon_id="C-1", **more):
    return {"kind": "coupon", "amount": amount, "coupon_id": coupon_id, **more}


def bought(*tenders, time="2026-03-05", order="SO-1", **more):
    return purchase(order, sum(one["amount"] for one in tenders), time, tenders=list(tenders), **more)


CASH = {"kind": "cash", "amount": 7000}
PAID = bought(pays(1000), CASH)


def counters(when):
    return {name: sum(amount for counter, amount in counted if counter == name) for name, counted in tallied(when)}


def tallied(when):
    counted = [one for record in when.ledger.records for one in (record.derived or {}).get("counters", ())]
    return [(name, counted) for name in {name for name, _ in counted}]


class TestPaying:
    @table(
        (
            "one record with the purchase; by default it earns like money",
            lambda: (
                having(TEA)
                .when(PAID)
                .then(USED, "80 points program:issued:purchase -> customer:points opens 2.2 by base")
                .why(tender=1, kind="coupon", pays=1000, coupon_id="C-1", coupon_rules=1, amount=1000, currency="CNY")
                .derived(counters=[["coupon:tea:budget", 1000]])
            ),
        ),
        (
            "less than it is worth",
            lambda: having(TEA).when(bought(pays(400), CASH)).derived(counters=[["coupon:tea:budget", 400]]),
        ),
        (
            "a gift pays nothing and is handed over in the same record",
            lambda: (
                having(CAKE)
                .when(bought(pays(0, "G-1"), CASH))
                .then(
                    "1 coupon:cake customer:coupon:cake -> program:redeemed of 1.1:1",
                    "70 points program:issued:purchase -> customer:points opens 2.2 by base",
                )
                .lots("coupon:cake 1.1 2/3", "2.2 70/70")
            ),
        ),
        (
            "a share of all that is bought",
            lambda: (
                having(coupon("C-1", "2026-03-01", "share")).when(bought(pays(1200), CASH)).why(pays=1200, amount=1200)
            ),
        ),
        (
            "with a reference it names what was redeemed and nothing moves",
            lambda: (
                having(TEA, coupon_used("C-1", "U-1", "2026-03-02"))
                .when(bought({"kind": "coupon", "amount": 1000, "reference": "U-1"}, CASH))
                .then("80 points program:issued:purchase -> customer:points opens 3.1 by base")
            ),
        ),
    )
    def test_it_pays(self, scenario):
        scenario()

    @table(
        ("unknown", lambda: having().when(PAID).refused("coupon_unknown", coupon_id="C-1")),
        ("used", lambda: having(TEA, coupon_used("C-1", "U-1", "2026-03-02")).when(PAID).refused("coupon_used")),
        ("voided", lambda: having(TEA, coupon_voided("C-1", "2026-03-02")).when(PAID).refused("coupon_voided")),
        ("too old", lambda: having(coupon("C-1", "2026-02-01", "march")).when(PAID).refused("coupon_expired")),
        (
            "more than it is worth",
            lambda: having(TEA).when(bought(pays(1001), CASH)).refused("coupon_worth_exceeded", worth=1000),
        ),
        (
            "less is bought than it asks for",
            lambda: (
                having(coupon("C-1", "2026-03-01", "spend"))
                .when(bought(pays(1000), {"kind": "cash", "amount": 3999}))
                .refused("minimum_spend_not_met", minimum_spend=5000, spend=4999)
            ),
        ),
        (
            "another store",
            lambda: (
                having(coupon("C-1", "2026-03-01", "here"))
                .when(bought(pays(1000), CASH, place=HERE))
                .refused("coupon_not_valid_here")
            ),
        ),
        (
            "another currency",
            lambda: having(TEA).when(bought(pays(1000), CASH, currency="USD")).refused("tender_not_payable"),
        ),
        (
            "the points beside it do not reach: nothing of the coupon is used",
            lambda: having(TEA).when(bought(pays(1000), {"kind": "stored_value", "amount": 5})).nothing_changed(),
        ),
        ("no coupon named", lambda: having(TEA).when(bought(pays(1000, None), CASH)).refused("malformed")),
        (
            "neither coupon nor reference",
            lambda: having(TEA).when(bought({"kind": "coupon", "amount": 1}, CASH)).refused("tender_needs_reference"),
        ),
        ("twice for a purchase", lambda: having(TEA).when(bought(pays(500), pays(500))).refused("malformed")),
        (
            "a coupon that pays in cash",
            lambda: having(TEA).when(bought({**CASH, "coupon_id": "C-1"})).refused("malformed"),
        ),
    )
    def test_all_or_none(self, scenario):
        """Against: a purchase recorded without what pays it; a multi-use coupon paying twice out of one remaining use."""
        scenario().nothing_changed()


class TestRefunds:
    @table(
        (
            "all of it: the use lies in its lot again",
            lambda: having(TEA, PAID).when(refunded("SO-1", 8000, "2026-03-06")).lots("coupon:tea 1.1 1/1"),
        ),
        (
            "half of it: not yet",
            lambda: having(TEA, PAID).when(refunded("SO-1", 4000, "2026-03-06")).lots("2.2 40/80"),
        ),
        (
            "the other half: now",
            lambda: (
                having(TEA, PAID, refunded("SO-1", 4000, "2026-03-06"))
                .when(refunded("SO-1", 4000, "2026-03-07", refund="RF-2"))
                .lots("coupon:tea 1.1 1/1")
                .derived(counters=[["coupon:tea:budget", -1000]])
            ),
        ),
        (
            "the refund says which tender",
            lambda: (
                having(TEA, PAID)
                .when(refunded("SO-1", 1000, "2026-03-06", tenders=[{"kind": "coupon", "amount": 1000}]))
                .lots("coupon:tea 1.1 1/1", "2.2 70/80")
            ),
        ),
        (
            "after the coupon's end, by its rule: not at all",
            lambda: (
                having(coupon("C-1", "2026-03-01", "march"), PAID)
                .when(refunded("SO-1", 8000, "2026-03-20"))
                .lots()
                .notes({"code": "coupon_lapsed", "kind": "march", "expired_at": "2026-03-11T00:00:00Z"})
            ),
        ),
        (
            "after the coupon's end, by its rule: for some days",
            lambda: (
                having(coupon("C-1", "2026-03-01", "grace"), PAID)
                .when(refunded("SO-1", 8000, "2026-03-20"))
                .lots("coupon:grace 3.1 1/1 until 2026-03-27")
            ),
        ),
        (
            "voided meanwhile: it stays so",
            lambda: (
                having(coupon("C-1", "2026-03-01", "ten"), PAID, coupon_voided("C-1", "2026-03-06"))
                .when(refunded("SO-1", 8000, "2026-03-07"))
                .lots()
            ),
        ),
        (
            "a gift comes back with the last of the order",
            lambda: (
                having(CAKE, bought(pays(0, "G-1"), CASH), refunded("SO-1", 3000, "2026-03-06"))
                .when(refunded("SO-1", 4000, "2026-03-07", refund="RF-2"))
                .lots("coupon:cake 1.1 3/3")
            ),
        ),
    )
    def test_the_use_comes_back_by_the_coupons_rule(self, scenario):
        """Against: the use given back with the first part of the money."""
        scenario()

    def test_what_came_back_can_pay_again_and_no_more_than_once(self):
        again = bought(pays(1000), CASH, order="SO-2", time="2026-03-07")
        paid_again = having(TEA, PAID, refunded("SO-1", 8000, "2026-03-06"), again)
        paid_again.when(coupon_used("C-1", "U-9", "2026-03-08")).refused("coupon_used")

    def test_the_budget_is_given_back_to_the_last_unit(self):
        found = having(TEA, PAID, refunded("SO-1", 8000, "2026-03-06")).when(granted(1, "2026-03-09"))
        assert counters(found) == {"coupon:tea:total": 1, "coupon:tea:budget": 0}


def test_a_late_purchase_is_paid_with_a_coupon_that_was_free_then_and_has_expired_since():
    """Its expiry is reversed for exactly the use."""
    found = having(coupon("C-1", "2026-03-01", "march"), granted(5, "2026-04-01")).when(
        bought(pays(1000), CASH, time="2026-03-10").late("2026-04-02")
    )
    assert [record.type for record in found.records] == ["coupon.expiry_reversed", "purchase.recorded"]
    found.ledger.post(redeemed("R-1", 5, "2026-04-03"))


@pytest.mark.parametrize("uses", range(1, 4))
def test_a_coupon_of_several_uses_pays_once_each(uses):
    orders = [bought(pays(0, "G-1"), CASH, order=f"SO-{number}") for number in range(uses)]
    having(CAKE, *orders).when(granted(1, "2026-03-09")).seen("2026-03-09", points=70 * uses + 1)
    last = having(CAKE, *orders).when(bought(pays(0, "G-1"), CASH, order="SO-9"))
    assert (last.error is None) == (uses < 3)
