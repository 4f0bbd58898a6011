"""Activity month on month: how many customers of a month are new, active, returned, or did not buy.

new = the month of the first order, here or in a system taken over; active = also bought in the previous month; return = bought,
not new, not in the previous month; unactive = known by then, did not buy. CDNOW, zero-value orders included, gives the published
table of 18 months.
Source: docs/METRICS.md, "activity/month_on_month@1".
"""

from datetime import date

from projections.metrics.before import first_orders
from projections.metrics.definition import COUNTED, Asked, Row, define
from projections.metrics.orders import counted_orders, in_window, with_keys, with_refunds
from projections.metrics.periods import period_of
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Months of each customer, each beside the one before."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    orders, _ = with_keys(counted_orders(fleet, asked), asked)
    months = orders.select("customer", "period").distinct()
    by_customer = ibis.window(group_by="customer", order_by="period")
    seen = months.mutate(before=months.period.lag().over(by_customer))
    first = first_orders(fleet, orders)
    first = first.select("customer", first_period=period_of(first.first_local_at, "month"))
    seen = seen.inner_join(first, "customer")
    follows = seen.before.notnull() & ((seen.before + ibis.interval(months=1)).cast("date") == seen.period)
    is_new = seen.first_period == seen.period
    counted = fleet.rows(
        seen.group_by("period").agg(new=seen.count(where=is_new), active=seen.count(where=follows), buyers=seen.count())
    )
    shown = {row["period"] for row in fleet.rows(_inside(fleet, asked).select("period").distinct())}
    began = fleet.rows(first.group_by("first_period").agg(n=first.count()))
    known = {row["first_period"]: row["n"] for row in began}
    return [row for row in _with_unactive(counted, known) if row["period"] in shown]


def _inside(fleet: Fleet, asked: Asked) -> Expression:
    return with_keys(in_window(counted_orders(fleet, asked), asked), asked)[0]


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The orders of the month, and what was refunded of them."""
    orders, keys = with_keys(in_window(counted_orders(fleet, asked), asked), asked)
    return with_refunds(fleet, asked, orders, keys)


def _with_unactive(counted: list[Row], first: dict[date, int]) -> list[Row]:
    """The rows in order, with those known by then: whose first order ever lies in their month or an earlier one."""
    rows = []
    for row in sorted(counted, key=_month):
        known = sum(customers for month, customers in first.items() if month <= _month(row))
        returned = row["buyers"] - row["new"] - row["active"]
        rows.append({**row, "return": returned, "unactive": known - row["buyers"]})
    return rows


def _month(row: Row) -> date:
    period: date = row["period"]
    return period


DEFINITION = define(
    __doc__,
    compute,
    name="activity/month_on_month",
    version=1,
    parameters=COUNTED,
    by=("month",),
    by_default=("month",),
    explain=explain,
)
