"""Spend per buyer (客单价 of e-commerce): Σ amount of counted orders ÷ buyers.

Minor units. Online Retail (F1, gross): 2,054.27.
Source: docs/METRICS.md, "spend_per_buyer@1".
"""

from projections.metrics.definition import MONEY, TRADE_DIMENSIONS, Asked, Row, define, ratio
from projections.metrics.orders import asked_orders, explain_orders, grouped
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Amount over buyers."""
    orders, keys = asked_orders(fleet, asked)
    rows = fleet.rows(
        grouped(orders, keys).agg(amount=orders.amount.sum().fill_null(0), buyers=orders.customer.nunique())
    )
    return [{**row, "amount": int(row["amount"]), "value": ratio(int(row["amount"]), row["buyers"])} for row in rows]


DEFINITION = define(
    __doc__,
    compute,
    name="spend_per_buyer",
    version=1,
    parameters=MONEY,
    by=(*TIME_UNITS, *TRADE_DIMENSIONS),
    empty={"amount": 0, "buyers": 0, "value": None},
    explain=explain_orders,
)
