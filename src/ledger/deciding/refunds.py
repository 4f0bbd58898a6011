"""Refunds and returns: which lines they undo, and what those lines earned is taken back.

The earning rule is never run backwards. An earning is due back in the proportion of its base that was refunded, cumulated and
rounded down, so that a full refund in any number of parts takes back exactly what was earned.
"""

from dataclasses import dataclass
from typing import Any

from ledger.deciding.clawback import take, take_back
from ledger.deciding.command import Command, Decision
from ledger.deciding.places import where
from ledger.deciding.tenders import refund_tenders
from ledger.deciding.tiers import count_refund
from ledger.deciding.trade import check_currency, order_reference
from ledger.deciding.unit import Unit
from ledger.errors import LineUnknown, PurchaseUnknown, RefundExceedsPurchase
from ledger.events import milli
from ledger.history import Earning, Line, Order
from ledger.lots import chosen
from ledger.money import split

ASSET = "points"
GROWTH = "growth"


@dataclass(slots=True)
class Undone:
    """What a refund undoes of an order: (line, minor units, thousandths of quantity)."""

    order: Order
    lines: list[tuple[int, int, int]]


def refund(unit: Unit, command: Command) -> Decision:
    """Record a refund: give the tenders paid from lots back to them, and take back what the refunded lines earned.

    Raises:
        PurchaseUnknown: kept until the purchase arrives.
        LineUnknown, RefundExceedsPurchase, RefundExceedsTender
    """
    data = command.data
    reference = order_reference(unit, "purchase", command.source, data, data["order_id"])
    order = unit.timeline.orders.get(reference)
    if order is None:
        raise PurchaseUnknown(waits_for=reference, order_id=data["order_id"])
    undone = Undone(order, _named_lines(order, data) if "lines" in data else _spread(order, data["amount"]))
    for number, amount, quantity in undone.lines:
        order.lines[number].amount_left -= amount
        order.lines[number].quantity_left -= quantity
    back = refund_tenders(unit, command, order, max(unit.instant, order.instant)) if order.paid else []
    undo = _undo(unit, undone) | ({"tenders": back} if back else {})
    derived = {"currency": order.currency, "order": order.named(), "orders": [undo], **where(unit, data)}
    if coupons := [one.pop("coupon") for one in back if "coupon" in one]:
        derived["coupons_back"] = coupons
    derived |= count_refund(unit, [undo], order.currency)
    own = order_reference(unit, "refund", command.source, data, data["refund_id"])
    return unit.finish(command, reference=own, derived=derived)


def returned(unit: Unit, command: Command) -> Decision:
    """Record goods brought back without their order, and take back what the purchases they match earned.

    Each line is matched with the customer's latest purchases of the same sku that have quantity left.

    Raises:
        CurrencyNotAccepted
    """
    data = command.data
    check_currency(unit, data["currency"])
    matched: dict[str, Undone] = {}
    unmatched: list[dict[str, Any]] = []
    for line in data["lines"]:
        left = milli(line["quantity"])
        if data["match"] == "latest":
            left = _match(unit, line["sku"], data["currency"], left, matched)
        if left:
            unmatched.append({"sku": line["sku"], "quantity_thousandths": left})
    if unmatched:
        unit.notes.append({"code": "return_unmatched", "lines": unmatched})
    orders = [_undo(unit, undone) for undone in matched.values()]
    derived = {"orders": orders, **where(unit, data)} | count_refund(unit, orders, data["currency"])
    own = order_reference(unit, "return", command.source, data, data["return_id"])
    return unit.finish(command, reference=own, derived=derived)


def _named_lines(order: Order, data: dict[str, Any]) -> list[tuple[int, int, int]]:
    lines = []
    for asked in data["lines"]:
        line = order.lines.get(asked["line"])
        if line is None or line.number == 0:
            raise LineUnknown(line=asked["line"], lines=[number for number in order.lines if number])
        quantity = milli(asked["quantity"])
        if asked["amount"] > line.amount_left or quantity > line.quantity_left:
            raise RefundExceedsPurchase(
                line=line.number,
                left=line.amount_left,
                requested=asked["amount"],
                quantity_left_thousandths=line.quantity_left,
                quantity_requested_thousandths=quantity,
            )
        lines.append((line.number, asked["amount"], quantity))
    return lines


def _spread(order: Order, amount: int) -> list[tuple[int, int, int]]:
    """A refund that names no lines, spread over what is left of each line's money."""
    left = order.amount_left
    if amount > left:
        raise RefundExceedsPurchase(left=left, requested=amount)
    lines = list(order.lines.values())
    parts = split(amount, [line.amount_left for line in lines])
    return [(line.number, part, _quantity_with(line, part)) for line, part in zip(lines, parts, strict=True) if part]


def _quantity_with(line: Line, amount: int) -> int:
    """Money refunded without goods returns no goods, until all the money is back."""
    return line.quantity_left if amount == line.amount_left else 0


def _match(unit: Unit, sku: str, currency: str, quantity: int, matched: dict[str, Undone]) -> int:
    """Match returned goods with purchases, the latest first; returns the thousandths that found none."""
    candidates = [
        order for order in unit.timeline.orders.values() if order.instant <= unit.instant and order.currency == currency
    ]
    for order in sorted(candidates, key=lambda order: (order.instant, order.version), reverse=True):
        for line in order.lines.values():
            part = min(quantity, line.quantity_left) if line.sku == sku else 0
            if part:
                amount = (
                    line.amount_left if part == line.quantity_left else line.amount_left * part // line.quantity_left
                )
                undone = matched.setdefault(order.reference, Undone(order, []))
                undone.lines.append((line.number, amount, part))
                line.quantity_left -= part
                line.amount_left -= amount
                quantity -= part
        if not quantity:
            break
    return quantity


def _undo(unit: Unit, undone: Undone) -> dict[str, Any]:
    """Take back what the undone lines earned; says for each earning what was due and what became of it."""
    order = undone.order
    clawback = [_claw_back(unit, order, earning) for earning in order.earnings]
    shown = {"order": order.reference, "lines": undone.lines, "clawback": clawback}
    return shown if order.counted_on is None else {**shown, "counts": _counts(unit, undone, clawback)}


def _counts(unit: Unit, undone: Undone, clawback: list[dict[str, Any]]) -> list[Any]:
    """What tiers count less, on the day of the purchase: growth, the order itself once all of it is back, money."""
    order = undone.order
    growth = sum(one["taken"] for one in clawback if unit.timeline.lots[one["lot"]].asset == GROWTH)
    amount = sum(amount for _, amount, _ in undone.lines)
    day = order.counted_on or unit.rules.document.business_day(order.instant)
    return [day, -growth, -1 if amount and not order.amount_left else 0, -amount]


def _claw_back(unit: Unit, order: Order, earning: Earning) -> dict[str, Any]:
    """Take back what is newly due of one earning, as far as the rules let it; see `clawback.take_back`."""
    due = max(
        0, due_of(order, earning) - earning.due
    )  # a correction counts shares of the whole gift, which may round to more
    if unit.timeline.lots[earning.lots[0]].asset == GROWTH:
        return _reduce_growth(unit, order, earning, due, max(unit.instant, order.instant))
    why = {"order": order.named()}
    back = take_back(unit, ASSET, earning.lots, due, opened_at=order.instant, why=why)
    return {"lot": earning.lots[0], **back}


def _reduce_growth(unit: Unit, order: Order, earning: Earning, due: int, at: int) -> dict[str, Any]:
    """Growth goes back from its own lots only: it is never owed, and what a review has deducted is not there to take."""
    parts = chosen(unit.timeline.own(earning.lots, at), due)
    taken = take(unit, GROWTH, parts, at, {"order": order.named()})
    return {"lot": earning.lots[0], "due": due, "taken": taken, "expired": 0, "dropped": due - taken, "debt": 0}


def due_of(order: Order, earning: Earning) -> int:
    """Points of an earning due back so far: its share of the base refunded so far, rounded down."""
    base = sum(earning.bases.values())
    if not base:
        return 0
    refunded = sum(
        share * (line.amount - line.amount_left) // line.amount
        for line, share in ((order.lines[number], share) for number, share in earning.bases.items())
        if line.amount
    )
    return earning.points * refunded // base
