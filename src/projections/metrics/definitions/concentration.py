"""Concentration: the share of the amount that the top x % of buyers account for.

top x % = ceil(x · buyers) of them by amount, ties by customer id; share = their amount ÷ amount of all buyers of the window.
Source: docs/METRICS.md, "concentration@1".
"""

from math import ceil

from projections.metrics.definition import MONEY, Asked, Parameter, Row, define, ratio
from projections.metrics.orders import counted_orders, in_window, with_refunds
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet

TOP = (1.0, 5.0, 10.0, 20.0, 50.0)


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Buyers in order of amount, and sums from the top."""
    each = _each(fleet, asked)
    ranked = _ranked(each)
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


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders of the customers at the top, and what was refunded of them."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    each = _each(fleet, asked)
    (whole,) = fleet.rows(each.agg(buyers=each.count()))
    ranked = _ranked(each).select("customer", "rank")
    orders = in_window(counted_orders(fleet, asked), asked).inner_join(ranked, "customer")
    tops = [
        orders.filter(orders["rank"] <= ceil(percent / 100 * whole["buyers"])).mutate(top_percent=ibis.literal(percent))
        for percent in asked["top"]
    ]
    return stacked(*(with_refunds(fleet, asked, top, ["top_percent"]) for top in tops))


def _each(fleet: Fleet, asked: Asked) -> Expression:
    """Buyers of the window with their `amount`."""
    orders = in_window(counted_orders(fleet, asked), asked)
    return orders.group_by("customer").agg(amount=orders.amount.sum())


def _ranked(each: Expression) -> Expression:
    """Buyers with their `rank`, 1 for the greatest amount."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    return each.mutate(rank=ibis.row_number().over(order_by=[each.amount.desc(), each.customer]) + 1)


DEFINITION = define(
    __doc__,
    compute,
    name="concentration",
    version=1,
    parameters=(*MONEY, Parameter("top", "Percentages, rising, with commas.", "numbers", TOP)),
    keys=("top_percent",),
    explain=explain,
)
