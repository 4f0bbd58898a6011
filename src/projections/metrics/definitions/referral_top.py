"""Top referrers: who brought the most customers, what they were given for it, and what those customers have bought.

made, qualified = customers whose referral stands at as_of and was made in the window; points = given to both sides for this
referrer's referrals, less what was taken back; orders, amount = counted orders of those customers, from the referral on. By
qualified, then made, then id; up to `limit`. Minor units.
Source: docs/METRICS.md; the referral block of the rules.
"""

from projections.metrics.definition import MONEY, Asked, Parameter, Row, define
from projections.metrics.orders import in_window
from projections.metrics.referring import brought, orders_of_brought, points_given
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Referrers with what is theirs."""
    made = in_window(brought(fleet), asked)
    orders = orders_of_brought(fleet, asked).semi_join(made, "customer")
    bought = orders.group_by("referrer").agg(orders=orders.count(), amount=orders.amount.sum())
    given = points_given(fleet)
    given = given.group_by("referrer").agg(points=given.points.sum())
    each = made.group_by("referrer").agg(made=made.count(), qualified=made.qualified.sum())
    each = each.order_by([each.qualified.desc(), each.made.desc(), each.referrer]).limit(asked["limit"])
    each = each.left_join(bought, "referrer").drop("referrer_right")
    each = each.left_join(given, "referrer").drop("referrer_right")
    rows = [{name: _whole(value) for name, value in row.items()} for row in fleet.rows(each)]
    return sorted(rows, key=lambda row: (-row["qualified"], -row["made"], row["referrer"]))


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The referrals, and the orders of the customers they brought."""
    made = in_window(brought(fleet), asked)
    orders = orders_of_brought(fleet, asked).semi_join(made, "customer")
    return stacked(made.select("position", "referrer"), orders)


def _whole(value: object) -> object:
    return value if isinstance(value, str) else int(value or 0)  # type: ignore[call-overload]


DEFINITION = define(
    __doc__,
    compute,
    name="referral/top",
    version=1,
    parameters=(*MONEY, Parameter("limit", "How many referrers at most.", "whole", 20, most=10_000)),
    keys=("referrer",),
    explain=explain,
)
