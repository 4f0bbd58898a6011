"""Sign-ups: customers who signed up in the period.

signups = `customer.signed_up` dated in it; referred = those that name who brought them. A customer who was first seen by an order
has no sign-up, so sign-ups are not the customers opened (`customers`). By campaign and live code as the sign-up names them.
Source: docs/METRICS.md; the net growth by channel stands in `customers`.
"""

from projections.metrics.definition import ORDER_DIMENSIONS, Asked, Row, define
from projections.metrics.orders import grouped, in_window, with_keys
from projections.metrics.periods import TIME_UNITS
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Sign-ups, and those of them that name a referrer."""
    signups, keys = _signups(fleet, asked)
    return fleet.rows(grouped(signups, keys).agg(signups=signups.count(), referred=signups.referred_by.count()))


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The sign-ups."""
    signups, keys = _signups(fleet, asked)
    return signups.select("position", *keys)


def _signups(fleet: Fleet, asked: Asked) -> tuple[Expression, list[str]]:
    return with_keys(in_window(fleet.table("signups"), asked), asked)


DEFINITION = define(
    __doc__,
    compute,
    name="signups",
    version=1,
    by=(*TIME_UNITS, *ORDER_DIMENSIONS, "campaign", "live_code"),
    empty={"signups": 0, "referred": 0},
    explain=explain,
)
