"""Bought together: pairs of categories (or of products) that stand in the same order.

orders = counted orders of the window with both; support = orders ÷ orders with lines; confidence = orders ÷ orders with `first`,
confidence_back = ÷ orders with `second`; lift = orders × orders with lines ÷ (orders with first × orders with second): above 1 they
are bought together more often than by chance. The most frequent pairs first, ties by name, up to `limit`. Lines without a
category are left out.
Source: docs/METRICS.md; association rules, Agrawal, Imieliński & Swami (1993).
"""

from projections.metrics.definition import COUNTED, Asked, Parameter, Row, define, ratio
from projections.metrics.orders import counted_orders, in_window
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Pairs, beside how often each of the two stands in an order."""
    items = _items(fleet, asked)
    pairs = _pairs(items)
    (whole,) = fleet.rows(items.agg(n=items.position.nunique()))
    each = items.group_by("item").agg(orders=items.count())
    top = pairs.group_by(["first", "second"]).agg(orders=pairs.count())
    top = top.order_by([top.orders.desc(), top["first"], top.second]).limit(asked["limit"])
    top = top.inner_join(each.select(first="item", of_first="orders"), "first")
    top = top.inner_join(each.select(second="item", of_second="orders"), "second")
    rows = [_row(row, whole["n"]) for row in fleet.rows(top)]
    return sorted(rows, key=lambda row: (-row["orders"], row["first"], row["second"]))


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders with both."""
    return _pairs(_items(fleet, asked)).select("position", "first", "second")


def _items(fleet: Fleet, asked: Asked) -> Expression:
    """`position` of an order and `item`, once each."""
    orders = in_window(counted_orders(fleet, asked), asked)
    lines = fleet.table("order_lines")
    items = lines.select("position", item=lines[asked["item"]]).distinct()
    return items.filter(items.item.notnull()).semi_join(orders, "position")


def _pairs(items: Expression) -> Expression:
    both = items.select("position", first="item").inner_join(items.select("position", second="item"), "position")
    return both.filter(both["first"] < both.second)


def _row(row: Row, whole: int) -> Row:
    together, of_first, of_second = row["orders"], row["of_first"], row["of_second"]
    return {
        "first": row["first"],
        "second": row["second"],
        "orders": together,
        "support": ratio(together, whole),
        "confidence": ratio(together, of_first),
        "confidence_back": ratio(together, of_second),
        "lift": ratio(together * whole, of_first * of_second),
    }


DEFINITION = define(
    __doc__,
    compute,
    name="products/together",
    version=1,
    parameters=(
        *COUNTED,
        Parameter("item", "Pairs of what.", "choice", "category", ("category", "sku")),
        Parameter("limit", "How many pairs at most.", "whole", 20, most=10_000),
    ),
    keys=("first", "second"),
    explain=explain,
)
