"""`purchase.recorded`: what it earns. One point for a whole unit of money where a row says nothing else."""

import pytest

from tests.builders import earns, line, purchase, rules
from tests.given import given, table

EARNS_BASE = rules()


def buys(total, *lines, document=EARNS_BASE, **more):
    """The first purchase of a customer."""
    if lines:
        more["lines"] = list(lines)
    return given(document=document).when(purchase("SO-1", total, "2026-03-01T10:00", **more))


def under(*earning, **settings):
    return rules(*earning, **settings)


def earned(points):
    return f"{points} points program:issued:purchase -> customer:points opens 1.1 by base"


@table(
    (
        "the base, the rate and the lines are on the posting",
        lambda: (
            buys(8588, line(1, 2598, quantity=2), line(2, 5990))
            .then(earned(85))
            .why(base=8588, rate="1/100", lines=[1, 2])
        ),
    ),
    (
        "a purchase without lines is one line, 0",
        lambda: buys(8588).then(earned(85)).why(base=8588, lines=[0], bases=[8588]),
    ),
    (
        "what the record says is balance, reference and business day",
        lambda: (
            buys(8588)
            .balance(85)
            .derived(reference="purchase:shop:SO-1", business_day="2026-03-01", brand=None)
            .notes()
        ),
    ),
    (
        "the customer's lot is what the posting opened",
        lambda: buys(8588, document=under(expiry={"kind": "end_of_month", "n": 12})).lots("1.1 85/85 until 2027-04-01"),
    ),
    (
        "a business day that was sent is kept",
        lambda: buys(100, business_day="2026-02-28").derived(business_day="2026-02-28"),
    ),
    (
        "nothing spent earns nothing, and says so",
        lambda: buys(0).then().notes({"code": "nothing_earned", "rule": "base", "reason": "nothing_spent"}),
    ),
    (
        "less than a point earns nothing, and says so",
        lambda: buys(99).then().notes({"code": "nothing_earned", "rule": "base", "reason": "rounded_to_nothing"}),
    ),
    ("without rules nothing is earned", lambda: buys(8588, document={}).then().notes().balance(0)),
    (
        "two rules earn side by side, each in a lot of its own",
        lambda: buys(1000, document=under(earns(), earns(None, id="visit", points=7))).then(
            earned(10), "7 points program:issued:purchase -> customer:points opens 1.2 by visit"
        ),
    ),
    (
        "fixed points are earned whatever is spent",
        lambda: buys(1, document=under(earns(None, points=50))).then(earned(50)).why(rate="fixed", base=1),
    ),
    ("fixed points need something that earns", lambda: buys(0, document=under(earns(None, points=50))).then()),
)
def test_a_purchase_earns_by_rules(scenario):
    """Planted: the rate applied to minor units as if they were whole ones (85 becomes 8588)."""
    scenario()


@pytest.mark.parametrize(
    ("rounding", "total", "points"),
    [
        ("down", 199, 1),
        ("down", 200, 2),
        ("half_up", 149, 1),
        ("half_up", 150, 2),
        ("half_up", 49, 0),
        ("half_up", 50, 1),
        ("up", 100, 1),
        ("up", 101, 2),
        ("up", 1, 1),
    ],
)
def test_a_fraction_of_a_point_is_rounded_as_the_rule_says(rounding, total, points):
    """Planted: half_up with `>` for `>=`, so that 150 earns 1."""
    when = buys(total, document=under(earns(rounding=rounding)))
    when.then(*([earned(points)] if points else []))


@pytest.mark.parametrize(
    ("currency", "scale", "rate", "total", "points"),
    [
        ("CNY", 0, "1", 12345, 123),
        ("JPY", 0, "1", 12345, 12345),
        ("KWD", 0, "1", 12345, 12),
        ("CNY", 2, "1", 12345, 12345),
        ("JPY", 2, "1", 12345, 1234500),
        ("KWD", 2, "1", 12345, 1234),
        ("KWD", 4, "1", 12345, 123450),
        ("CNY", 0, "1/3", 1000, 3),
        ("CNY", 2, "1/3", 1000, 333),
        ("JPY", 0, "0.01", 12345, 123),
        ("CNY", 0, "1.5", 300, 4),
    ],
)
def test_points_are_counted_in_the_programs_smallest_step_from_the_currencys(currency, scale, rate, total, points):
    """Planted: the exponent of every currency taken for 2 (JPY earns a hundredth)."""
    document = under(earns(rate), program={"points_scale": scale})
    buys(total, currency=currency, document=document).then(earned(points))


@table(
    (
        "one minor unit below the minimum earns nothing",
        lambda: (
            buys(4999, document=under(earns(minimum_spend=5000)))
            .then()
            .notes(
                {"code": "nothing_earned", "rule": "base", "reason": "below_minimum_spend", "minimum_spend": 5000},
            )
        ),
    ),
    ("at the minimum everything earns", lambda: buys(5000, document=under(earns(minimum_spend=5000))).then(earned(50))),
    (
        "the minimum is of the total, what does not earn included",
        lambda: buys(5000, line(1, 4000, earns=False), line(2, 1000), document=under(earns(minimum_spend=5000))).then(
            earned(10)
        ),
    ),
    (
        "a line that does not earn is left out",
        lambda: buys(1000, line(1, 500, earns=False), line(2, 500)).then(earned(5)).why(lines=[2], bases=[500]),
    ),
    (
        "an excluded category is left out",
        lambda: buys(
            1000,
            line(1, 500, category="gift card"),
            line(2, 500),
            document=under(earns(exclude_categories=["gift card"])),
        ).then(earned(5)),
    ),
    (
        "nothing that earns earns nothing",
        lambda: (
            buys(1000, line(1, 1000, earns=False))
            .then()
            .notes({"code": "nothing_earned", "rule": "base", "reason": "nothing_earns"})
        ),
    ),
    (
        "the part paid with points does not earn",
        lambda: (
            buys(
                1000,
                tenders=[{"kind": "points", "amount": 400, "reference": "R-1"}, {"kind": "card", "amount": 600}],
            )
            .then(earned(6))
            .why(base=600)
        ),
    ),
    (
        "the part paid with points is spread over the lines, also those that do not earn",
        lambda: (
            buys(
                1000,
                line(1, 500, earns=False),
                line(2, 500),
                tenders=[{"kind": "points", "amount": 400, "reference": "R-1"}, {"kind": "cash", "amount": 600}],
            )
            .then(earned(3))
            .why(bases=[300])
        ),
    ),
    (
        "other tenders earn, unless they are excluded",
        lambda: buys(1000, tenders=[{"kind": "card", "amount": 400}, {"kind": "partner", "amount": 600}]).then(
            earned(10)
        ),
    ),
    (
        "an excluded kind of tender does not earn",
        lambda: buys(
            1000,
            tenders=[{"kind": "card", "amount": 400}, {"kind": "partner", "amount": 600}],
            document=under(earns(exclude_tenders=["partner"])),
        ).then(earned(4)),
    ),
    (
        "wholly paid with points, nothing earns",
        lambda: buys(1000, tenders=[{"kind": "points", "amount": 1000, "reference": "R-1"}]).then(),
    ),
)
def test_only_what_earns_is_the_base(scenario):
    """Planted: excluded tenders ignored; the minimum compared with the base."""
    scenario()


@table(
    (
        "a store not registered is accepted, its brand stays empty",
        lambda: buys(100, place={"store": "SZ-9", "channel": "shop"}).derived(brand=None, entity=None),
    ),
    (
        "a currency the program takes",
        lambda: buys(500, currency="JPY", document=under(program={"currencies": ["CNY", "JPY"]})).then(earned(500)),
    ),
    (
        "tax, discounts and covers change nothing that is earned",
        lambda: buys(
            1000,
            line(1, 1000, list_amount=1200, discount=200, tax=80),
            tax=80,
            prices_include_tax=True,
            covers=2,
            discounts=[{"id": "d", "amount": 200, "bearers": [{"party": "brand", "amount": 200}]}],
            attributes={"table": "12"},
        ).then(earned(10)),
    ),
)
def test_what_else_a_purchase_says_is_kept(scenario):
    scenario()
