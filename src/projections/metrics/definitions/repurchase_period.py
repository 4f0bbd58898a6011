"""Buy-back rate (回购率): buyers in a period who also buy in the next one ÷ buyers in the period.

Dated by the first of the two periods; null until the second has ended. CDNOW by month, zero-value orders included: 0.301914
for 1997-04.
Source: docs/METRICS.md, "repurchase_rate/period@1".
"""

from datetime import date

from ledger.instants import midnight
from projections.metrics.definition import COUNTED, Asked, Row, define, ratio
from projections.metrics.orders import counted_orders, in_window, with_keys, with_refunds
from projections.metrics.periods import TIME_UNITS, next_period
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Each buyer's periods, joined with themselves one period later."""
    unit = asked.unit or "month"
    orders, _ = with_keys(counted_orders(fleet, asked), asked)
    inside, _ = with_keys(in_window(counted_orders(fleet, asked), asked), asked)
    buyers = inside.select("customer", "period").distinct()
    found = {row["period"]: row["buyers"] for row in fleet.rows(buyers.group_by("period").agg(buyers=buyers.count()))}
    again = _bought_again(fleet, orders, buyers, unit)
    return [_row(fleet, unit, period, buyers_of, again.get(period, 0)) for period, buyers_of in found.items()]


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """Orders of the period, and those of the next one by the same customers."""
    orders, _ = with_keys(counted_orders(fleet, asked), asked)
    inside, keys = with_keys(in_window(counted_orders(fleet, asked), asked), asked)
    again = _dated_back(orders, asked.unit or "month", "position", "reference")
    again = again.semi_join(inside, ["customer", "period"])
    return with_refunds(
        fleet,
        asked,
        stacked(inside.select("position", "reference", "period"), again),
        keys,
    )


def _dated_back(orders: Expression, unit: str, *columns: str) -> Expression:
    """Orders (`customer`, and more) at the `period` before their own."""
    import ibis  # noqa: PLC0415 - heavy, and only wanted here

    step = {
        "day": ibis.interval(days=1),
        "week": ibis.interval(weeks=1),
        "month": ibis.interval(months=1),
        "quarter": ibis.interval(months=3),
    }[unit]
    return orders.select("customer", *columns, period=(orders.period - step).cast("date"))


def _bought_again(fleet: Fleet, orders: Expression, buyers: Expression, unit: str) -> dict[date, int]:
    both = buyers.inner_join(_dated_back(orders, unit).distinct(), ["customer", "period"])
    return {row["period"]: row["n"] for row in fleet.rows(both.group_by("period").agg(n=both.count()))}


def _row(fleet: Fleet, unit: str, period: date, buyers: int, again: int) -> Row:
    after_next = next_period(next_period(period, unit), unit)
    ended = midnight(after_next, fleet.book.zone) - 1 <= fleet.cut.as_of
    return {
        "period": period,
        "again": again if ended else None,
        "buyers": buyers,
        "value": ratio(again, buyers) if ended else None,
        "incomplete": not ended,
    }


DEFINITION = define(
    __doc__,
    compute,
    name="repurchase_rate/period",
    version=1,
    parameters=COUNTED,
    by=tuple(TIME_UNITS),
    by_default=("month",),
    explain=explain,
)
