"""Mean of customers' averages: the mean over buyers of (amount ÷ orders) of each.

Another number than `aov/order`: everyone weighs the same, however much they buy. Minor units.
Online Retail (F1, gross): 419.17.
Source: docs/METRICS.md, "aov/customer@1".
"""

from projections.metrics.definition import MONEY, TRADE_DIMENSIONS, Asked, Row, define
from projections.metrics.orders import asked_orders, explain_orders, grouped
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Each buyer's average, and the mean of those."""
    orders, keys = asked_orders(fleet, asked)
    each = orders.group_by([*keys, "customer"]).agg(amount=orders.amount.sum(), orders=orders.count())
    each = each.mutate(average=each.amount.cast("float64") / each.orders)
    return fleet.rows(grouped(each, keys).agg(buyers=each.count(), value=each.average.mean()))


DEFINITION = define(
    __doc__,
    compute,
    name="aov/customer",
    version=1,
    parameters=MONEY,
    by=(*TIME_UNITS, *TRADE_DIMENSIONS),
    empty={"buyers": 0, "value": None},
    explain=explain_orders,
)
