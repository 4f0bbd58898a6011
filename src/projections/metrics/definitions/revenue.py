"""Revenue: what was sold in the period, less what was refunded in it.

gross = Σ totals of orders placed in the period; refunds = Σ refunds and returns dated in the period, whatever order they
undo; net = gross − refunds; refund_rate = refunds ÷ gross. Minor units. This is refund_basis=refund_date: a refund lowers the
period it happens in, never one that is over.
Source: docs/METRICS.md, "Defaults".
"""

from projections.metrics.definition import CURRENCY, ORDER_DIMENSIONS, Asked, Row, define, ratio
from projections.metrics.orders import grouped, in_window, with_keys
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Gross of orders and what refunds took back, each at its own date."""
    found: dict[tuple[object, ...], Row] = {}
    for name, column in (("orders", "total"), ("refunds", "amount")):
        table, keys = with_keys(in_window(_in_currency(fleet.table(name), asked), asked), asked)
        for row in fleet.rows(grouped(table, keys).agg(n=table.count(), minor=table[column].sum())):
            key = tuple(row[one] for one in keys)
            target = found.setdefault(key, {**dict(zip(keys, key, strict=True)), **_NOTHING})
            target["gross" if name == "orders" else "refunds"] = int(row["minor"] or 0)
            target["orders" if name == "orders" else "refunds_count"] = row["n"]
    return [_finished(row) for row in found.values()]


def _in_currency(table: Expression, asked: Asked) -> Expression:
    return table.filter(table.currency == asked["currency"]) if asked["currency"] else table


def _finished(row: Row) -> Row:
    return {**row, "net": row["gross"] - row["refunds"], "refund_rate": ratio(row["refunds"], row["gross"])}


_NOTHING: Row = {"orders": 0, "gross": 0, "refunds_count": 0, "refunds": 0, "net": 0, "refund_rate": None}

DEFINITION = define(
    __doc__,
    compute,
    name="revenue",
    version=1,
    parameters=(CURRENCY,),
    by=(*TIME_UNITS, *ORDER_DIMENSIONS),
    empty=_NOTHING,
)
