"""`points.redeemed`, `points.redemption_reversed`, `points.adjusted`: out of lots, back into them, by hand."""

from tests.builders import adjusted, at, clock_runs, given_back, granted, opened, purchase, redeemed, rules
from tests.given import given, table

SOON, LATER = "2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z"
THREE_LOTS = (
    granted(50, "2026-03-01", expires_at=LATER),
    granted(30, "2026-03-02", expires_at=SOON),
    granted(20, "2026-03-03", expires_at=SOON),
)
"""Lots 1.1 (50), 2.1 (30), 3.1 (20); the last two are gone first."""


def spent(amount, *parts, to="program:redeemed"):
    return f"{amount} points customer:points -> {to} of {' '.join(parts)}"


@table(
    (
        "soonest expiry first, then oldest",
        lambda: (
            given(*THREE_LOTS)
            .lots("2.1 30/30 until 2026-04-01", "3.1 20/20 until 2026-04-01", "1.1 50/50 until 2026-05-01")
            .when(redeemed("R-1", 60, "2026-03-04"))
            .then(spent(60, "2.1:30", "3.1:20", "1.1:10"))
            .lots("1.1 40/50 until 2026-05-01")
            .balance(40)
        ),
    ),
    (
        "oldest by when it was granted, not by when we learnt of it",
        lambda: (
            given(granted(5, "2026-03-02"), granted(5, "2026-03-01"))
            .when(redeemed("R-1", 6, "2026-03-03"))
            .then(spent(6, "2.1:5", "1.1:1"))
        ),
    ),
    (
        "what never expires goes last",
        lambda: (
            given(granted(5, "2026-03-01"), granted(5, "2026-03-02", expires_at=LATER))
            .when(redeemed("R-1", 5, "2026-03-03"))
            .then(spent(5, "2.1:5"))
        ),
    ),
    (
        "exactly what there is",
        lambda: given(*THREE_LOTS).when(redeemed("R-1", 100, "2026-03-04")).lots().balance(0),
    ),
    (
        "one more is refused, and takes nothing",
        lambda: (
            given(*THREE_LOTS)
            .when(redeemed("R-1", 101, "2026-03-04"))
            .refused("insufficient_points", available=100, requested=101)
            .nothing_changed()
        ),
    ),
    (
        "a customer we do not know has 0 available",
        lambda: (
            given().when(redeemed("R-1", 1, "2026-03-04")).refused("insufficient_points", available=0).nothing_changed()
        ),
    ),
    (
        "other assets pay no points",
        lambda: (
            given(
                opened(
                    "2026-03-01",
                    [{"asset": "growth", "amount": 9, "granted_at": "2026-01-01T00:00:00Z", "reason": "opening"}],
                )
            )
            .when(redeemed("R-1", 1, "2026-03-04"))
            .refused("insufficient_points", available=0)
        ),
    ),
    (
        "the place is kept where there is one",
        lambda: (
            given(*THREE_LOTS)
            .when(redeemed("R-1", 1, "2026-03-04", place={"store": "SZ-1", "channel": "shop"}))
            .derived(business_day="2026-03-04")
        ),
    ),
)
def test_a_redemption_takes_from_lots_in_order_and_never_overdraws(scenario):
    """Planted: order by the lots' numbers instead of their grants; `<=` for `<` against what is available."""
    scenario()


SPENT_60 = (*THREE_LOTS, redeemed("R-1", 60, "2026-03-04"))


def back(amount, *parts):
    return f"{amount} points program:redeemed -> customer:points of {' '.join(parts)}"


@table(
    (
        "all of it: every lot reopens with its old expiry",
        lambda: (
            given(*SPENT_60)
            .lots("1.1 40/50 until 2026-05-01")
            .when(given_back("R-1", "2026-03-05"))
            .then(back(60, "1.1:10", "3.1:20", "2.1:30"))
            .lots("2.1 30/30 until 2026-04-01", "3.1 20/20 until 2026-04-01", "1.1 50/50 until 2026-05-01")
        ),
    ),
    (
        "a part: those consumed last first",
        lambda: (
            given(*SPENT_60)
            .when(given_back("R-1", "2026-03-05", 15))
            .then(back(15, "1.1:10", "3.1:5"))
            .lots("3.1 5/20 until 2026-04-01", "1.1 50/50 until 2026-05-01")
        ),
    ),
    (
        "the next part goes on where the last one stopped",
        lambda: (
            given(*SPENT_60, given_back("R-1", "2026-03-05", 15))
            .when(given_back("R-1", "2026-03-06"))
            .then(back(45, "3.1:15", "2.1:30"))
        ),
    ),
    (
        "more than is left of it is refused",
        lambda: (
            given(*SPENT_60, given_back("R-1", "2026-03-05", 15))
            .when(given_back("R-1", "2026-03-06", 46))
            .refused("reversal_exceeds_redemption", left=45, requested=46)
            .nothing_changed()
        ),
    ),
    (
        "all of it, when nothing is left, is refused",
        lambda: (
            given(*SPENT_60, given_back("R-1", "2026-03-05"))
            .when(given_back("R-1", "2026-03-06"))
            .refused("reversal_exceeds_redemption", left=0)
        ),
    ),
    (
        "before the redemption is refused",
        lambda: (
            given(*SPENT_60)
            .when(given_back("R-1", at("2026-03-04") - 1))
            .refused("reversal_before_redemption")
            .nothing_changed()
        ),
    ),
    (
        "at its very instant is not before it",
        lambda: given(*SPENT_60).when(given_back("R-1", "2026-03-04", 10)).then(back(10, "1.1:10")),
    ),
    (
        "of a redemption not known is kept until it arrives",
        lambda: (
            given(*SPENT_60).when(given_back("R-2", "2026-03-05")).refused("redemption_unknown", redemption_id="R-2")
        ),
    ),
    (
        "what came back can be spent again, and that given back too",
        lambda: (
            given(*SPENT_60, given_back("R-1", "2026-03-05"), redeemed("R-2", 100, "2026-03-06"))
            .lots()
            .when(given_back("R-2", "2026-03-07"))
            .balance(100)
        ),
    ),
    (
        "a lot that reopened expires at its old instant",
        lambda: (
            given(*SPENT_60, given_back("R-1", "2026-03-05"))
            .when(clock_runs("2026-04-02"))
            .unit(
                ("points.expired", "2026-04-01", ["50 points customer:points -> program:expired of 2.1:30 3.1:20"]),
            )
        ),
    ),
)
def test_a_redemption_given_back_reopens_its_lots(scenario):
    """Planted: parts given back in the order they were consumed; earlier parts forgotten."""
    scenario()


MONTHLY = {"kind": "end_of_month", "n": 0}


def after_expiry(time, points=None, **setting):
    document = rules(expiry=MONTHLY, redemption_reversal=setting)
    before = given(*SPENT_60, clock_runs("2026-04-02"), document=document)
    return before.when(given_back("R-1", time, points))


@table(
    (
        "reinstate: granted anew, with the expiry a grant has today; what is not past it reopens",
        lambda: (
            after_expiry("2026-04-10", expired_lots="reinstate")
            .then(
                back(10, "1.1:10"),
                "20 points program:redeemed -> customer:points opens 5.2 until 2026-05-01",
                "30 points program:redeemed -> customer:points opens 5.3 until 2026-05-01",
            )
            .lots("1.1 50/50 until 2026-05-01", "5.3 30/30 until 2026-05-01", "5.2 20/20 until 2026-05-01")
        ),
    ),
    (
        "the old lot and the setting are the new lot's reason; it keeps the month of its grant",
        lambda: (
            after_expiry("2026-04-10", 30, expired_lots="reinstate")
            .why(2, lot="3.1", expired_lots="reinstate")
            .lots("1.1 50/50 until 2026-05-01", "5.2 20/20 until 2026-05-01")
        ),
    ),
    (
        "grace: so many days from the reversal",
        lambda: after_expiry("2026-04-10T12:00", expired_lots="grace", grace_days=7).lots(
            "5.3 30/30 until 2026-04-17T12:00", "5.2 20/20 until 2026-04-17T12:00", "1.1 50/50 until 2026-05-01"
        ),
    ),
    (
        "no grace at all: gone as it comes",
        lambda: (
            after_expiry("2026-04-10T12:00", expired_lots="grace", grace_days=0)
            .seen("2026-04-10T12:00", points=50)
            .seen("2026-04-11", points=50)
        ),
    ),
    (
        "late: dated before the expiry the old lots reopen, whatever the clock has written since",
        lambda: (
            after_expiry("2026-03-05", expired_lots="reinstate")
            .then(back(60, "1.1:10", "3.1:20", "2.1:30"))
            .seen("2026-03-05", points=100)
            .seen("2026-04-01", points=50)
        ),
    ),
)
def test_a_setting_says_what_comes_back_where_the_expiry_has_passed(scenario):
    """Planted: the expiry of the reversal's record compared with the wall clock instead of its own time."""
    scenario()


@table(
    (
        "more: a lot of its own, under the rules of the day",
        lambda: (
            given(expiry=MONTHLY)
            .when(adjusted(15, "2026-03-04"))
            .then("15 points program:adjusted -> customer:points opens 1.1 until 2026-04-01")
        ),
    ),
    (
        "less: out of the lots in order",
        lambda: (
            given(*THREE_LOTS)
            .when(adjusted(-40, "2026-03-04"))
            .then(spent(40, "2.1:30", "3.1:10", to="program:adjusted"))
        ),
    ),
    (
        "less than there is not: refused",
        lambda: (
            given(*THREE_LOTS)
            .when(adjusted(-101, "2026-03-04"))
            .refused("insufficient_points", available=100, requested=101)
            .nothing_changed()
        ),
    ),
    (
        "less does not take what waits",
        lambda: (
            given(purchase("SO-1", 900, "2026-03-01"), availability={"kind": "after_delivery"})
            .when(adjusted(-1, "2026-03-04"))
            .refused("insufficient_points", available=0, requested=1)
        ),
    ),
    (
        "what was adjusted can be spent",
        lambda: given(adjusted(15, "2026-03-04")).when(redeemed("R-1", 15, "2026-03-05")).then(spent(15, "1.1:15")),
    ),
)
def test_staff_adjusts_both_ways(scenario):
    """Planted: a negative adjustment that takes what is pending too."""
    scenario()
