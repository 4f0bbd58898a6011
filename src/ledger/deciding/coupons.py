"""Coupons issued, used, given back, taken out of use. A coupon is a lot of uses of asset `coupon:<kind>`.

Its terms are those of the rules version that issued it; how many there may be is what the rules say today.
"""

from typing import Any

from ledger.deciding.command import Command, Decision
from ledger.deciding.places import where
from ledger.deciding.tiers import tier_at_event
from ledger.deciding.trade import order_reference
from ledger.deciding.unit import Unit
from ledger.deciding.vouchers import Refusals, check_place, history, put_in, usable
from ledger.errors import LimitReached, ReversalBeforeRedemption, ReversalExceedsRedemption
from ledger.instants import DAY, parse, show
from ledger.lots import total
from ledger.records import Lot, Posting
from ledger.refusals import (
    CouponExpired,
    CouponKindUnknown,
    CouponNotForCampaign,
    CouponNotForTier,
    CouponNotValidHere,
    CouponNotYetValid,
    CouponRedemptionUnknown,
    CouponUnknown,
    CouponUsed,
    CouponVoided,
    CouponWorthExceeded,
    MinimumSpendNotMet,
)
from ledger.rules.coupons import CouponKind, Gift, PercentageOff
from ledger.vouchers import COUPONS, Use, Voucher

NO = Refusals(CouponUnknown, CouponNotYetValid, CouponVoided, CouponExpired, CouponUsed)


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
    if kind.campaigns and data.get("campaign") not in kind.campaigns:
        raise CouponNotForCampaign(kind=kind.id, campaign=data.get("campaign"), campaigns=list(kind.campaigns))
    if kind.tiers and (tier := tier_at_event(unit)) not in kind.tiers:
        raise CouponNotForTier(kind=kind.id, tier=tier, tiers=list(kind.tiers))
    expires_at = parse(data["expires_at"]) if "expires_at" in data else None
    named = issue(unit, kind, data["coupon_id"], reason=data.get("reason", "campaign"), expires_at=expires_at)
    named |= {key: data[key] for key in ("code", "campaign") if key in data}
    derived = {"coupons": [named], **where(unit, data)}
    return unit.finish(command, reference=f"coupon:{data['coupon_id']}", derived=derived)


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
        CouponNotYetValid, CouponVoided, CouponExpired, CouponUsed
        CouponNotValidHere, MinimumSpendNotMet, CouponWorthExceeded
    """
    data = command.data
    held, taken = usable(unit, COUPONS, NO, data["coupon_id"], 1)
    kind = terms(unit, held.kind, held.rules)
    derived = where(unit, data)
    check_place(kind.usable_at, data, derived, CouponNotValidHere, {"coupon_id": held.id, "kind": kind.id})
    amount = _amount(unit, command, kind)
    unit.post(Posting(kind.asset, 1, f"customer:{kind.asset}", "program:redeemed", lots=unit.take(taken, unit.instant)))
    derived |= {"kind": kind.id, "coupon_rules": held.rules}
    if not isinstance(kind.value, Gift):
        derived |= {"amount": amount, "currency": kind.value.currency, "bearers": kind.borne(amount)}
        _count_money(unit, kind, amount)
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
    kind = terms(unit, coupon.held.kind, coupon.held.rules)
    lot = _give_back(unit, kind, use)
    _count_money(unit, kind, -use.amount)
    derived = {"redemption_version": use.version, "amount": use.amount, "restored": _restored(coupon, lot)}
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
    unit.counters.append((f"{kind.asset}:total", -1, _caps(unit, kind).total))
    return kind.id


def terms(unit: Unit, kind: str, rules: int) -> CouponKind:
    """A kind as the rules version that issued the coupon has it."""
    return unit.context.state.rules.versions[rules - 1].document.coupon_kinds[kind]


def _caps(unit: Unit, kind: CouponKind) -> Any:
    """The caps of a kind as the rules have them now."""
    return unit.rules.document.coupon_kinds.get(kind.id, kind).caps


def _check_room(unit: Unit, kind: CouponKind) -> None:
    """Refuse what would be one coupon more than the customer may have, with those of this unit."""
    made = unit.account.parts.get("coupons", {"made": {}})["made"].get(kind.id, 0)
    made += sum(posting.asset == kind.asset and posting.lot is not None for posting in unit.postings)
    most = kind.caps.per_customer
    if most is not None and made > most:
        raise LimitReached(counter=f"{kind.asset}:per_customer", used=made - 1, limit=most)


def _amount(unit: Unit, command: Command, kind: CouponKind) -> int:
    """What the use took off in minor units: as sent, or all it is worth."""
    data, value = command.data, kind.value
    spend = data.get("spend")
    if spend is None and not isinstance(value, Gift) and (kind.minimum_spend or isinstance(value, PercentageOff)):
        spend = _spend_of_order(unit, command, value.currency)
        if spend is None:
            raise MinimumSpendNotMet(kind=kind.id, minimum_spend=kind.minimum_spend, spend=None)
    if spend is not None and spend < kind.minimum_spend:
        raise MinimumSpendNotMet(kind=kind.id, minimum_spend=kind.minimum_spend, spend=spend)
    worth = 0 if isinstance(value, Gift) else value.worth(spend)
    amount: int = data.get("amount", worth)
    if amount > worth:
        raise CouponWorthExceeded(kind=kind.id, worth=worth, requested=amount)
    return amount


def _spend_of_order(unit: Unit, command: Command, currency: str) -> int | None:
    """What is left of the order the use names, where it is recorded already and of that currency."""
    data = command.data
    if "order_id" not in data:
        return None
    reference = order_reference(unit, "purchase", command.source, data, data["order_id"])
    order = unit.timeline.orders.get(reference)
    return order.amount_left if order is not None and order.currency == currency else None


def _count_money(unit: Unit, kind: CouponKind, amount: int) -> None:
    if amount:
        unit.counters.append((f"{kind.asset}:budget", amount, _caps(unit, kind).budget))


def _give_back(unit: Unit, kind: CouponKind, use: Use) -> Lot | None:
    """Reopen the lot a use took from, or open one for a while; None where it is too late."""
    lot = unit.timeline.lots[use.lots[0][0]]
    if lot.expires_at > unit.instant:
        restored = lot._replace(remaining=0)
        back = Posting(kind.asset, 1, "program:redeemed", f"customer:{kind.asset}", lots=use.lots, restores=(restored,))
        unit.post(back)
        return lot
    if not kind.return_days:
        unit.notes.append({"code": "coupon_lapsed", "kind": kind.id, "expired_at": show(lot.expires_at)})
        return None
    opened = unit.post(
        Posting(
            kind.asset,
            1,
            "program:redeemed",
            f"customer:{kind.asset}",
            lot="",
            granted_at=lot.granted_at,
            expires_at=unit.instant + kind.return_days * DAY,
            reason=lot.reason,
            why={"lot": lot.id, "return_days": kind.return_days},
        )
    )
    return lot._replace(id=opened)


def _restored(coupon: Voucher, lot: Lot | None) -> dict[str, Any] | None:
    """How `derived` names the coupon that is open again."""
    if lot is None:
        return None
    return {**coupon.named, "rules": coupon.held.rules, "lot": lot.id}
