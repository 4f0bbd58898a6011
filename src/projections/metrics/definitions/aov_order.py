"""Average order value (笔单价): Σ amount of counted orders ÷ counted orders.

Under amount=net the numerator is net of refunds and the denominator orders with net > 0. Minor units.
Online Retail (F1, gross): 8,911,407.90 ÷ 18,532 = 480.87; with the 4 orders of 0 counted (zero_value=include) 480.76.
Source: docs/METRICS.md, "aov/order@1".
"""

from projections.metrics.definition import MONEY, TRADE_DIMENSIONS, Asked, Row, define, ratio
from projections.metrics.orders import asked_orders, explain_orders, grouped
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Amount over orders."""
    orders, keys = asked_orders(fleet, asked)
    rows = fleet.rows(grouped(orders, keys).agg(amount=orders.amount.sum().fill_null(0), orders=orders.count()))
    return [{**row, "amount": int(row["amount"]), "value": ratio(int(row["amount"]), row["orders"])} for row in rows]


DEFINITION = define(
    __doc__,
    compute,
    name="aov/order",
    version=1,
    parameters=MONEY,
    by=(*TIME_UNITS, *TRADE_DIMENSIONS),
    empty={"amount": 0, "orders": 0, "value": None},
    explain=explain_orders,
)
