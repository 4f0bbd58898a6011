"""How earning rules stand together: groups, multipliers, and what a refund takes back of what they gave."""

from tests.builders import earns, line, purchase, refunded, refunded_line, rules
from tests.given import given, table

TWO = (earns("1", id="one"), earns("3", id="three"))


def base(points, lot, rule, reason="purchase"):
    return f"{points} points program:issued:{reason} -> customer:points opens {lot} by {rule}"


def beaten(rule, counts, stacking="best"):
    return {"code": "nothing_earned", "rule": rule, "reason": "stacking", "stacking": stacking, "counts": counts}


def times(multiply, **more):
    return earns(None, **{"id": f"times_{multiply}", "multiply": multiply, **more})


@table(
    (
        "without a word all count",
        lambda: (
            given(document=rules(*TWO))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(base(10, "1.1", "one"), base(30, "1.2", "three"))
        ),
    ),
    (
        "the best counts, the other says which did",
        lambda: (
            given(document=rules(*TWO, stacking={"default": "best"}))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(base(30, "1.1", "three"))
            .notes(beaten("one", "three"))
        ),
    ),
    (
        "of equals the first is the best",
        lambda: (
            given(document=rules(earns(id="a"), earns(id="b"), stacking={"default": "best"}))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(base(10, "1.1", "a"))
        ),
    ),
    (
        "the best is what is left after the caps",
        lambda: (
            given(
                document=rules(
                    earns("1", id="one"), earns("3", id="three", cap_per_order=5), stacking={"default": "best"}
                )
            )
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(base(10, "1.1", "one"))
            .notes(beaten("three", "one"))
        ),
    ),
    (
        "the first that earns counts",
        lambda: (
            given(document=rules(earns("9", id="rich", minimum_spend=5000), *TWO, stacking={"default": "first"}))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(base(10, "1.1", "one"))
            .notes(
                {"code": "nothing_earned", "rule": "rich", "reason": "below_minimum_spend", "minimum_spend": 5000},
                beaten("three", "one", "first"),
            )
        ),
    ),
    (
        "a group is exclusive by itself, and does not touch the others",
        lambda: (
            given(document=rules(earns(id="base"), earns("2", id="a", group="g"), earns("3", id="b", group="g")))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(base(10, "1.1", "base"), base(30, "1.2", "b"))
            .notes(beaten("a", "b"))
        ),
    ),
    (
        "unless the document says that all of it count",
        lambda: (
            given(
                document=rules(
                    earns("2", id="a", group="g"), earns("3", id="b", group="g"), stacking={"groups": {"g": "all"}}
                )
            )
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(base(20, "1.1", "a"), base(30, "1.2", "b"))
        ),
    ),
)
def test_stacking(scenario):
    """Planted: what a rule would give before its caps compared; the row of the caps saw it."""
    scenario()


@table(
    (
        "a multiplier adds to what the others earn, as postings of its own",
        lambda: (
            given(document=rules(*TWO, times("2")))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(
                base(10, "1.1", "one"),
                base(30, "1.2", "three"),
                base(10, "1.3", "times_2", "multiplier"),
                base(30, "1.4", "times_2", "multiplier"),
            )
            .why(4, multiplier="2", multiplies="three", lines=[0], bases=[1000])
        ),
    ),
    (
        "or only to some",
        lambda: (
            given(document=rules(*TWO, times("1.5", id="half", of=["three"])))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(base(10, "1.1", "one"), base(30, "1.2", "three"), base(15, "1.3", "half", "multiplier"))
        ),
    ),
    (
        "not to what stacking left out",
        lambda: (
            given(document=rules(*TWO, times("2", group="m"), stacking={"default": "best"}))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(base(30, "1.1", "three"), base(30, "1.2", "times_2", "multiplier"))
        ),
    ),
    (
        "two multipliers add up; in a group the best counts",
        lambda: (
            given(document=rules(earns(), times("2", group="m"), times("3", group="m")))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(base(10, "1.1", "base"), base(20, "1.2", "times_3", "multiplier"))
            .notes(beaten("times_2", "times_3"))
        ),
    ),
    (
        "rounded down once over all, not once for each rule",
        lambda: (
            given(document=rules(earns("0.1", id="a"), earns("0.1", id="b"), times("1.5", id="half")))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(base(1, "1.1", "a"), base(1, "1.2", "b"), base(1, "1.3", "half", "multiplier"))
        ),
    ),
    (
        "its own cap bounds what it adds",
        lambda: (
            given(document=rules(*TWO, times("2", cap_per_order=8)))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then(
                base(10, "1.1", "one"),
                base(30, "1.2", "three"),
                base(2, "1.3", "times_2", "multiplier"),
                base(6, "1.4", "times_2", "multiplier"),
            )
        ),
    ),
    (
        "nothing earned is nothing to multiply",
        lambda: (
            given(document=rules(earns(minimum_spend=5000), times("2")))
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then()
            .notes(
                {"code": "nothing_earned", "rule": "base", "reason": "below_minimum_spend", "minimum_spend": 5000},
                {"code": "nothing_earned", "rule": "times_2", "reason": "nothing_to_multiply"},
            )
        ),
    ),
    (
        "a refunded line takes back its share of the multiplied points too",
        lambda: (
            given(
                purchase("SO-1", 1000, "2026-03-01", lines=[line(1, 400), line(2, 600, sku="B")]),
                document=rules(earns(), times("2")),
            )
            .when(refunded("SO-1", 400, "2026-03-02", lines=[refunded_line(1, 400)]))
            .then(
                "4 points customer:points -> program:reversed of 1.1:4",
                "4 points customer:points -> program:reversed of 1.2:4",
            )
            .balance(12)
        ),
    ),
)
def test_multipliers(scenario):
    """Planted: a multiplier that keeps no lines, so a refund leaves its points; the last row saw it."""
    scenario()
