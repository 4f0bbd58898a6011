"""New against returning: buyers and amount of customers who bought for the first time ever in the period, and of the others.

new = customers whose first counted order ever lies in the period (without a period: in the window); returning = the rest of
its buyers. An order of a new customer counts as new for the whole of that period. share = returning amount ÷ amount.
Source: docs/METRICS.md, "returning_share".
"""

from projections.metrics.definition import MONEY, Asked, Row, define, ratio
from projections.metrics.newness import explain_newness, newness
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Buyers, orders and amount, told apart by whether the customer is new in the period."""
    orders, keys = newness(fleet, asked)
    rows = fleet.rows(
        orders.group_by([*keys, "is_new"]).agg(
            buyers=orders.customer.nunique(), orders=orders.count(), amount=orders.amount.sum()
        )
    )
    found: dict[tuple[object, ...], Row] = {}
    for row in rows:
        key = tuple(row[one] for one in keys)
        target = found.setdefault(key, {**dict(zip(keys, key, strict=True)), **_NOTHING})
        kind = "new" if row["is_new"] else "returning"
        target.update({f"{kind}_{name}": int(row[name]) for name in ("buyers", "orders", "amount")})
    for row in found.values():
        row["returning_amount_share"] = ratio(row["returning_amount"], row["returning_amount"] + row["new_amount"])
    return list(found.values())


_NOTHING: Row = {
    **{f"{kind}_{name}": 0 for kind in ("new", "returning") for name in ("buyers", "orders", "amount")},
    "returning_amount_share": None,
}

DEFINITION = define(
    __doc__,
    compute,
    name="revenue/new_returning",
    version=1,
    parameters=MONEY,
    by=tuple(TIME_UNITS),
    empty=_NOTHING,
    explain=explain_newness,
)
