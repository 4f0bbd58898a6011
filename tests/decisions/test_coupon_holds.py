"""A coupon set aside for a checkout: captured it is used at the hold's instant; released or timed out it is free again."""

import pytest

from ledger import account as accounts
from ledger.seeing import seen
from tests.builders import (
    CUSTOMER,
    PROGRAM,
    at,
    captured,
    clock_runs,
    coupon,
    coupon_back,
    coupon_used,
    event,
    granted,
    purchase,
    released,
)
from tests.given import table
from tests.vouchers import having

TEA = coupon("C-1", "2026-03-01")
MARCH = coupon("C-1", "2026-03-01", "march")
CAKE = coupon("C-1", "2026-03-01", "cake")


def held(hold="H-1", time="2026-03-05", until="2026-03-20", coupon_id="C-1", **more):
    data = {"hold_id": hold, "asset": "coupon", "coupon_id": coupon_id, "until": f"{until}T00:00:00Z"}
    return event("hold.placed", time, **{**data, **more})


HELD = held()


def shown(ledger, as_of):
    instant = at(as_of)
    state = accounts.fold(ledger.records, instant)
    return seen(state, instant, program=PROGRAM, customer=CUSTOMER, known=ledger.program)


class TestPlacing:
    @table(
        (
            "one use, and its worth of the budget",
            lambda: (
                having(TEA)
                .when(HELD)
                .then("1 coupon:tea customer:coupon:tea -> customer:coupon:tea:held opens 2.1 of 1.1:1")
                .lots()
                .derived(
                    coupon={
                        "coupon_id": "C-1",
                        "rules": 1,
                        "kind": "tea",
                        "coupon_rules": 1,
                        "amount": 1000,
                        "currency": "CNY",
                        "bearers": [],
                    },
                    counters=[["coupon:tea:budget", 1000]],
                )
            ),
        ),
        ("one of several", lambda: having(CAKE).when(HELD).lots("coupon:cake 1.1 2/3")),
        (
            "held it cannot be used",
            lambda: (
                having(TEA, HELD)
                .when(coupon_used("C-1", "U-1", "2026-03-06"))
                .refused("coupon_held", coupon_id="C-1", hold_id="H-1")
                .nothing_changed()
            ),
        ),
        ("nor held again", lambda: having(TEA, HELD).when(held("H-2")).refused("coupon_held")),
        (
            "less is bought than it asks for",
            lambda: (
                having(coupon("C-1", "2026-03-01", "spend")).when(held(spend=4999)).refused("minimum_spend_not_met")
            ),
        ),
        ("more than it is worth", lambda: having(TEA).when(held(amount=1001)).refused("coupon_worth_exceeded")),
        ("points hold no coupon", lambda: having(TEA).when(held(asset="points", amount=5)).refused("malformed")),
        ("a coupon has a name", lambda: having(TEA).when(held(coupon_id=None)).refused("malformed")),
    )
    def test_it_is_set_aside(self, scenario):
        scenario()


class TestCapturing:
    @table(
        (
            "used at the hold's own instant",
            lambda: (
                having(TEA, HELD)
                .when(captured("H-1", "2026-03-06"))
                .then("1 coupon:tea customer:coupon:tea:held -> program:redeemed of 2.1:1 on 2026-03-05")
                .derived(captured=1000, released=0, counters=None)
            ),
        ),
        (
            "taking off less, the rest goes back to the budget",
            lambda: (
                having(TEA, HELD)
                .when(captured("H-1", "2026-03-06", 400))
                .derived(captured=400, released=600, counters=[["coupon:tea:budget", -600]])
            ),
        ),
        (
            "taking off more",
            lambda: (
                having(TEA, HELD).when(captured("H-1", "2026-03-06", 1001)).refused("capture_exceeds_hold", held=1000)
            ),
        ),
        (
            "after the coupon's end: what is held does not expire",
            lambda: (
                having(MARCH, HELD)
                .when(captured("H-1", "2026-03-15"))
                .then("1 coupon:march customer:coupon:march:held -> program:redeemed of 2.1:1 on 2026-03-05")
            ),
        ),
        (
            "after its release",
            lambda: (
                having(TEA, HELD, released("H-1", "2026-03-06"))
                .when(captured("H-1", "2026-03-07"))
                .refused("hold_ended")
            ),
        ),
        (
            "after its time-out",
            lambda: having(TEA, HELD).when(captured("H-1", "2026-03-20")).refused("hold_ended", ended="timed_out"),
        ),
        (
            "the use can be returned, by the name of its hold",
            lambda: (
                having(TEA, HELD, captured("H-1", "2026-03-06"))
                .when(coupon_back("hold:H-1", "2026-03-07"))
                .lots("coupon:tea 1.1 1/1")
                .derived(counters=[["coupon:tea:budget", -1000]])
            ),
        ),
        (
            "once",
            lambda: (
                having(TEA, HELD, captured("H-1", "2026-03-06"), coupon_back("hold:H-1", "2026-03-07"))
                .when(coupon_back("hold:H-1", "2026-03-08"))
                .refused("reversal_exceeds_redemption")
            ),
        ),
        (
            "no sender names a use so",
            lambda: having(TEA).when(coupon_used("C-1", "hold:H-1", "2026-03-06")).refused("malformed"),
        ),
    )
    def test_it_is_used(self, scenario):
        scenario()

    def test_late_it_undoes_the_time_out_that_freed_the_coupon(self):
        """The budget is charged again with it."""
        found = having(TEA, HELD, clock_runs("2026-03-21")).when(captured("H-1", "2026-03-10").late("2026-03-22"))
        found.derived(captured=1000, counters=[["coupon:tea:budget", 1000]]).lots()
        found.ledger.post(granted(5, "2026-03-23"))

    def test_late_it_is_refused_where_the_coupon_was_used_since(self):
        steps = (TEA, HELD, clock_runs("2026-03-21"), coupon_used("C-1", "U-1", "2026-03-21"))
        having(*steps).when(captured("H-1", "2026-03-10").late("2026-03-22")).refused("hold_ended")


class TestFreeing:
    @table(
        (
            "released it lies in its own lot",
            lambda: (
                having(TEA, HELD)
                .when(released("H-1", "2026-03-06"))
                .then(
                    "1 coupon:tea customer:coupon:tea:held -> program:reversed of 2.1:1",
                    "1 coupon:tea program:reversed -> customer:coupon:tea of 1.1:1",
                )
                .derived(
                    coupons_back=[{"coupon_id": "C-1", "kind": "tea", "rules": 1, "lot": "1.1"}],
                    counters=[["coupon:tea:budget", -1000]],
                )
                .lots("coupon:tea 1.1 1/1")
            ),
        ),
        (
            "released after its end it expires at once",
            lambda: (
                having(MARCH, HELD)
                .when(released("H-1", "2026-03-15"))
                .then("1 coupon:march customer:coupon:march:held -> program:expired of 2.1:1")
                .derived(coupons_back=None)
                .lots()
            ),
        ),
        (
            "one of several joins the others again",
            lambda: having(CAKE, HELD).when(released("H-1", "2026-03-06")).lots("coupon:cake 1.1 3/3"),
        ),
        (
            "timed out it is free again",
            lambda: (
                having(TEA, HELD)
                .when(clock_runs("2026-03-20"))
                .then(
                    "1 coupon:tea customer:coupon:tea:held -> program:reversed of 2.1:1",
                    "1 coupon:tea program:reversed -> customer:coupon:tea of 1.1:1",
                )
                .derived(counters=[["coupon:tea:budget", -1000]])
            ),
        ),
        (
            "timed out after its end it expires at once",
            lambda: (
                having(MARCH, HELD)
                .when(clock_runs("2026-03-20"))
                .then("1 coupon:march customer:coupon:march:held -> program:expired of 2.1:1")
            ),
        ),
        (
            "and can be used",
            lambda: (
                having(TEA, HELD, released("H-1", "2026-03-06"))
                .when(coupon_used("C-1", "U-1", "2026-03-07"))
                .then("1 coupon:tea customer:coupon:tea -> program:redeemed of 1.1:1")
            ),
        ),
        (
            "also where the clock has not written it",
            lambda: having(TEA, HELD).when(coupon_used("C-1", "U-1", "2026-03-20")).lots(),
        ),
    )
    def test_it_is_free_again(self, scenario):
        """Against: the entry of the coupon not made again at a release."""
        scenario()

    @pytest.mark.parametrize("clock", [False, True])
    def test_a_reader_sees_it_free_whether_or_not_the_clock_has_written_it(self, clock):
        ledger = having(TEA, HELD, *([clock_runs("2026-03-21")] if clock else [])).ledger
        before, after = shown(ledger, "2026-03-19"), shown(ledger, "2026-03-21")
        assert (before["coupons"], before["holds"][0]["coupon_id"], before["held"]["coupon:tea"]) == ([], "C-1", 1)
        assert ([one["coupon_id"] for one in after["coupons"]], after["available"]["coupon:tea"]) == (["C-1"], 1)
        assert after.get("holds", []) == []

    def test_the_budget_counts_what_a_purchase_beside_it_pays(self):
        pays = [{"kind": "coupon", "amount": 0, "coupon_id": "C-1"}]
        steps = (CAKE, HELD, purchase("SO-1", 0, "2026-03-06", tenders=pays))
        having(*steps).when(released("H-1", "2026-03-07")).lots("coupon:cake 1.1 2/3")
