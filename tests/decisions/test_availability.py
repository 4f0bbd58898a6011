"""When earned points may be spent: at once, some days later, or after delivery, in parts as the order is delivered."""

from tests.builders import clock_runs, delivered, earns, line, purchase, redeemed, refunded, refunded_line, rules
from tests.given import given, table

AFTER_DAYS = {"kind": "after_days", "days": 14}
AFTER_DELIVERY = {"kind": "after_delivery", "days": 0}
AND_A_WEEK = {"kind": "after_delivery", "days": 7}
MONTHLY = {"kind": "end_of_month", "n": 0}

TWO_LINES = purchase(
    "SO-1", 10_000, "2026-03-01", lines=[line(1, 6000, sku="BED", quantity=2), line(2, 4000, sku="LAMP")]
)


def earned(points, available, lot="1.1"):
    return f"{points} points program:issued:purchase -> customer:points opens {lot} from {available} by base"


def moved(points, lot, into, available, more=""):
    return f"{points} points customer:points -> customer:points opens {into} of {lot}:{points}{more} from {available}"


@table(
    (
        "at once: the lot says nothing about it",
        lambda: (
            given(availability={"kind": "at_once"})
            .when(TWO_LINES)
            .lots("1.1 100/100")
            .seen("2026-03-01", available=100, pending=0)
        ),
    ),
    (
        "after days: pending, counted in the balance, not to be spent",
        lambda: (
            given(availability=AFTER_DAYS)
            .when(TWO_LINES)
            .then(earned(100, "2026-03-15"))
            .seen("2026-03-14T23:59:59Z", points=100, available=0, pending=100)
            .seen("2026-03-15", points=100, available=100, pending=0)
        ),
    ),
    (
        "after days: a moment before nothing can be spent",
        lambda: (
            given(TWO_LINES, availability=AFTER_DAYS)
            .when(redeemed("R", 1, "2026-03-14T23:59:59Z"))
            .refused("insufficient_points", available=0)
        ),
    ),
    (
        "after days: at the instant all of it can",
        lambda: given(TWO_LINES, availability=AFTER_DAYS).when(redeemed("R", 100, "2026-03-15")).lots(),
    ),
    (
        "after days: granted points wait for nothing",
        lambda: given(availability=AFTER_DAYS).when(purchase("SO-1", 0, "2026-03-01")).seen("2026-03-01", pending=0),
    ),
    (
        "after delivery: it waits for as long as it takes",
        lambda: (
            given(availability=AFTER_DELIVERY)
            .when(TWO_LINES)
            .then(earned(100, "delivery"))
            .seen("2026-03-01", points=100, available=0, pending=100)
        ),
    ),
    (
        "after delivery: nothing of it can be spent before",
        lambda: (
            given(TWO_LINES, availability=AFTER_DELIVERY)
            .when(redeemed("R", 1, "2027-03-01"))
            .refused("insufficient_points", available=0)
        ),
    ),
    (
        "after delivery: points that wait expire like others",
        lambda: (
            given(TWO_LINES, availability=AFTER_DELIVERY, expiry=MONTHLY)
            .when(clock_runs("2026-04-01"))
            .unit(("points.expired", "2026-04-01", ["100 points customer:points -> program:expired of 1.1:100"]))
        ),
    ),
    (
        "lines handed over at the till do not wait for those that are sent",
        lambda: (
            given(availability=AFTER_DELIVERY)
            .when(
                purchase(
                    "SO-1",
                    10_000,
                    "2026-03-01",
                    lines=[line(1, 6000, fulfilled_at="2026-03-01T00:00:00Z"), line(2, 4000)],
                )
            )
            .then(earned(60, "2026-03-01"), earned(40, "delivery", "1.2"))
            .why(1, base=6000, lines=[1])
            .why(2, base=4000, lines=[2])
        ),
    ),
    (
        "an order handed over whole waits for nothing but its days",
        lambda: (
            given(availability=AND_A_WEEK)
            .when(purchase("SO-1", 6000, "2026-03-01", lines=[line(1, 6000, fulfilled_at="2026-03-01T00:00:00Z")]))
            .then(earned(60, "2026-03-08"))
        ),
    ),
)
def test_earned_points_wait(scenario):
    """Planted: one line not handed over keeps the points of the whole order waiting."""
    scenario()


@table(
    (
        "the whole order: all of it moves into a lot that may be spent",
        lambda: (
            given(TWO_LINES, availability=AFTER_DELIVERY)
            .when(delivered("SO-1", "2026-03-05"))
            .then(moved(100, "1.1", "2.1", "2026-03-05"))
            .lots("2.1 100/100 from 2026-03-05")
            .seen("2026-03-04T23:59:59Z", available=0, pending=100)
            .seen("2026-03-05", available=100, pending=0)
        ),
    ),
    (
        "some days after delivery where the rules say so",
        lambda: (
            given(TWO_LINES, availability=AND_A_WEEK)
            .when(delivered("SO-1", "2026-03-05"))
            .then(moved(100, "1.1", "2.1", "2026-03-12"))
        ),
    ),
    (
        "one line: its share",
        lambda: (
            given(TWO_LINES, availability=AFTER_DELIVERY)
            .when(delivered("SO-1", "2026-03-05", {2: 1}))
            .then(moved(40, "1.1", "2.1", "2026-03-05"))
            .lots("1.1 60/100 from delivery", "2.1 40/40 from 2026-03-05")
        ),
    ),
    (
        "part of a line: its share of that",
        lambda: (
            given(TWO_LINES, availability=AFTER_DELIVERY)
            .when(delivered("SO-1", "2026-03-05", {1: 1}))
            .then(moved(30, "1.1", "2.1", "2026-03-05"))
        ),
    ),
    (
        "the rest when the rest is delivered",
        lambda: (
            given(TWO_LINES, delivered("SO-1", "2026-03-05", {1: 1}), availability=AFTER_DELIVERY)
            .when(delivered("SO-1", "2026-03-06"))
            .then(moved(70, "1.1", "3.1", "2026-03-06"))
        ),
    ),
    (
        "in parts that do not divide, exactly what was earned in the end",
        lambda: (
            given(
                purchase("SO-1", 1000, "2026-03-01", lines=[line(1, 1000, quantity=3)]),
                delivered("SO-1", "2026-03-02", {1: 1}),
                delivered("SO-1", "2026-03-03", {1: 1}),
                document=rules(earns("1"), availability=AFTER_DELIVERY),
            )
            .lots("1.1 4/10 from delivery", "2.1 3/3 from 2026-03-02", "3.1 3/3 from 2026-03-03")
            .when(delivered("SO-1", "2026-03-04", {1: 1}))
            .then(moved(4, "1.1", "4.1", "2026-03-04"))
        ),
    ),
    (
        "more than was bought counts as what was bought",
        lambda: (
            given(TWO_LINES, availability=AFTER_DELIVERY)
            .when(delivered("SO-1", "2026-03-05", {2: 9}))
            .then(moved(40, "1.1", "2.1", "2026-03-05"))
            .derived(lines=[[2, 1000]])
        ),
    ),
    (
        "told twice, it moves nothing more",
        lambda: (
            given(TWO_LINES, delivered("SO-1", "2026-03-05"), availability=AFTER_DELIVERY)
            .when(delivered("SO-1", "2026-03-06"))
            .then()
        ),
    ),
    (
        "where nothing waits it moves nothing",
        lambda: given(TWO_LINES).when(delivered("SO-1", "2026-03-05")).then().derived(moved=[0]),
    ),
    (
        "the moved lot keeps its expiry, however late the delivery",
        lambda: (
            given(TWO_LINES, availability=AFTER_DELIVERY, expiry={"kind": "end_of_month", "n": 1})
            .when(delivered("SO-1", "2026-04-05"))
            .lots("2.1 100/100 from 2026-04-05 until 2026-05-01")
        ),
    ),
    (
        "after they expired there is nothing to move",
        lambda: (
            given(TWO_LINES, availability=AFTER_DELIVERY, expiry=MONTHLY).when(delivered("SO-1", "2026-04-05")).then()
        ),
    ),
    (
        "what a refund took back is not released",
        lambda: (
            given(
                TWO_LINES,
                refunded("SO-1", 6000, "2026-03-02", lines=[refunded_line(1, 6000, quantity=2)]),
                availability=AFTER_DELIVERY,
            )
            .when(delivered("SO-1", "2026-03-05"))
            .then(moved(40, "1.1", "3.1", "2026-03-05"))
        ),
    ),
    (
        "a refund after delivery follows the points into the lot they moved to",
        lambda: (
            given(TWO_LINES, delivered("SO-1", "2026-03-05", {2: 1}), availability=AFTER_DELIVERY)
            .when(refunded("SO-1", 10_000, "2026-03-06"))
            .then("100 points customer:points -> program:reversed of 1.1:60 2.1:40")
            .lots()
        ),
    ),
    (
        "late: dated before the purchase it counts from the purchase",
        lambda: (
            given(TWO_LINES, availability=AFTER_DELIVERY)
            .when(delivered("SO-1", "2026-02-28"))
            .then(moved(100, "1.1", "2.1", "2026-03-01", " on 2026-03-01"))
        ),
    ),
    (
        "late: dated before they expired, the expiry is reversed, and comes again",
        lambda: (
            given(TWO_LINES, clock_runs("2026-04-02"), availability=AFTER_DELIVERY, expiry=MONTHLY)
            .when(delivered("SO-1", "2026-03-05"))
            .then(moved(100, "1.1", "4.1", "2026-03-05 until 2026-04-01"))
            .seen("2026-03-31", available=100)
            .seen("2026-04-01", points=0)
        ),
    ),
    (
        "late: what a later refund took stays taken",
        lambda: (
            given(
                TWO_LINES,
                refunded("SO-1", 6000, "2026-03-04", lines=[refunded_line(1, 6000, quantity=2)]),
                availability=AFTER_DELIVERY,
            )
            .when(delivered("SO-1", "2026-03-03"))
            .then(moved(40, "1.1", "3.1", "2026-03-03"))
        ),
    ),
)
def test_a_delivery_releases_what_waited_for_it(scenario):
    """Planted: a second delivery of the same line releases another share; the moved lot starts its expiry anew."""
    scenario()
