"""What customers had bought in another system before they were taken over: it keeps a loyal customer from being new.

Of those orders only the first, the last and their number are known. So they decide who is new, and count as occasions of a stage;
a metric that needs each order (cohorts, repurchase within days) leaves these customers out, and one of amounts counts only what
was bought here.
"""

from projections.twin.fleet import Expression, Fleet


def bought_before(fleet: Fleet) -> Expression:
    """Customers who had bought elsewhere: `first_before`, `first_local_before`, `last_before`, `orders_before`."""
    openings = fleet.table("openings")
    openings = openings.filter(openings.orders > 0)
    return openings.group_by("customer").agg(
        first_before=openings.first_at.min(),
        first_local_before=openings.first_local_at.min(),
        last_before=openings.last_at.max(),
        orders_before=openings.orders.sum(),
    )


def first_orders(fleet: Fleet, orders: Expression) -> Expression:
    """The first order ever, here or before, of everyone who has bought: `first_at`, `first_local_at`."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    first = orders.group_by("customer").agg(first_here=orders["at"].min(), first_local_here=orders.local_at.min())
    both = first.outer_join(bought_before(fleet), "customer")
    return both.select(
        customer=both.customer.fill_null(both.customer_right),
        first_at=ibis.least(both.first_here.fill_null(both.first_before), both.first_before.fill_null(both.first_here)),
        first_local_at=ibis.least(
            both.first_local_here.fill_null(both.first_local_before),
            both.first_local_before.fill_null(both.first_local_here),
        ),
    )


def without_those_before(fleet: Fleet, rows: Expression) -> Expression:
    """Rows of customers all of whose orders are known."""
    return rows.anti_join(bought_before(fleet), "customer")
