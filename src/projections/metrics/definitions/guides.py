"""Guides: how many guides sold something, and how much of the revenue is theirs.

active = guides with at least one counted order attributed to them in the period (`place.guide`; connections are not recorded);
orders, amount = those attributed; share = amount ÷ amount of all counted orders. Minor units.
Source: docs/METRICS.md, "guides".
"""

from projections.metrics.definition import MONEY, Asked, Row, define, ratio
from projections.metrics.orders import asked_orders, explain_orders, grouped
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Distinct guides, and what is theirs."""
    orders, keys = asked_orders(fleet, asked)
    theirs = orders.guide.notnull()
    rows = fleet.rows(
        grouped(orders, keys).agg(
            active=orders.guide.nunique(),
            orders=orders.count(where=theirs),
            amount=orders.amount.sum(where=theirs).fill_null(0),
            of_amount=orders.amount.sum().fill_null(0),
        )
    )
    return [_row(row) for row in rows]


def _row(row: Row) -> Row:
    amount, whole = int(row["amount"]), int(row["of_amount"])
    return {**row, "amount": amount, "of_amount": whole, "share": ratio(amount, whole)}


DEFINITION = define(
    __doc__,
    compute,
    name="guides",
    version=1,
    parameters=MONEY,
    by=(*TIME_UNITS, "channel", "store", "brand", "entity"),
    empty={"active": 0, "orders": 0, "amount": 0, "of_amount": 0, "share": None},
    explain=explain_orders,
)
