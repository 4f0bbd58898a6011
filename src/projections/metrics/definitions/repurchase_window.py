"""Repurchase rate of a window (复购率): buyers with at least 2 occasions in the window ÷ buyers in the window.

value = repeaters ÷ buyers; an occasion is an order (unit=order) or a customer's business day (unit=day). By a unit of time
each period is a window of its own. Online Retail 2010-11 (filter F1, gross): 2,845 ÷ 4,338 = 65.58 % by order, 2,790 ÷ 4,338
= 64.32 % by day. CDNOW, zero-value orders included, May 1997: 436 ÷ 2,214 by order, 413 ÷ 2,214 by day.
Source: docs/METRICS.md, "repurchase_rate/window@1".
"""

from projections.metrics.definition import COUNTED, OCCASION, TRADE_DIMENSIONS, Asked, Row, define, ratio
from projections.metrics.orders import asked_orders, explain_orders, grouped, occasions
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Occasions by customer, then customers with two or more."""
    orders, keys = asked_orders(fleet, asked)
    by_customer = orders.group_by([*keys, "customer"]).agg(n=occasions(orders, asked))
    rows = fleet.rows(
        grouped(by_customer, keys).agg(repeaters=(by_customer.n > 1).sum().fill_null(0), buyers=by_customer.count())
    )
    return [{**row, "value": ratio(row["repeaters"], row["buyers"])} for row in rows]


DEFINITION = define(
    __doc__,
    compute,
    name="repurchase_rate/window",
    version=1,
    parameters=(*COUNTED, OCCASION),
    by=(*TIME_UNITS, *TRADE_DIMENSIONS),
    empty={"repeaters": 0, "buyers": 0, "value": None},
    explain=explain_orders,
)
