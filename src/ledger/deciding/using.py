"""A use of a coupon, whatever takes it: a redemption, a tender of a purchase, a hold; and the way back.

What a use takes off is counted towards the kind's budget in the same append, and given back with the use.
"""

from typing import Any, NamedTuple

from ledger.deciding.unit import Unit
from ledger.deciding.vouchers import Refusals, check_place, history, usable
from ledger.instants import DAY, show
from ledger.lots import Free, total
from ledger.records import Lot, Posting
from ledger.refusals import (
    CouponExpired,
    CouponNotValidHere,
    CouponNotYetValid,
    CouponUnknown,
    CouponUsed,
    CouponVoided,
    CouponWorthExceeded,
    MinimumSpendNotMet,
)
from ledger.rules.coupons import CouponKind, Gift, PercentageOff
from ledger.vouchers import COUPONS, Held

NO = Refusals(CouponUnknown, CouponNotYetValid, CouponVoided, CouponExpired, CouponUsed)


class Found(NamedTuple):
    """A coupon that may be used: its terms, and what to take of its lots."""

    held: Held
    kind: CouponKind
    taken: list[Free]

    @property
    def currency(self) -> str | None:
        """Of what it takes off; None where it is a gift."""
        return None if isinstance(self.kind.value, Gift) else self.kind.value.currency

    def used(self, amount: int) -> dict[str, Any]:
        """How a record says what was used: the kind, the rules of its terms, what it took off and who bears it."""
        shown: dict[str, Any] = {"kind": self.kind.id, "coupon_rules": self.held.rules}
        if self.currency is None:
            return shown
        return {**shown, "amount": amount, "currency": self.currency, "bearers": self.kind.borne(amount)}


def find_use(unit: Unit, coupon_id: str, data: dict[str, Any], derived: dict[str, Any], *, uses: int | None) -> Found:
    """The coupon to use where the event happens.

    Args:
        data, derived: of the event, for its place.
        uses: how many; None = all that are left.

    Raises:
        CouponUnknown: kept until it is issued.
        CouponHeld, CouponNotYetValid, CouponVoided, CouponExpired, CouponUsed, CouponNotValidHere
    """
    held, taken = usable(unit, COUPONS, NO, coupon_id, uses)
    kind = terms(unit, held.kind, held.rules)
    if uses is None and (begins := max(part.lot.available_at for part in taken)) > unit.instant:
        raise CouponNotYetValid(coupon_id=coupon_id, kind=kind.id, valid_from=show(begins))
    check_place(kind.usable_at, data, derived, CouponNotValidHere, {"coupon_id": held.id, "kind": kind.id})
    return Found(held, kind, taken)


def taken_off(kind: CouponKind, *, spend: int | None, wanted: int | None) -> int:
    """What a use takes off in minor units: as wanted, or all it is worth.

    Args:
        spend: what is bought, None where it is not known.

    Raises:
        MinimumSpendNotMet, CouponWorthExceeded
    """
    value = kind.value
    asks = kind.minimum_spend or isinstance(value, PercentageOff)
    if (spend is None and asks) or (spend is not None and spend < kind.minimum_spend):
        raise MinimumSpendNotMet(kind=kind.id, minimum_spend=kind.minimum_spend, spend=spend)
    worth = 0 if isinstance(value, Gift) else value.worth(spend)
    amount = worth if wanted is None else wanted
    if amount > worth:
        raise CouponWorthExceeded(kind=kind.id, worth=worth, requested=amount)
    return amount


def take_use(unit: Unit, found: Found, amount: int, why: dict[str, Any] | None = None) -> None:
    """Post a use, and count what it takes off."""
    asset = found.kind.asset
    lots = unit.take(found.taken, unit.instant)
    unit.post(Posting(asset, total(found.taken), f"customer:{asset}", "program:redeemed", lots=lots, why=why))
    count_money(unit, found.kind, amount)


def give_use_back(
    unit: Unit, coupon_id: str, lots: tuple[tuple[str, int], ...], *, amount: int, at: int, why: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Give a use back: its lot reopens with its old end; past that the rules say for how long, if at all.

    Args:
        lots: those it was taken from.

    Returns:
        How `derived` names the coupon that is open again; None where it is not, and the note that says so is added.
    """
    coupon = history(unit, COUPONS).all[coupon_id]
    kind = terms(unit, coupon.held.kind, coupon.held.rules)
    count_money(unit, kind, -amount)
    if coupon.voided_at is not None:
        unit.notes.append({"code": "coupon_voided", "kind": kind.id, "voided_at": show(coupon.voided_at)})
        return None
    lot = _reopen(unit, kind, lots, at, why)
    return None if lot is None else {**coupon.named, "rules": coupon.held.rules, "lot": lot.id}


def terms(unit: Unit, kind: str, rules: int) -> CouponKind:
    """A kind as the rules version that issued the coupon has it."""
    return unit.context.state.rules.numbered(rules).document.coupon_kinds[kind]


def caps(unit: Unit, kind: CouponKind) -> Any:
    """The caps of a kind as the rules have them now."""
    return unit.rules.document.coupon_kinds.get(kind.id, kind).caps


def named(unit: Unit, held: Held) -> dict[str, Any]:
    """How a record names a coupon, so that its entry can be made again: as its first did, with the rules of its terms."""
    entry = unit.account.parts.get(COUPONS.made, {"open": {}})["open"].get(held.id)
    first = entry if entry is not None else history(unit, COUPONS).all[held.id].named
    codes = {name: first[name] for name in ("code", "campaign") if name in first}
    return {"coupon_id": held.id, "rules": held.rules, **codes}


def count_money(unit: Unit, kind: CouponKind, amount: int) -> None:
    """Add what uses take off to what all have taken off."""
    if amount:
        unit.counters.append((money_counter(kind), amount, caps(unit, kind).budget))


def money_counter(kind: CouponKind) -> str:
    """The counter that holds what the coupons of a kind have taken off."""
    return f"{kind.asset}:budget"


def _reopen(
    unit: Unit, kind: CouponKind, lots: tuple[tuple[str, int], ...], at: int, why: dict[str, Any] | None
) -> Lot | None:
    """Reopen the lot a use took from, or open one for a while; None where it is too late."""
    lot = unit.timeline.lots[lots[0][0]]
    moved_at = None if at == unit.instant else at
    to = f"customer:{kind.asset}"
    if lot.expires_at > at:
        restored = lot._replace(remaining=0)
        back = Posting(kind.asset, 1, "program:redeemed", to, lots=lots, at=moved_at, why=why, restores=(restored,))
        unit.post(back)
        return lot
    if not kind.return_days:
        unit.notes.append({"code": "coupon_lapsed", "kind": kind.id, "expired_at": show(lot.expires_at)})
        return None
    opened = Posting(
        kind.asset,
        1,
        "program:redeemed",
        to,
        lot="",
        at=moved_at,
        granted_at=lot.granted_at,
        expires_at=at + kind.return_days * DAY,
        reason=lot.reason,
        why={"lot": lot.id, "return_days": kind.return_days, **(why or {})},
    )
    return lot._replace(id=unit.post(opened))
