"""Which orders count, whose they are, and what they amount to: the words every metric of trade uses.

gross = Σ line amounts after discounts, before tenders. net = gross − refunds of that order with time ≤ as_of; a return that
matched no order lowers no order's. A counted order has gross > 0 unless zero_value=include and, under amount=net, is not fully
refunded. Source: docs/METRICS.md, "Words every metric uses".
"""

from ledger.instants import to_datetime
from projections.errors import currencies_mixed
from projections.metrics.before import first_orders
from projections.metrics.definition import Asked
from projections.metrics.periods import period_of
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet

CURRENCIES_SHOWN_MAX = 50


def counted_orders(fleet: Fleet, asked: Asked) -> Expression:
    """Every counted order up to `as_of`, whatever the window: orders with `gross`, `refunded`, `net` and the `amount` asked for."""
    orders = fleet.table("orders")
    if asked.parameters.get("currency"):
        orders = orders.filter(orders.currency == asked["currency"])
    parts = fleet.table("refund_parts")
    refunded = parts.group_by("reference").agg(refunded=parts.amount.sum())
    joined = orders.left_join(refunded, "reference").drop("reference_right")
    return _counted(joined.mutate(gross=joined.total, refunded=joined.refunded.fill_null(0)), asked)


def by_category(fleet: Fleet, orders: Expression, asked: Asked) -> Expression:
    """Counted orders once for each product category they have a line in, with the amount and quantity of its lines alone.

    A part of an order counts where an order of it would; an order without lines is of no category. Refunds that name no lines
    are spread over all of them, as the ledger did.
    """
    parts = _parts(fleet, orders).rename(
        of="position", own_gross="gross", own_refunded="refunded", own_quantity="quantity"
    )
    parts = orders.left_join(parts, orders.position == parts.of)
    parts = parts.mutate(
        gross=parts.own_gross.coalesce(parts.gross),
        refunded=parts.own_refunded.coalesce(parts.refunded),
        quantity=parts.own_quantity.coalesce(parts.quantity),
    )
    return _counted(parts.drop("of", "own_gross", "own_refunded", "own_quantity"), asked)


def _parts(fleet: Fleet, orders: Expression) -> Expression:
    """Orders (`position`) by category: `gross`, `refunded` and `quantity` of its lines."""
    undone = fleet.table("refund_lines")
    undone = undone.group_by(["reference", "line"]).agg(refunded=undone.amount.sum())
    lines = fleet.table("order_lines").select("position", "line", "category", "quantity", "amount")
    lines = lines.inner_join(orders.select("position", "reference"), "position")
    lines = lines.left_join(undone, ["reference", "line"])
    return lines.group_by(["position", "category"]).agg(
        gross=lines.amount.sum(), refunded=lines.refunded.sum().fill_null(0), quantity=lines.quantity.sum()
    )


def _counted(orders: Expression, asked: Asked) -> Expression:
    """Those of orders (or parts of them) with `gross` and `refunded` that count, with `net` and `amount`."""
    orders = orders.mutate(net=orders.gross - orders.refunded)
    if asked["zero_value"] == "exclude":
        orders = orders.filter(orders.gross > 0)
    if asked["amount"] == "net":
        orders = orders.filter((orders.gross == 0) | (orders.net > 0))
    return orders.mutate(amount=orders[asked["amount"]])


def in_window(table: Expression, asked: Asked) -> Expression:
    """What lies in the window [from, to)."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    if asked.start is not None:
        table = table.filter(table["at"] >= ibis.timestamp(to_datetime(asked.start).replace(tzinfo=None)))
    if asked.end is not None:
        table = table.filter(table["at"] < ibis.timestamp(to_datetime(asked.end).replace(tzinfo=None)))
    return table


def with_keys(table: Expression, asked: Asked) -> tuple[Expression, list[str]]:
    """The table with what it is grouped by as columns, and their names; `period` is the first day of a period."""
    keys = list(asked.dimensions)
    if asked.unit is not None:
        table = table.mutate(period=period_of(table.local_at, asked.unit))
        keys.insert(0, "period")
    return table, keys


def grouped(table: Expression, keys: list[str]) -> Expression:
    """The table by these keys; without any, the table as one group."""
    return table.group_by(keys) if keys else table


def cohorts(fleet: Fleet, orders: Expression) -> Expression:
    """Customers with the month of their first counted order, here or before, as `cohort`, such as 2026-03."""
    first = first_orders(fleet, orders)
    return first.select("customer", cohort=first.first_local_at.strftime("%Y-%m"))


def asked_orders(fleet: Fleet, asked: Asked) -> tuple[Expression, list[str]]:
    """Counted orders in the window with what they are grouped by, and the names of that."""
    orders = counted_orders(fleet, asked)
    if "cohort" in asked.by:
        orders = orders.inner_join(cohorts(fleet, orders), "customer")
    if "category" in asked.by:
        orders = by_category(fleet, orders, asked)
    return with_keys(in_window(orders, asked), asked)


def with_refunds(fleet: Fleet, asked: Asked, orders: Expression, keys: list[str]) -> Expression:
    """`position` of these orders and, under amount=net, of what was refunded of them, with the keys of each order."""
    found = orders.select("position", *keys)
    if asked["amount"] != "net":
        return found
    parts = fleet.table("refund_parts").select("reference", undone_at="position")
    undone = orders.select("reference", *keys).inner_join(parts, "reference")
    return stacked(found, undone.select(*keys, position="undone_at"))


def explain_orders(fleet: Fleet, asked: Asked) -> Expression:
    """The records behind a number of counted orders: the orders, and what was refunded of them."""
    return with_refunds(fleet, asked, *asked_orders(fleet, asked))


def occasions(orders: Expression, asked: Asked) -> Expression:
    """The number of occasions of a group, as an aggregate: orders, or business days with one."""
    return orders.count() if asked["unit"] == "order" else orders.business_day.nunique()


def occasion_instants(orders: Expression, asked: Asked) -> Expression:
    """Occasions as rows (`customer`, `at`, `local_at`, `position`): each order, or the first of each business day."""
    if asked["unit"] == "order":
        return orders.select("customer", "at", "local_at", "position")
    return (
        orders.group_by("customer", "business_day")
        .agg(at=orders["at"].min(), local_at=orders.local_at.min(), position=orders.position.min())
        .drop("business_day")
    )


def currency_of(fleet: Fleet, asked: Asked, tables: tuple[str, ...]) -> str | None:
    """The currency of the answer; None where there is no money in any of the tables.

    Raises:
        FormError: there are several, and none was chosen.
    """
    chosen: str | None = asked.parameters.get("currency")
    if chosen:
        return chosen
    found: set[str] = set()
    for name in tables:
        seen = fleet.table(name).select("currency").distinct().limit(CURRENCIES_SHOWN_MAX)
        found |= {row["currency"] for row in fleet.rows(seen)}
    if len(found) > 1:
        raise currencies_mixed(sorted(found))
    return next(iter(found), None)
