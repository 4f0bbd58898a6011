"""`coupon.redeemed`, `.returned`, `.voided`: out of a coupon's own lot, back into it, out of use."""

from tests.builders import (
    clock_runs,
    coupon,
    coupon_back,
    coupon_used,
    coupon_voided,
    purchase,
)
from tests.given import table
from tests.vouchers import HERE, SZ_1_IS_RED, having


def two_given_back():
    return having(
        coupon("C-1", "2026-03-01", "twice"),
        coupon_used("C-1", "R-1", "2026-03-02"),
        coupon_used("C-1", "R-2", "2026-03-03"),
        coupon_back("R-1", "2026-03-12"),
        coupon_back("R-2", "2026-03-13"),
    )


@table(
    (
        "one use of its own lot, whatever others there are",
        lambda: (
            having(coupon("C-1", "2026-03-01"), coupon("C-2", "2026-03-02"))
            .when(coupon_used("C-2", "U-1", "2026-03-03"))
            .then("1 coupon:tea customer:coupon:tea -> program:redeemed of 2.1:1")
            .derived(amount=1000, currency="CNY", kind="tea", counters=[["coupon:tea:budget", 1000]])
        ),
    ),
    (
        "no more than is bought",
        lambda: (
            having(coupon("C-1", "2026-03-01"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", spend=800))
            .derived(amount=800)
        ),
    ),
    (
        "a share, rounded down",
        lambda: (
            having(coupon("C-1", "2026-03-01", "share"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", spend=3333))
            .derived(amount=499)
        ),
    ),
    (
        "a share up to its most",
        lambda: (
            having(coupon("C-1", "2026-03-01", "share"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", spend=90_000))
            .derived(amount=2000)
        ),
    ),
    (
        "of the order it names, once that is recorded",
        lambda: (
            having(coupon("C-1", "2026-03-01", "share"), purchase("SO-1", 4000, "2026-03-02"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", order_id="SO-1"))
            .derived(amount=600)
        ),
    ),
    (
        "just as much as is asked for",
        lambda: (
            having(coupon("C-1", "2026-03-01", "spend"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", spend=5000))
            .derived(amount=1000)
        ),
    ),
    (
        "who bears it, to the last unit",
        lambda: (
            having(coupon("C-1", "2026-03-01", "borne"))
            .when(coupon_used("C-1", "U-1", "2026-03-03"))
            .derived(bearers=[{"party": "brand", "amount": 333}, {"party": "fr-9", "amount": 667}])
        ),
    ),
    (
        "in a store of its brand",
        lambda: (
            having(SZ_1_IS_RED, coupon("C-1", "2026-03-01", "here"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", place=HERE))
            .derived(brand="red", amount=1000)
        ),
    ),
    (
        "in a store named itself",
        lambda: (
            having(coupon("C-1", "2026-03-01", "here"))
            .when(coupon_used("C-1", "U-1", "2026-03-03", place={"store": "BJ-1", "channel": "shop"}))
            .derived(amount=1000)
        ),
    ),
    (
        "a gift has uses and no money",
        lambda: (
            having(coupon("C-1", "2026-03-01", "cake"))
            .when(coupon_used("C-1", "U-1", "2026-03-03"))
            .lots("coupon:cake 1.1 2/3")
            .derived(amount=None, counters=None)
        ),
    ),
    (
        "the last instant of the window",
        lambda: (
            having(coupon("C-1", "2026-03-01", "march"))
            .when(coupon_used("C-1", "U-1", "2026-03-10T23:59:59.999999Z"))
            .lots()
        ),
    ),
    (
        "late, of a coupon that only ended since: its end is taken back",
        lambda: (
            having(coupon("C-1", "2026-03-01", "march"), clock_runs("2026-03-20"), purchase("SO-1", 100, "2026-03-20"))
            .when(coupon_used("C-1", "U-1", "2026-03-10"))
            .unit(
                (
                    "coupon.expiry_reversed",
                    "2026-03-11",
                    ["1 coupon:march program:expired -> customer:coupon:march of 1.1:1"],
                ),
                (
                    "coupon.redeemed",
                    "2026-03-10",
                    ["1 coupon:march customer:coupon:march -> program:redeemed of 1.1:1"],
                ),
            )
        ),
    ),
    (
        "late, of one that was used since",
        lambda: (
            having(coupon("C-1", "2026-03-01"), coupon_used("C-1", "U-1", "2026-03-05"))
            .when(coupon_used("C-1", "U-2", "2026-03-03"))
            .refused("coupon_used", left=0)
        ),
    ),
)
def test_a_use_takes_from_the_coupons_own_lot(scenario):
    """Planted: the kind's soonest lot taken; the bearers' parts each rounded."""
    scenario()


@table(
    (
        "the lot reopens, the money comes back to the budget",
        lambda: (
            having(coupon("C-1", "2026-03-01"), coupon_used("C-1", "U-1", "2026-03-02"))
            .when(coupon_back("U-1", "2026-03-03"))
            .then("1 coupon:tea program:redeemed -> customer:coupon:tea of 1.1:1")
            .lots("coupon:tea 1.1 1/1")
            .derived(counters=[["coupon:tea:budget", -1000]])
        ),
    ),
    (
        "and may be used again",
        lambda: (
            having(
                coupon("C-1", "2026-03-01"), coupon_used("C-1", "U-1", "2026-03-02"), coupon_back("U-1", "2026-03-03")
            )
            .when(coupon_used("C-1", "U-2", "2026-03-04"))
            .lots()
        ),
    ),
    (
        "once",
        lambda: (
            having(
                coupon("C-1", "2026-03-01"), coupon_used("C-1", "U-1", "2026-03-02"), coupon_back("U-1", "2026-03-03")
            )
            .when(coupon_back("U-1", "2026-03-04"))
            .refused("reversal_exceeds_redemption", left=0)
        ),
    ),
    (
        "not before the use",
        lambda: (
            having(coupon("C-1", "2026-03-01"), coupon_used("C-1", "U-1", "2026-03-03"))
            .when(coupon_back("U-1", "2026-03-02"))
            .refused("reversal_before_redemption")
        ),
    ),
    (
        "a use nobody knows yet",
        lambda: (
            having(coupon("C-1", "2026-03-01"))
            .when(coupon_back("U-1", "2026-03-02"))
            .refused("coupon_redemption_unknown", redemption_id="U-1")
        ),
    ),
    (
        "of a coupon taken out of use",
        lambda: (
            having(
                coupon("C-1", "2026-03-01", "cake"),
                coupon_used("C-1", "U-1", "2026-03-02"),
                coupon_voided("C-1", "2026-03-03"),
            )
            .when(coupon_back("U-1", "2026-03-04"))
            .refused("coupon_voided")
        ),
    ),
    (
        "past its end nothing reopens, and the money comes back all the same",
        lambda: (
            having(coupon("C-1", "2026-03-01", "march"), coupon_used("C-1", "U-1", "2026-03-10"))
            .when(coupon_back("U-1", "2026-03-11"))
            .then()
            .notes({"code": "coupon_lapsed", "kind": "march", "expired_at": "2026-03-11T00:00:00Z"})
            .derived(counters=[["coupon:march:budget", -1000]])
        ),
    ),
    (
        "past its end it comes back for the days the rules give",
        lambda: (
            having(coupon("C-1", "2026-03-01", "grace"), coupon_used("C-1", "U-1", "2026-03-10"))
            .when(coupon_back("U-1", "2026-03-20"))
            .then("1 coupon:grace program:redeemed -> customer:coupon:grace opens 3.1 until 2026-03-27")
        ),
    ),
    (
        "and may be used in them",
        lambda: (
            having(
                coupon("C-1", "2026-03-01", "grace"),
                coupon_used("C-1", "U-1", "2026-03-10"),
                coupon_back("U-1", "2026-03-20"),
            )
            .when(coupon_used("C-1", "U-2", "2026-03-26"))
            .then("1 coupon:grace customer:coupon:grace -> program:redeemed of 3.1:1")
        ),
    ),
    (
        "one of several uses",
        lambda: (
            having(
                coupon("C-1", "2026-03-01", "cake"),
                coupon_used("C-1", "U-1", "2026-03-02"),
                coupon_used("C-1", "U-2", "2026-03-02"),
            )
            .when(coupon_back("U-1", "2026-03-04"))
            .lots("coupon:cake 1.1 2/3")
        ),
    ),
    (
        "of two uses given back after its end, one used again",
        lambda: (
            two_given_back()
            .when(coupon_used("C-1", "R-3", "2026-03-14"))
            .then("1 coupon:twice customer:coupon:twice -> program:redeemed of 4.1:1")
            .lots("coupon:twice 5.1 1/1 until 2026-03-20")
        ),
    ),
)
def test_a_use_is_given_back_to_the_lot_it_came_from(scenario):
    """Planted: a lot reopened past its end; the budget left as it was."""
    scenario()


@table(
    (
        "all that is left",
        lambda: (
            having(coupon("C-1", "2026-03-01", "cake"), coupon_used("C-1", "U-1", "2026-03-02"))
            .when(coupon_voided("C-1", "2026-03-03"))
            .then("2 coupon:cake customer:coupon:cake -> program:reversed of 1.1:2")
            .derived(places_back=None, counters=None)
        ),
    ),
    (
        "before it may be used",
        lambda: (
            having(coupon("C-1", "2026-03-01", "festival", campaign="qingming"))
            .when(coupon_voided("C-1", "2026-03-03"))
            .lots()
            .derived(places_back=["festival"], counters=[["coupon:festival:total", -1]])
        ),
    ),
    (
        "twice",
        lambda: (
            having(coupon("C-1", "2026-03-01"), coupon_voided("C-1", "2026-03-03"))
            .when(coupon_voided("C-1", "2026-03-04"))
            .refused("coupon_voided")
        ),
    ),
    (
        "after its end",
        lambda: (
            having(coupon("C-1", "2026-03-01", "march"))
            .when(coupon_voided("C-1", "2026-03-11"))
            .refused("coupon_expired")
        ),
    ),
    (
        "with two uses given back after its end, in lots of their own",
        lambda: (
            two_given_back()
            .when(coupon_voided("C-1", "2026-03-14"))
            .then("2 coupon:twice customer:coupon:twice -> program:reversed of 4.1:1 5.1:1")
            .lots()
        ),
    ),
)
def test_a_coupon_is_taken_out_of_use(scenario):
    scenario()
