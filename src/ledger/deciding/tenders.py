"""Tenders that are the payment itself: taken from the customer's lots in the purchase's own record, all or none.

A tender without `reference`, of a kind that is held here, pays. A refund gives each back to the lots it came from: what stays
taken is what the amount still paid would have taken, so refunds in any number of parts give back exactly what was taken.
"""

from collections.abc import Callable
from typing import Any

from ledger.deciding.authorising import (
    Charge,
    charge,
    find_authorisation,
    finish_charge,
    finish_charge_back,
    payee,
    payer,
)
from ledger.deciding.command import Command
from ledger.deciding.spending import Taken, find_points, find_stored, give_back, last_consumed_first, shares, take
from ledger.deciding.unit import Unit
from ledger.deciding.using import count_money, find_use, give_use_back, taken_off
from ledger.errors import RefundExceedsTender, TenderNotPayable, TenderNotWholePoints
from ledger.history import Order
from ledger.history_value import Paid
from ledger.lots import total
from ledger.money import split
from ledger.parts.authorising import key_of

Tender = dict[str, Any]
Found = tuple[list[Taken], dict[str, Any]]

COUPON = "coupon"


def pay(unit: Unit, command: Command, derived: dict[str, Any]) -> None:
    """Take what the tenders of a purchase pay, from the customer's own lots or another's.

    Args:
        derived: of the purchase, for where it is; `charged` is added where another's account paid.

    Raises:
        TenderNotPayable, TenderNotWholePoints, InsufficientPoints, InsufficientStoredValue, and what is refused of a coupon or
        of spending for another: nothing is taken.
    """
    data = command.data
    charges: list[Charge] = []
    for number, tender in enumerate(data["tenders"], start=1):
        find = PAYS.get(tender["kind"])
        if find is not None and "reference" not in tender and (tender["amount"] or tender["kind"] == COUPON):
            why = {"tender": number, "kind": tender["kind"], "pays": tender["amount"]}
            if "on_behalf_of" in tender:
                charges.append(_pay_for(unit, tender, data, why, charges))
                continue
            found, evidence = find(unit, tender, data, derived)
            take(unit, found, "program:redeemed", why | evidence)
    if charges and unit.other is not None:
        named = {"order_id": data["order_id"], "order": derived["reference"]}
        derived["charged"] = finish_charge(unit, unit.other, command, charges, named)


def _pay_for(unit: Unit, tender: Tender, data: dict[str, Any], why: dict[str, Any], before: list[Charge]) -> Charge:
    """Take what a tender pays from another customer's account; what counts against the authorisation."""
    owner = payer(unit, tender)
    currency = data["currency"] if tender["kind"] == "stored_value" else None
    entry = find_authorisation(owner, unit.subject, key_of(tender["kind"], currency))
    found, evidence = PAYS[tender["kind"]](owner, tender, data, {})
    charged = charge(entry, sum(total(taken.parts) for taken in found), before)
    take(owner, found, "program:redeemed", {**why, **evidence, "authorisation": entry["in"]})
    return charged


def refund_tenders(unit: Unit, command: Command, order: Order, at: int) -> list[dict[str, Any]]:
    """Give back what a refund owes to the tenders paid from lots; says of each the amount and the lots.

    A coupon's use comes back once all it paid has; that of a gift, which paid nothing, with the last of the order.

    Args:
        order: its lines as they are after the refund.

    Returns:
        One object a tender; `coupon` names a coupon that is open again.

    Raises:
        RefundExceedsTender: nothing is given back.
    """
    data = command.data
    amounts = _named(unit, order, data["tenders"]) if "tenders" in data else _by_rule(unit, order, data["amount"])
    charges: list[Charge] = []
    back = [
        _refund(unit, order, paid, amount, at, charges)
        for paid, amount in zip(order.paid, amounts, strict=True)
        if amount or (not paid.amount and not order.amount_left and not paid.back)
    ]
    if charges:
        finish_charge_back(unit, command, charges, {"refund_id": data["refund_id"], "order": order.reference})
    return back


def _points(unit: Unit, tender: Tender, data: dict[str, Any], _: dict[str, Any]) -> Found:
    document, currency = unit.rules.document, data["currency"]
    setting = document.tenders.points
    points = None
    if setting is not None:
        points = setting.points_for(tender["amount"], currency, document.program.points_scale)
    if setting is None or points is None:
        raise TenderNotPayable(kind="points", currency=currency)
    value = setting.value[currency]
    if points.denominator != 1:
        raise TenderNotWholePoints(amount=tender["amount"], currency=currency, value=value)
    return find_points(unit, points.numerator), {"value": value}


def _stored(unit: Unit, tender: Tender, data: dict[str, Any], _: dict[str, Any]) -> Found:
    taken = find_stored(unit, data["currency"], tender["amount"])
    return taken, {"consumption": unit.rules.document.stored_value.consumption}


def _coupon(unit: Unit, tender: Tender, data: dict[str, Any], derived: dict[str, Any]) -> Found:
    """One use of a coupon, against all of the purchase."""
    found = find_use(unit, tender["coupon_id"], data, derived, uses=1)
    if found.currency not in (None, data["currency"]):
        raise TenderNotPayable(kind=COUPON, currency=data["currency"])
    amount = taken_off(found.kind, spend=data["total"], wanted=tender["amount"])
    count_money(unit, found.kind, amount)
    evidence = {"coupon_id": found.held.id, **found.used(amount)}
    return [Taken(found.kind.asset, found.taken)], {name: said for name, said in evidence.items() if name != "kind"}


PAYS: dict[str, Callable[[Unit, Tender, dict[str, Any], dict[str, Any]], Found]] = {
    "points": _points,
    "stored_value": _stored,
    COUPON: _coupon,
}
"""Kinds of tender that are held here: (unit, tender, the purchase's data and derived) → what pays it, and the evidence."""


def _named(unit: Unit, order: Order, tenders: list[dict[str, Any]]) -> list[int]:
    """How much goes back to each tender paid from lots, where the refund says it by kind."""
    amounts = [0] * len(order.paid)
    for tender in tenders:
        kind, amount = tender["kind"], tender["amount"]
        if kind not in PAYS or "reference" in tender or not amount:
            continue
        of_kind = [place for place, paid in enumerate(order.paid) if paid.kind == kind]
        if not of_kind:
            unit.notes.append({"code": "tender_not_returned", "kind": kind, "amount": amount})
            continue
        left = sum(order.paid[place].money_left - amounts[place] for place in of_kind)
        if amount > left:
            raise RefundExceedsTender(kind=kind, left=left, requested=amount)
        for place in of_kind:
            part = min(amount, order.paid[place].money_left - amounts[place])
            amounts[place] += part
            amount -= part
    return amounts


def _by_rule(unit: Unit, order: Order, amount: int) -> list[int]:
    """How much goes back to each tender paid from lots, where the refund does not say; the rest is money of the till's."""
    left = [paid.money_left for paid in order.paid]
    others = max(0, order.amount_left + amount - sum(left))
    setting = unit.rules.document.tenders.refund
    if setting == "proportional":
        amount = min(amount, sum(left) + others)
        return split(amount, [*left, others])[:-1] if amount else [0] * len(left)
    if setting == "ledger_last":
        amount = max(0, amount - others)
    amounts = []
    for part in left:
        amounts.append(min(part, amount))
        amount -= amounts[-1]
    return amounts


def _refund(unit: Unit, order: Order, paid: Paid, amount: int, at: int, charges: list[Charge]) -> dict[str, Any]:
    to = payee(unit, paid.owner) if paid.owner else unit
    paid.refunded += amount
    taken = {asset: sum(lot[1] for lot in lots) for asset, lots in paid.taken.items()}
    shown: dict[str, Any] = {"tender": paid.number, "amount": amount}
    back: list[tuple[str, int]] = []
    why = {"order": order.named(), "tender": paid.number}
    for asset, keeps in zip(taken, _kept(paid, list(taken.values())), strict=True):
        left = paid.left(asset)
        parts = last_consumed_first(left, sum(part for _, part in left) - keeps)
        if parts and paid.coupon:
            restored = give_use_back(unit, paid.coupon, tuple(parts), amount=paid.amount, at=at, why=why)
            shown |= {"coupon": restored} if restored else {}
        elif parts:
            give_back(to, asset, parts, at, why)
        back += parts
    if back and paid.owner:
        asset = key_of("stored_value", order.currency) if paid.kind == "stored_value" else paid.kind
        given = sum(part for _, part in back)
        charges.append({"asset": asset, "amount": given, "authorisation": paid.authorisation})
    return {**shown, "back": back}


def _kept(paid: Paid, taken: list[int]) -> list[int]:
    """What stays taken of each asset: what the money still paid would have taken, rounded up."""
    kept = -(-sum(taken) * paid.money_left // paid.amount) if paid.amount else 0
    if paid.kind != "stored_value" or len(taken) == 1:
        return [kept]
    return list(shares(paid.consumption, kept, *taken))
