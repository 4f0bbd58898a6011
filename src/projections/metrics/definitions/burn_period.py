"""Burn rate of the period: points redeemed in it ÷ points granted in it.

Both net of what was given back. Never called just a redemption rate: what is redeemed was mostly granted before.
Source: docs/METRICS.md, "points".
"""

from projections.metrics.definition import Asked, Row, define, ratio
from projections.metrics.flows import ASSET, explain_flows, flows
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Redeemed over granted."""
    return [
        {
            **({"period": row["period"]} if "period" in row else {}),
            "redeemed": row["redeemed"],
            "granted": row["granted"],
            "value": ratio(row["redeemed"], row["granted"]),
        }
        for row in flows(fleet, asked)
    ]


DEFINITION = define(
    __doc__,
    compute,
    name="burn_rate/period",
    version=1,
    parameters=(ASSET,),
    by=tuple(TIME_UNITS),
    empty={"redeemed": 0, "granted": 0, "value": None},
    explain=explain_flows,
)
