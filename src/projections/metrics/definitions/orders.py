"""Orders: counted orders in the window.

orders = `purchase.recorded` with gross > 0 (or all, zero_value=include), under amount=net those not fully refunded by as_of.
orders_per_buyer = orders ÷ buyers.
Source: docs/METRICS.md, "Order".
"""

from projections.metrics.definition import COUNTED, TRADE_DIMENSIONS, Asked, Row, define, ratio
from projections.metrics.orders import asked_orders, explain_orders, grouped
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Orders and those who placed them."""
    orders, keys = asked_orders(fleet, asked)
    rows = fleet.rows(grouped(orders, keys).agg(orders=orders.count(), buyers=orders.customer.nunique()))
    return [{**row, "orders_per_buyer": ratio(row["orders"], row["buyers"])} for row in rows]


DEFINITION = define(
    __doc__,
    compute,
    name="orders",
    version=1,
    parameters=COUNTED,
    by=(*TIME_UNITS, *TRADE_DIMENSIONS),
    empty={"orders": 0, "buyers": 0, "orders_per_buyer": None},
    explain=explain_orders,
)
