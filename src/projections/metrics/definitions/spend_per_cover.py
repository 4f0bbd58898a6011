"""Spend per cover (客单价 of restaurants): Σ amount of orders with covers ÷ Σ covers.

share_without_covers = counted orders that name no covers ÷ counted orders: what the number says nothing about. Minor units.
Source: docs/METRICS.md, "spend_per_cover@1".
"""

from projections.metrics.definition import MONEY, ORDER_DIMENSIONS, Asked, Row, define, ratio
from projections.metrics.orders import asked_orders, explain_orders, grouped
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Amount over covers, of orders that name them."""
    orders, keys = asked_orders(fleet, asked)
    rows = fleet.rows(
        grouped(orders, keys).agg(
            amount=orders.amount.sum(where=orders.covers.notnull()).fill_null(0),
            covers=orders.covers.sum().fill_null(0),
            orders=orders.count(),
            without=orders.count(where=orders.covers.isnull()),
        )
    )
    return [_row(row) for row in rows]


def _row(row: Row) -> Row:
    amount, covers, without = int(row["amount"]), int(row["covers"]), row.pop("without")
    shown = {"amount": amount, "covers": covers, "value": ratio(amount, covers)}
    return {**row, **shown, "share_without_covers": ratio(without, row["orders"])}


DEFINITION = define(
    __doc__,
    compute,
    name="spend_per_cover",
    version=1,
    parameters=MONEY,
    by=(*TIME_UNITS, *ORDER_DIMENSIONS, "tier", "cohort"),
    empty={"amount": 0, "covers": 0, "orders": 0, "value": None, "share_without_covers": None},
    explain=explain_orders,
)
