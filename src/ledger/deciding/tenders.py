"""Tenders that are the payment itself: taken from the customer's lots in the purchase's own record, all or none.

A tender without `reference`, of a kind that is held here, pays. A refund gives each back to the lots it came from: what stays
taken is what the amount still paid would have taken, so refunds in any number of parts give back exactly what was taken.
"""

from collections.abc import Callable
from typing import Any

from ledger.deciding.spending import Taken, find_points, find_stored, give_back, last_consumed_first, shares, take
from ledger.deciding.unit import Unit
from ledger.errors import RefundExceedsTender, TenderNotPayable, TenderNotWholePoints
from ledger.history import Order
from ledger.history_value import Paid
from ledger.money import split

Found = tuple[list[Taken], dict[str, Any]]


def pay(unit: Unit, data: dict[str, Any]) -> None:
    """Take what the tenders of a purchase pay.

    Raises:
        TenderNotPayable, TenderNotWholePoints, InsufficientPoints, InsufficientStoredValue: nothing is taken.
    """
    for number, tender in enumerate(data["tenders"], start=1):
        find = PAYS.get(tender["kind"])
        if find is not None and "reference" not in tender and tender["amount"]:
            found, evidence = find(unit, tender["amount"], data["currency"])
            why = {"tender": number, "kind": tender["kind"], "pays": tender["amount"], **evidence}
            take(unit, found, "program:redeemed", why)


def refund_tenders(unit: Unit, order: Order, data: dict[str, Any], at: int) -> list[dict[str, Any]]:
    """Give back what a refund owes to the tenders paid from lots; says of each the amount and the lots.

    Args:
        order: its lines as they are after the refund.

    Raises:
        RefundExceedsTender: nothing is given back.
    """
    amounts = _named(unit, order, data["tenders"]) if "tenders" in data else _by_rule(unit, order, data["amount"])
    return [_refund(unit, order, paid, amount, at) for paid, amount in zip(order.paid, amounts, strict=True) if amount]


def _points(unit: Unit, amount: int, currency: str) -> Found:
    document = unit.rules.document
    setting = document.tenders.points
    points = None if setting is None else setting.points_for(amount, currency, document.program.points_scale)
    if setting is None or points is None:
        raise TenderNotPayable(kind="points", currency=currency)
    value = setting.value[currency]
    if points.denominator != 1:
        raise TenderNotWholePoints(amount=amount, currency=currency, value=value)
    return find_points(unit, points.numerator), {"value": value}


def _stored(unit: Unit, amount: int, currency: str) -> Found:
    return find_stored(unit, currency, amount), {"consumption": unit.rules.document.stored_value.consumption}


PAYS: dict[str, Callable[[Unit, int, str], Found]] = {"points": _points, "stored_value": _stored}
"""Kinds of tender that are held here: (unit, minor units, currency) → what pays them, and the evidence."""


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


def _refund(unit: Unit, order: Order, paid: Paid, amount: int, at: int) -> dict[str, Any]:
    paid.refunded += amount
    taken = {asset: sum(lot[1] for lot in lots) for asset, lots in paid.taken.items()}
    back = []
    for asset, keeps in zip(taken, _kept(paid, list(taken.values())), strict=True):
        left = paid.left(asset)
        parts = last_consumed_first(left, sum(part for _, part in left) - keeps)
        if parts:
            why = {"order": order.named(), "tender": paid.number}
            give_back(unit, asset, parts, at, why)
            back += parts
    return {"tender": paid.number, "amount": amount, "back": back}


def _kept(paid: Paid, taken: list[int]) -> list[int]:
    """What stays taken of each asset: what the money still paid would have taken, rounded up."""
    kept = -(-sum(taken) * paid.money_left // paid.amount)
    if paid.kind != "stored_value" or len(taken) == 1:
        return [kept]
    return list(shares(paid.consumption, kept, *taken))
