"""Second purchase by category: which categories bring customers back, and which they come back for.

By the category of the first order: customers = those whose first counted order in the window has a line of it and lies N × 24 h
before as_of (immature=include: all); repeated = those of them with a second order within N × 24 h; value = repeated ÷ customers.
By the category of the second order: second = second orders with a line of it, share_of_second = ÷ all second orders. An order
of several categories counts in each; one without lines in none (category null).
Source: docs/METRICS.md; `repurchase_rate/cohort` by product category.
"""

from ledger.instants import DAY, to_datetime
from projections.metrics.before import without_those_before
from projections.metrics.definition import COUNTED, Asked, Parameter, Row, define, ratio
from projections.metrics.orders import counted_orders, in_window
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """First and second orders by the categories of their lines."""
    first, second = _first_and_second(fleet, asked)
    (whole,) = fleet.rows(second.agg(n=second.count()))
    seen = _with_categories(fleet, first)
    found = {
        row["category"]: {**row, "second": 0}
        for row in fleet.rows(
            seen.group_by("category").agg(customers=seen.count(), repeated=seen.second_position.count())
        )
    }
    again = _with_categories(fleet, second)
    for row in fleet.rows(again.group_by("category").agg(second=again.count())):
        found.setdefault(row["category"], {**row, "customers": 0, "repeated": 0})["second"] = row["second"]
    return [_row(found[category], whole["n"]) for category in sorted(found, key=lambda one: (one is None, one or ""))]


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The first orders with a line of the category, the second ones of their customers, and second orders with one."""
    first, second = _first_and_second(fleet, asked)
    seen = _with_categories(fleet, first)
    after = seen.filter(seen.second_position.notnull()).select("category", position="second_position")
    again = _with_categories(fleet, second)
    return stacked(seen.select("position", "category"), after, again)


def _first_and_second(fleet: Fleet, asked: Asked) -> tuple[Expression, Expression]:
    """First orders with the `second_position` of a second one in time (else null); and those second ones."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    orders = without_those_before(fleet, counted_orders(fleet, asked))
    by_customer = ibis.window(group_by="customer", order_by=["at", "position"])
    ordered = orders.select("customer", "at", "position").mutate(number=ibis.row_number().over(by_customer))
    first = in_window(ordered.filter(ordered.number == 0), asked).drop("number")
    if asked["immature"] == "exclude":
        ripe = ibis.timestamp(to_datetime(fleet.cut.as_of - asked["n"] * DAY).replace(tzinfo=None))
        first = first.filter(first["at"] <= ripe)
    next_one = ordered.filter(ordered.number == 1).select("customer", second_at="at", second_position="position")
    both = first.inner_join(next_one, "customer")
    both = both.filter(both.second_at < both["at"] + ibis.interval(days=asked["n"]))
    in_time = both.select("customer", "second_position")
    first = first.left_join(in_time, "customer").drop("customer_right")
    return first, in_time.select(position="second_position")


def _with_categories(fleet: Fleet, orders: Expression) -> Expression:
    """Orders once for each category they have a line in; null where they have no lines."""
    lines = fleet.table("order_lines").select("position", "category").distinct()
    return orders.left_join(lines, "position").drop("position_right")


def _row(row: Row, second: int) -> Row:
    return {
        "category": row["category"],
        "customers": row["customers"],
        "repeated": row["repeated"],
        "value": ratio(row["repeated"], row["customers"]),
        "second": row["second"],
        "share_of_second": ratio(row["second"], second),
    }


DEFINITION = define(
    __doc__,
    compute,
    name="products/second_purchase",
    version=1,
    parameters=(
        *COUNTED,
        Parameter("n", "Days in which the second order must follow.", "whole", 90, most=3_650),
        Parameter(
            "immature", "Customers whose N days are not over by as_of.", "choice", "exclude", ("exclude", "include")
        ),
    ),
    keys=("category",),
    explain=explain,
)
