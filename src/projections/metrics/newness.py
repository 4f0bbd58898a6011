"""Who is new in a period: whose first counted order ever lies in it, those of a system taken over included."""

from ledger.instants import to_datetime
from projections.metrics.before import first_orders
from projections.metrics.definition import Asked
from projections.metrics.orders import counted_orders, in_window, with_keys, with_refunds
from projections.metrics.periods import period_of
from projections.twin.fleet import Expression, Fleet


def newness(fleet: Fleet, asked: Asked) -> tuple[Expression, list[str]]:
    """Counted orders of the window with `is_new`, and the names of what they are grouped by."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    orders = counted_orders(fleet, asked)
    orders, keys = with_keys(in_window(orders.inner_join(first_orders(fleet, orders), "customer"), asked), asked)
    if asked.unit is not None:
        is_new = period_of(orders.first_local_at, asked.unit) == orders.period
    elif asked.start is not None:
        is_new = orders.first_at >= ibis.timestamp(to_datetime(asked.start).replace(tzinfo=None))
    else:
        is_new = ibis.literal(value=True)
    return orders.mutate(is_new=is_new), keys


def explain_newness(fleet: Fleet, asked: Asked) -> Expression:
    """The records behind a number of new and returning buyers: the orders of both, and what was refunded of them."""
    return with_refunds(fleet, asked, *newness(fleet, asked))
