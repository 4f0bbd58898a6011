"""Probability of a next order, by order number: of customers with an n-th occasion, the share with an (n+1)-th by as_of.

value(n) = customers with at least n + 1 occasions ÷ customers with at least n; median_days = median gap between the two.
Customers whose next order is yet to come count as without one: the youngest lower it.
Source: docs/METRICS.md; CDNOW: 23,570 customers, 12,054 without a second day.
"""

from projections.metrics.definition import COUNTED, OCCASION, Asked, Parameter, Row, define, ratio
from projections.metrics.gaps import with_gaps
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """How many reach each number."""
    seen = with_gaps(fleet, asked)
    seen = seen.filter(seen.number <= asked["up_to"] + 1)
    reached = {
        row["number"]: row
        for row in fleet.rows(seen.group_by("number").agg(n=seen.count(), days=seen.gap_days.quantile(0.5)))
    }
    rows = []
    for number in range(1, asked["up_to"] + 1):
        if number not in reached:
            break
        here, further = reached[number]["n"], reached.get(number + 1, {"n": 0, "days": None})
        rows.append(
            {
                "order_number": number,
                "customers": here,
                "next": further["n"],
                "value": ratio(further["n"], here),
                "median_days": further["days"],
            }
        )
    return rows


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The n-th order of each customer, and the one after; of a day with several, its first."""
    seen = with_gaps(fleet, asked)
    here = seen.select("position", order_number="number")
    after = seen.filter(seen.number > 1).select("position", order_number=seen.number - 1)
    both = stacked(here, after)
    return both.filter(both.order_number <= asked["up_to"])


DEFINITION = define(
    __doc__,
    compute,
    name="next_order_probability",
    version=1,
    parameters=(*COUNTED, OCCASION, Parameter("up_to", "The last order number shown.", "whole", 10, most=1_000)),
    window=False,
    keys=("order_number",),
    explain=explain,
)
