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
    joined = joined.mutate(gross=joined.total, refunded=joined.refunded.fill_null(0))
    joined = joined.mutate(net=joined.gross - joined.refunded)
    if asked["zero_value"] == "exclude":
        joined = joined.filter(joined.gross > 0)
    if asked["amount"] == "net":
        joined = joined.filter((joined.gross == 0) | (joined.net > 0))
    return joined.mutate(amount=joined[asked["amount"]])


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


def with_cohort(fleet: Fleet, orders: Expression) -> Expression:
    """Orders with the month of their customer's first counted order, here or before, as `cohort`, such as 2026-03."""
    first = first_orders(fleet, orders)
    return orders.inner_join(first.select("customer", cohort=first.first_local_at.strftime("%Y-%m")), "customer")


def asked_orders(fleet: Fleet, asked: Asked) -> tuple[Expression, list[str]]:
    """Counted orders in the window with what they are grouped by, and the names of that."""
    orders = counted_orders(fleet, asked)
    if "cohort" in asked.by:
        orders = with_cohort(fleet, orders)
    return with_keys(in_window(orders, asked), asked)


def occasions(orders: Expression, asked: Asked) -> Expression:
    """The number of occasions of a group, as an aggregate: orders, or business days with one."""
    return orders.count() if asked["unit"] == "order" else orders.business_day.nunique()


def occasion_instants(orders: Expression, asked: Asked) -> Expression:
    """Occasions as rows (`customer`, `at`, `local_at`): each order, or the first of each business day."""
    if asked["unit"] == "order":
        return orders.select("customer", "at", "local_at")
    return (
        orders.group_by("customer", "business_day")
        .agg(at=orders["at"].min(), local_at=orders.local_at.min())
        .drop("business_day")
    )


def currency_of(fleet: Fleet, asked: Asked) -> str | None:
    """The currency of the answer; None where there is no order.

    Raises:
        FormError: there are several, and none was chosen.
    """
    chosen: str | None = asked.parameters.get("currency")
    if chosen:
        return chosen
    orders = fleet.table("orders")
    found = [row["currency"] for row in fleet.rows(orders.select("currency").distinct().limit(CURRENCIES_SHOWN_MAX))]
    if len(found) > 1:
        raise currencies_mixed(sorted(found))
    return found[0] if found else None
