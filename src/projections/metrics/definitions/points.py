"""Points: granted, redeemed, expired, taken back and adjusted in the period, and outstanding at its end.

Each movement counts at its own instant. granted = from program:issued and program:opening to customers, less what went back
there; redeemed, expired, reversed (clawed back, debts included) likewise net of what was given back. What is past its expiry
counts as expired then, whether or not it has been written. outstanding = Σ lots − Σ debts of all customers; outstanding =
outstanding before + granted − redeemed − expired − reversed + adjusted + other, to the last point.
Source: docs/METRICS.md, "points".
"""

from projections.metrics.definition import Asked, Row, define
from projections.metrics.flows import ASSET, explain_flows, flows
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Flows by period, and their running sum."""
    return flows(fleet, asked)


DEFINITION = define(
    __doc__,
    compute,
    name="points",
    version=1,
    parameters=(ASSET,),
    by=tuple(TIME_UNITS),
    explain=explain_flows,
)
