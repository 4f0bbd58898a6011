"""Burn rate to date: all points redeemed by as_of ÷ all points granted by as_of.

Both net of what was given back. It is below the ultimate redemption rate as long as points granted can still be redeemed; the
ultimate one is an assumption of the liability report, not a count.
Source: docs/METRICS.md, "points".
"""

from projections.metrics.definition import Asked, Row, define, ratio
from projections.metrics.flows import ASSET, explain_flows, flows
from projections.twin.fleet import Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Redeemed over granted, from the first record on."""
    (row,) = flows(fleet, asked)
    redeemed, granted = row["redeemed"], row["granted"]
    return [{"redeemed": redeemed, "granted": granted, "value": ratio(redeemed, granted)}]


DEFINITION = define(
    __doc__, compute, name="burn_rate/to_date", version=1, parameters=(ASSET,), window=False, explain=explain_flows
)
