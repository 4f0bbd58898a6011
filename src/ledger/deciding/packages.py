"""Packages sold, used, refunded. A package is a lot of uses of asset `package:<kind>`, paid for in advance.

Its terms are those of the rules version under which it was sold.
"""

from ledger.deciding.command import Command, Decision
from ledger.deciding.places import where
from ledger.deciding.trade import check_currency
from ledger.deciding.unit import Unit
from ledger.deciding.vouchers import Refusals, check_place, history, put_in, usable
from ledger.instants import parse
from ledger.lots import total
from ledger.records import Posting
from ledger.refusals import (
    PackageExpired,
    PackageKindUnknown,
    PackageNotRefundable,
    PackageNotValidHere,
    PackageNotYetValid,
    PackageUnknown,
    PackageUsedUp,
)
from ledger.rules.coupons import PackageKind
from ledger.vouchers import PACKAGES, Held

NO = Refusals(PackageUnknown, PackageNotYetValid, PackageUsedUp, PackageExpired, PackageUsedUp)


def sold(unit: Unit, command: Command) -> Decision:
    """Sell a package; once per package.

    Raises:
        CurrencyNotAccepted, PackageKindUnknown
        PackageExpired: no package of this kind would be valid any more.
        TooManyLots
    """
    data = command.data
    check_currency(unit, data["currency"])
    kind = unit.rules.document.package_kinds.get(data["kind"])
    if kind is None:
        raise PackageKindUnknown(kind=data["kind"], kinds=sorted(unit.rules.document.package_kinds))
    expires_at = parse(data["valid_until"]) if "valid_until" in data else None
    facts = {"package_id": data["package_id"], "kind": kind.id}
    lot = put_in(unit, kind, data["uses"], reason="sold", expires_at=expires_at, no=NO, facts=facts)
    named = {name: data[name] for name in ("package_id", "kind", "uses", "price", "currency")}
    derived = {"packages": [{**named, "lot": lot}], **where(unit, data)}
    return unit.finish(command, reference=f"package:{data['package_id']}", derived=derived)


def used(unit: Unit, command: Command) -> Decision:
    """Use a package, once or several times at once.

    Raises:
        PackageUnknown: kept until it is sold.
        PackageNotYetValid, PackageExpired, PackageUsedUp, PackageNotValidHere
    """
    data = command.data
    uses = data.get("uses", 1)
    held, taken = usable(unit, PACKAGES, NO, data["package_id"], uses)
    kind = _terms(unit, held)
    derived = where(unit, data)
    check_place(kind.usable_at, data, derived, PackageNotValidHere, {"package_id": held.id, "kind": kind.id})
    lots = unit.take(taken, unit.instant)
    unit.post(Posting(kind.asset, uses, f"customer:{kind.asset}", "program:redeemed", lots=lots))
    derived |= {"kind": kind.id, "package_rules": held.rules}
    return unit.finish(command, reference=f"package_use:{data['use_id']}", derived=derived)


def refunded(unit: Unit, command: Command) -> Decision:
    """Pay back uses that are left, as the rules under which the package was sold have it.

    Raises:
        PackageUnknown: kept until it is sold.
        PackageNotYetValid: it is sold later than that.
        PackageExpired, PackageUsedUp, PackageNotRefundable
    """
    data = command.data
    held, left = usable(unit, PACKAGES, NO, data["package_id"], None)
    uses = data.get("uses", total(left))
    if uses > total(left):
        raise PackageUsedUp(package_id=held.id, kind=held.kind, left=total(left), requested=uses)
    kind = _terms(unit, held)
    price, currency, amount = _refund(unit, kind, held, uses=uses, left=total(left))
    lots = unit.take([left[0]._replace(amount=uses)], unit.instant)
    unit.post(Posting(kind.asset, uses, f"customer:{kind.asset}", "program:reversed", lots=lots))
    derived = {"kind": kind.id, "uses": uses, "price": price, "amount": amount, "currency": currency}
    derived |= {"refund": kind.refund, **where(unit, data)}
    return unit.finish(command, reference=f"package_refund:{data['refund_id']}", derived=derived)


def _terms(unit: Unit, held: Held) -> PackageKind:
    return unit.context.state.rules.numbered(held.rules).document.package_kinds[held.kind]


def _refund(unit: Unit, kind: PackageKind, held: Held, *, uses: int, left: int) -> tuple[int, str, int]:
    """What was paid for the package, in which currency, and the minor units paid back for uses of it.

    `pro_rata` cumulates and rounds down, so refunds in parts never pay back more than one refund would.

    Raises:
        PackageNotRefundable
    """
    named = history(unit, PACKAGES).all[held.id].named
    price, sold_uses = named["price"], named["uses"]
    facts = {"package_id": held.id, "kind": kind.id, "refund": kind.refund}
    if kind.refund == "none":
        raise PackageNotRefundable(**facts)
    before = [
        record.derived or {}
        for record in unit.context.history or ()
        if record.type == "package.refunded" and record.data["package_id"] == held.id
    ]
    refunded_uses = sum(part["uses"] for part in before)
    if kind.refund == "pro_rata":
        paid_back = sum(part["amount"] for part in before)
        return price, named["currency"], price * (refunded_uses + uses) // sold_uses - paid_back
    if uses != left:
        raise PackageNotRefundable(**facts, left=left, requested=uses)
    return price, named["currency"], max(0, price - (sold_uses - left) * (kind.list_price or 0))
