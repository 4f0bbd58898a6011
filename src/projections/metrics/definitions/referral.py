"""Referrals: how many were made, qualified and rewarded in the period, what they cost, and what those brought have bought.

made, qualified, disqualified, revoked = those steps dated in the period; rewarded = rewards to referrers; referrers = customers
with a referral made in it; k = qualified ÷ referrers: new customers per referrer. cost_points = points given to both sides less
those taken back, in the period; orders, amount = counted orders in the period by customers whose referral stands at as_of, from
the referral on. Minor units; points in the smallest step.
Source: docs/METRICS.md; the referral block of the rules.
"""

from projections.metrics.definition import MONEY, Asked, Row, define, ratio
from projections.metrics.orders import grouped, in_window, with_keys
from projections.metrics.periods import TIME_UNITS
from projections.metrics.referring import orders_of_brought, points_given
from projections.metrics.tables import stacked
from projections.twin.fleet import Expression, Fleet


def compute(fleet: Fleet, asked: Asked) -> list[Row]:
    """Steps, points and orders, each by its own date."""
    found: dict[tuple[object, ...], Row] = {}
    for side in (_steps(fleet, asked), _cost(fleet, asked), _bought(fleet, asked)):
        for row in side:
            period = {"period": row["period"]} if "period" in row else {}
            found.setdefault(tuple(period.values()), {**period, **_NOTHING}).update(row)
    for row in found.values():
        row["k"] = ratio(row["qualified"], row["referrers"])
    return list(found.values())


def explain(fleet: Fleet, asked: Asked) -> Expression:
    """The steps of referrals, and the orders of those who were brought."""
    steps, keys = with_keys(in_window(fleet.table("referrals"), asked), asked)
    orders, _ = with_keys(in_window(orders_of_brought(fleet, asked), asked), asked)
    return stacked(steps.select("position", *keys), orders)


def _steps(fleet: Fleet, asked: Asked) -> list[Row]:
    steps, keys = with_keys(in_window(fleet.table("referrals"), asked), asked)
    is_made = steps.kind == "made"
    return fleet.rows(
        grouped(steps, keys).agg(
            made=steps.count(where=is_made),
            qualified=steps.count(where=steps.kind == "qualified"),
            disqualified=steps.count(where=steps.kind == "disqualified"),
            revoked=steps.referred.nunique(where=steps.kind == "revoked"),
            rewarded=steps.count(where=(steps.kind == "rewarded") & (steps.role == "referrer")),
            referrers=steps.referrer.nunique(where=is_made),
        )
    )


def _cost(fleet: Fleet, asked: Asked) -> list[Row]:
    given, keys = with_keys(in_window(points_given(fleet), asked), asked)
    rows = fleet.rows(grouped(given, keys).agg(cost_points=given.points.sum().fill_null(0)))
    return [{**row, "cost_points": int(row["cost_points"])} for row in rows]


def _bought(fleet: Fleet, asked: Asked) -> list[Row]:
    orders, keys = with_keys(in_window(orders_of_brought(fleet, asked), asked), asked)
    rows = fleet.rows(grouped(orders, keys).agg(orders=orders.count(), amount=orders.amount.sum().fill_null(0)))
    return [{**row, "amount": int(row["amount"])} for row in rows]


_COUNTS = ("made", "qualified", "disqualified", "revoked", "rewarded", "referrers", "cost_points", "orders", "amount")
_NOTHING: Row = {**dict.fromkeys(_COUNTS, 0), "k": None}

DEFINITION = define(
    __doc__,
    compute,
    name="referral",
    version=1,
    parameters=MONEY,
    by=tuple(TIME_UNITS),
    empty=_NOTHING,
    explain=explain,
)
