"""Coupons issued, used, given back, taken out of use. A coupon is a lot of uses of asset `coupon:<kind>`.

Its terms are those of the rules version that issued it; how many there may be is what the rules say today.
"""

from typing import Any

from ledger.deciding.command import Command, Decision
from ledger.deciding.places import where
from ledger.deciding.tiers import tier_at_event
from ledger.deciding.trade import order_reference
from ledger.deciding.unit import Unit
from ledger.deciding.using import NO, caps, find_use, give_use_back, take_use, taken_off, terms
from ledger.deciding.vouchers import history, put_in, usable
from ledger.errors import LimitReached, ReversalBeforeRedemption, ReversalExceedsRedemption
from ledger.instants import parse, show
from ledger.lots import total
from ledger.records import Posting
from ledger.refusals import (
    CouponKindUnknown,
    CouponNotForCampaign,
    CouponNotForTier,
    CouponRedemptionUnknown,
    CouponVoided,
)
from ledger.rules.coupons import CouponKind, PercentageOff
from ledger.vouchers import COUPONS


def issued(unit: Unit, command: Command) -> Decision:
    """Give a customer a coupon; once per coupon.

    Raises:
        CouponKindUnknown, CouponNotForCampaign, CouponNotForTier
        CouponExpired: no coupon of this kind would be valid any more.
        LimitReached: the customer has had as many as the rules allow; the append says the same of all customers together.
        TooManyLots
    """
    data = command.data
    kind = unit.rules.document.coupon_kinds.get(data["kind"])
    if kind is None:
        raise CouponKindUnknown(kind=data["kind"], kinds=sorted(unit.rules.document.coupon_kinds))
    check_issue(unit, kind, data.get("campaign"))
    expires_at = parse(data["expires_at"]) if "expires_at" in data else None
    named = issue(unit, kind, data["coupon_id"], reason=data.get("reason", "campaign"), expires_at=expires_at)
    named |= {key: data[key] for key in ("code", "campaign") if key in data}
    derived = {"coupons": [named], **where(unit, data)}
    return unit.finish(command, reference=f"coupon:{data['coupon_id']}", derived=derived)


def check_issue(unit: Unit, kind: CouponKind, campaign: str | None) -> None:
    """Refuse a coupon that is not for the campaign, or for the customer's tier.

    Raises:
        CouponNotForCampaign, CouponNotForTier
    """
    if kind.campaigns and campaign not in kind.campaigns:
        raise CouponNotForCampaign(kind=kind.id, campaign=campaign, campaigns=list(kind.campaigns))
    if kind.tiers and (tier := tier_at_event(unit)) not in kind.tiers:
        raise CouponNotForTier(kind=kind.id, tier=tier, tiers=list(kind.tiers))


def issue(
    unit: Unit, kind: CouponKind, coupon_id: str, *, reason: str, expires_at: int | None = None
) -> dict[str, str]:
    """Post a coupon's lot and count it; returns how the record's `derived` names it under `coupons`.

    Args:
        expires_at: an end before the one the rules give.

    Raises:
        CouponExpired, LimitReached, TooManyLots
    """
    facts = {"coupon_id": coupon_id, "kind": kind.id}
    lot = put_in(unit, kind, kind.uses, reason=reason, expires_at=expires_at, no=NO, facts=facts)
    _check_room(unit, kind)
    unit.counters.append((f"{kind.asset}:total", 1, kind.caps.total))
    return {"coupon_id": coupon_id, "kind": kind.id, "lot": lot}


def redeemed(unit: Unit, command: Command) -> Decision:
    """Use a coupon once.

    Raises:
        CouponUnknown: kept until it is issued.
        CouponHeld, CouponNotYetValid, CouponVoided, CouponExpired, CouponUsed
        CouponNotValidHere, MinimumSpendNotMet, CouponWorthExceeded
    """
    data = command.data
    derived = where(unit, data)
    found = find_use(unit, data["coupon_id"], data, derived, uses=1)
    spend = data.get("spend")
    asks = found.kind.minimum_spend or isinstance(found.kind.value, PercentageOff)
    if spend is None and found.currency is not None and asks:
        spend = _spend_of_order(unit, command, found.currency)
    amount = taken_off(found.kind, spend=spend, wanted=data.get("amount"))
    take_use(unit, found, amount)
    derived |= found.used(amount)
    return unit.finish(command, reference=f"coupon_redemption:{data['redemption_id']}", derived=derived)


def returned(unit: Unit, command: Command) -> Decision:
    """Give a use back, once: its lot reopens with its old end; past that the rules say for how long, if at all.

    Raises:
        CouponRedemptionUnknown: kept until the use is recorded.
        ReversalBeforeRedemption, ReversalExceedsRedemption, CouponVoided
    """
    redemption_id = command.data["redemption_id"]
    vouchers = history(unit, COUPONS)
    use = vouchers.uses.get(redemption_id)
    if use is None:
        raise CouponRedemptionUnknown(waits_for=f"coupon_redemption:{redemption_id}", redemption_id=redemption_id)
    if unit.instant < use.instant:
        raise ReversalBeforeRedemption(redemption_id=redemption_id)
    if use.returned:
        raise ReversalExceedsRedemption(left=0, requested=1)
    coupon = vouchers.all[use.voucher]
    if coupon.voided_at is not None:
        raise CouponVoided(coupon_id=use.voucher, kind=coupon.held.kind, voided_at=show(coupon.voided_at))
    restored = give_use_back(unit, use.voucher, use.lots, amount=use.amount, at=unit.instant, why=None)
    derived = {"redemption_version": use.version, "amount": use.amount, "restored": restored}
    return unit.finish(command, reference=f"coupon_return:{redemption_id}", derived=derived)


def voided(unit: Unit, command: Command) -> Decision:
    """Take out of use what is left of a coupon; one never used gives its place back.

    Raises:
        CouponUnknown: kept until it is issued.
        CouponNotYetValid: it is issued later than that.
        CouponVoided, CouponExpired, CouponUsed
    """
    coupon_id = command.data["coupon_id"]
    held, taken = usable(unit, COUPONS, NO, coupon_id, None)
    kind = terms(unit, held.kind, held.rules)
    uses = total(taken)
    lots = unit.take(taken, unit.instant)
    unit.post(Posting(kind.asset, uses, f"customer:{kind.asset}", "program:reversed", lots=lots))
    derived: dict[str, Any] = {"kind": kind.id}
    if uses == kind.uses:
        derived["places_back"] = [give_place_back(unit, kind)]
    return unit.finish(command, reference=f"coupon_void:{coupon_id}", derived=derived)


def give_place_back(unit: Unit, kind: CouponKind) -> str:
    """Count a coupon no more that was never used; returns what `derived` names under `places_back`."""
    unit.counters.append((f"{kind.asset}:total", -1, caps(unit, kind).total))
    return kind.id


def _check_room(unit: Unit, kind: CouponKind) -> None:
    """Refuse what would be one coupon more than the customer may have, with those of this unit."""
    made = unit.account.parts.get("coupons", {"made": {}})["made"].get(kind.id, 0)
    made += sum(posting.asset == kind.asset and posting.lot is not None for posting in unit.postings)
    most = kind.caps.per_customer
    if most is not None and made > most:
        raise LimitReached(counter=f"{kind.asset}:per_customer", used=made - 1, limit=most)


def _spend_of_order(unit: Unit, command: Command, currency: str) -> int | None:
    """What is left of the order the use names, where it is recorded already and of that currency."""
    data = command.data
    if "order_id" not in data:
        return None
    reference = order_reference(unit, "purchase", command.source, data, data["order_id"])
    order = unit.timeline.orders.get(reference)
    return order.amount_left if order is not None and order.currency == currency else None
