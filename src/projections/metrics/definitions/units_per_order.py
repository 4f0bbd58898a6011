"""Units per order (连带率): Σ quantity of counted orders ÷ counted orders.

Orders without lines have no quantity; orders_without_lines says how many. Online Retail (F1): 5,167,812 units.
Source: docs/METRICS.md, "units_per_order".
"""

from projections.metrics.definition import COUNTED, TRADE_DIMENSIONS, Asked, Row, define, ratio
from projections.metrics.orders import asked_orders, explain_orders, grouped
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Quantity over orders."""
    orders, keys = asked_orders(fleet, asked)
    rows = fleet.rows(
        grouped(orders, keys).agg(
            units=orders.quantity.sum(),
            orders=orders.count(),
            orders_without_lines=orders.count(where=orders.quantity.isnull()),
        )
    )
    return [
        {**row, "units": float(row["units"] or 0), "value": ratio(float(row["units"] or 0), row["orders"])}
        for row in rows
    ]


DEFINITION = define(
    __doc__,
    compute,
    name="units_per_order",
    version=1,
    parameters=COUNTED,
    by=(*TIME_UNITS, *TRADE_DIMENSIONS),
    empty={"units": 0.0, "orders": 0, "orders_without_lines": 0, "value": None},
    explain=explain_orders,
)
