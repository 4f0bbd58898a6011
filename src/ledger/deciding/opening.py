"""What a customer brings from another system besides lots: a tier, coupons, a membership; and that each is taken over once."""

from typing import Any

from ledger.deciding.membership import take_over
from ledger.deciding.tiers import check_tier
from ledger.deciding.trade import check_currency
from ledger.deciding.unit import Unit
from ledger.deciding.using import NO
from ledger.deciding.vouchers import history
from ledger.instants import parse, show
from ledger.parts.openings import NAME, ONCE
from ledger.records import Posting
from ledger.refusals import AlreadyLive, AlreadyTakenOver, CouponKindUnknown, CouponUsesExceeded
from ledger.vouchers import COUPONS

STORED = "stored."


def check_opening(unit: Unit, data: dict[str, Any]) -> None:
    """Refuse what was taken over already, and what the program does not know.

    Raises:
        AlreadyLive: of the same system, at another cut-over.
        AlreadyTakenOver: a part of that system brought it.
        CurrencyNotAccepted, TierUnknown
    """
    system = data["system"]
    known = unit.account.parts.get(NAME, {}).get(system)
    if known is not None:
        if known["cutover_at"] != parse(data["cutover_at"]):
            raise AlreadyLive(system=system, cutover_at=show(known["cutover_at"]))
        again = [block for block in ONCE if block in data and block in known["has"]]
        if again:
            raise AlreadyTakenOver(system=system, what=again[0])
    for lot in data["lots"]:
        if lot["asset"].startswith(STORED):
            check_currency(unit, lot["asset"].rpartition(":")[2])
    if "tier" in data:
        check_tier(unit, data["tier"]["tier"])


def open_coupons(unit: Unit, data: dict[str, Any]) -> list[dict[str, Any]]:
    """Post the lots of the coupons that are left; returns how the record's `derived` names them under `coupons`.

    A coupon is called `opening:<system>:<coupon_id>` from now on, so no later one can take its name. It counts towards the caps
    of its kind, which never refuse it: it was promised before.

    Raises:
        AlreadyTakenOver, CouponKindUnknown, CouponUsesExceeded, CouponExpired
    """
    coupons, system = data.get("coupons", ()), data["system"]
    known = history(unit, COUPONS).all if coupons and system in unit.account.parts.get(NAME, {}) else {}
    return [_open_coupon(unit, coupon, system, f"opening:{system}:{coupon['coupon_id']}", known) for coupon in coupons]


def open_membership(unit: Unit, data: dict[str, Any]) -> dict[str, Any]:
    """What `derived` says of the membership that is taken over; nothing where there is none."""
    return {"membership": take_over(unit, data["membership"])} if "membership" in data else {}


def _open_coupon(unit: Unit, coupon: dict[str, Any], system: str, name: str, known: dict[str, Any]) -> dict[str, Any]:
    if name in known:
        raise AlreadyTakenOver(system=system, what="coupon", coupon_id=coupon["coupon_id"])
    kind = unit.rules.document.coupon_kinds.get(coupon["kind"])
    if kind is None:
        raise CouponKindUnknown(kind=coupon["kind"], kinds=sorted(unit.rules.document.coupon_kinds))
    uses = coupon.get("uses", kind.uses)
    if uses > kind.uses:
        raise CouponUsesExceeded(coupon_id=coupon["coupon_id"], kind=kind.id, uses=kind.uses, requested=uses)
    issued_at, begins_at = parse(coupon["issued_at"]), kind.validity.begins_at()
    if "expires_at" in coupon:
        expires_at = parse(coupon["expires_at"])
    else:
        expires_at = kind.validity.ends_at(issued_at, unit.rules.document.zone)
    if expires_at <= unit.instant:
        raise NO.expired(coupon_id=coupon["coupon_id"], kind=kind.id, expired_at=show(expires_at))
    lot = unit.post(
        Posting(
            kind.asset,
            uses,
            f"program:opening:{system}",
            f"customer:{kind.asset}",
            lot="",
            available_at=begins_at if begins_at > unit.instant else None,
            granted_at=issued_at,
            expires_at=expires_at,
        )
    )
    unit.counters.append((f"{kind.asset}:total", 1, None))
    named = {"coupon_id": name, "kind": kind.id, "lot": lot}
    return named | {key: coupon[key] for key in ("code", "campaign") if key in coupon}
