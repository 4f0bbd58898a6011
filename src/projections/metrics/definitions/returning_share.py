"""Returning share (老客占比): buyers of the period whose first order lies before it ÷ buyers of the period.

Often also called a repurchase rate (复购率); it is another number than `repurchase_rate/window`.
Source: docs/METRICS.md, "returning_share@1".
"""

from projections.metrics.definition import COUNTED, Asked, Row, define, ratio
from projections.metrics.newness import explain_newness, newness
from projections.metrics.orders import grouped
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Buyers, and those of them who are not new."""
    orders, keys = newness(fleet, asked)
    rows = fleet.rows(
        grouped(orders, keys).agg(
            returning=orders.customer.nunique(where=~orders.is_new), buyers=orders.customer.nunique()
        )
    )
    return [{**row, "value": ratio(row["returning"], row["buyers"])} for row in rows]


DEFINITION = define(
    __doc__,
    compute,
    name="returning_share",
    version=1,
    parameters=COUNTED,
    by=tuple(TIME_UNITS),
    empty={"returning": 0, "buyers": 0, "value": None},
    explain=explain_newness,
)
