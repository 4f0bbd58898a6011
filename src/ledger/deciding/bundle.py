"""Bundles of points and coupons: those of a membership, granted with a period in the same record, and of a tier's benefits."""

from typing import Any

from ledger.deciding.coupons import give_place_back, issue
from ledger.deciding.earning import grant
from ledger.deciding.unit import Unit
from ledger.deciding.using import terms
from ledger.lots import Free
from ledger.records import Posting
from ledger.refusals import CouponKindUnknown
from ledger.rules.coupons import CouponKind
from ledger.rules.membership import Bundle


def give(
    unit: Unit, bundle: Bundle, prefix: str, *, reason: str = "membership", rule: str | None = None
) -> tuple[list[list[str]], list[dict[str, str]]]:
    """Post a bundle's points and coupons.

    Args:
        prefix: begins the ids of its coupons: `<prefix>:<kind>:<n>`.
        reason, rule: of the points; coupons are given for a membership or a benefit.

    Returns:
        The lots opened as (asset, lot), and the coupons as `derived` names them.

    Raises:
        CouponKindUnknown, CouponExpired, LimitReached, TooManyLots
    """
    lots: list[list[str]] = []
    coupons: list[dict[str, str]] = []
    points = None
    if bundle.points is not None:
        points = grant(unit, bundle.points, reason, rule=rule)
        lots.append(["points", points[0]])
    for part in bundle.coupons:
        kind = unit.rules.document.coupon_kinds.get(part.kind)
        if kind is None:
            raise CouponKindUnknown(kind=part.kind, kinds=sorted(unit.rules.document.coupon_kinds))
        for number in range(1, part.count + 1):
            named = one_coupon(unit, kind, prefix, number, "membership" if rule is None else "benefit")
            coupons.append(named)
            lots.append([kind.asset, named["lot"]])
    if points is not None:
        unit.pay_debts([points], "points")
        unit.join_lots("points")
    return lots, coupons


def give_points(unit: Unit, points: int, *, reason: str, rule: str) -> None:
    """Post points; open debts are covered first."""
    lot = grant(unit, points, reason, rule=rule)
    unit.pay_debts([lot], "points")
    unit.join_lots("points")


def one_coupon(unit: Unit, kind: CouponKind, prefix: str, number: int, reason: str) -> dict[str, str]:
    """Post the n-th coupon of a kind; returns how `derived` names it.

    Raises:
        CouponExpired, LimitReached, TooManyLots
    """
    return issue(unit, kind, f"{prefix}:{kind.id}:{number}", reason=reason)


def take_back(unit: Unit, periods: list[dict[str, Any]]) -> list[str]:
    """Take out what is left of the bundles of periods; returns the kinds of the coupons that were never used.

    What was joined with other points, or paid a debt, stays where it is.
    """
    places: list[str] = []
    for period in periods:
        for asset, name in period["lots"]:
            for part in _left(unit, name):
                lots = unit.take([part], unit.instant)
                unit.post(Posting(asset, part.amount, f"customer:{asset}", "program:reversed", lots=lots))
                if asset != "points":
                    kind = terms(unit, asset.partition(":")[2], period["rules"])
                    if part.amount == kind.uses:
                        places.append(give_place_back(unit, kind))
    return places


def _left(unit: Unit, name: str) -> list[Free]:
    if unit.late:
        return unit.timeline.own([name], unit.instant)
    lot = unit.account.lots.get(name)
    return [] if lot is None else [Free(lot, lot.remaining)]
