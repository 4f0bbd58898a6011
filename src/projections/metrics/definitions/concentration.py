"""Concentration: the share of the amount that the top x % of buyers account for.

top x % = ceil(x · buyers) of them by amount, ties by customer id; share = their amount ÷ amount of all buyers of the window.
Source: docs/METRICS.md, "concentration@1".
"""

from math import ceil

from projections.metrics.definition import MONEY, Asked, Parameter, Row, define, ratio
from projections.metrics.orders import counted_orders, in_window
from projections.twin.fleet import Fleet

TOP = (1.0, 5.0, 10.0, 20.0, 50.0)


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Buyers in order of amount, and sums from the top."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    orders = in_window(counted_orders(fleet, asked), asked)
    each = orders.group_by("customer").agg(amount=orders.amount.sum())
    ranked = each.mutate(rank=ibis.row_number().over(order_by=[each.amount.desc(), each.customer]) + 1)
    (whole,) = fleet.rows(each.agg(buyers=each.count(), amount=each.amount.sum().fill_null(0)))
    tops = {percent: ceil(percent / 100 * whole["buyers"]) for percent in asked["top"]}
    if not whole["buyers"]:
        return []
    sums = {
        f"top_{number}": ranked.amount.sum(where=ranked["rank"] <= count) for number, count in enumerate(tops.values())
    }
    (found,) = fleet.rows(ranked.agg(**sums))
    return [
        {
            "top_percent": percent,
            "buyers": count,
            "of_buyers": whole["buyers"],
            "amount": int(found[f"top_{number}"]),
            "of_amount": int(whole["amount"]),
            "share": ratio(int(found[f"top_{number}"]), int(whole["amount"])),
        }
        for number, (percent, count) in enumerate(tops.items())
    ]


DEFINITION = define(
    __doc__,
    compute,
    name="concentration",
    version=1,
    parameters=(*MONEY, Parameter("top", "Percentages, rising, with commas.", "numbers", TOP)),
)
