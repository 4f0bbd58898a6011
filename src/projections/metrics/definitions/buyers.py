"""Buyers: identified customers with at least one counted order in the window.

A customer who buys in two groups counts in both, and once in the row without groups.
Source: docs/METRICS.md, "Buyer".
"""

from projections.metrics.definition import COUNTED, TRADE_DIMENSIONS, Asked, Row, define
from projections.metrics.orders import asked_orders, explain_orders, grouped
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Distinct customers of counted orders."""
    orders, keys = asked_orders(fleet, asked)
    return fleet.rows(grouped(orders, keys).agg(buyers=orders.customer.nunique()))


DEFINITION = define(
    __doc__,
    compute,
    name="buyers",
    version=1,
    parameters=COUNTED,
    by=(*TIME_UNITS, *TRADE_DIMENSIONS),
    empty={"buyers": 0},
    explain=explain_orders,
)
