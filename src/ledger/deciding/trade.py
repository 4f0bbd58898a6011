"""Purchases and deliveries: what they earn, and when it may be spent."""

from typing import Any

from ledger.deciding.command import Command, Decision
from ledger.deciding.earning import earn_for_purchase
from ledger.deciding.places import where
from ledger.deciding.referral import look_at_referrer
from ledger.deciding.standing import may_earn
from ledger.deciding.tenders import pay
from ledger.deciding.tiers import count_purchase, tier_at_event
from ledger.deciding.unit import Unit
from ledger.errors import CurrencyNotAccepted, LineUnknown, PurchaseUnknown
from ledger.events import milli
from ledger.history import Earning, Order
from ledger.instants import DAY, NEVER
from ledger.lots import chosen, total
from ledger.records import Posting


def order_reference(unit: Unit, kind: str, source: str, data: dict[str, Any], number: str) -> str:
    """The business key of a purchase, refund or return: `purchase:<scope>:<order_id>`.

    The scope is within what order numbers are unique: the program, the source or the store (fixed when the program is created).
    """
    scope_kind = unit.rules.document.program.order_scope
    if scope_kind == "program":
        scope = unit.context.program
    elif scope_kind == "source":
        scope = source
    else:
        scope = data.get("place", {}).get("store", "")
    return f"{kind}:{scope}:{number}"


def check_currency(unit: Unit, currency: str) -> None:
    """Refuse a currency the program does not take.

    Raises:
        CurrencyNotAccepted
    """
    accepted = unit.rules.document.program.currencies
    if accepted and currency not in accepted:
        raise CurrencyNotAccepted(currency=currency, accepted=list(accepted))


def purchase(unit: Unit, command: Command) -> Decision:
    """Record a purchase with what its tenders take from the customer's lots, and what it earns.

    Raises:
        CurrencyNotAccepted, TenderNotPayable, TenderNotWholePoints, InsufficientPoints, InsufficientStoredValue, and what is
        refused of a coupon that pays or of paying for another.
    """
    data = command.data
    check_currency(unit, data["currency"])
    reference = order_reference(unit, "purchase", command.source, data, data["order_id"])
    derived = {"reference": reference, **where(unit, data)}
    if "tenders" in data:
        pay(unit, command, derived)
    look_at_referrer(unit, command)
    tier = tier_at_event(unit)
    if may_earn(unit):
        earn_for_purchase(unit, data, derived["business_day"], tier=tier)
    derived |= count_purchase(unit, data, tier)
    return unit.finish(command, reference=reference, derived=derived)


def delivered(unit: Unit, command: Command) -> Decision:
    """Record a delivery; points that waited for it become available, `days` later where the rules say so.

    Raises:
        PurchaseUnknown: kept until the purchase arrives.
        LineUnknown
    """
    data = command.data
    reference = order_reference(unit, "purchase", command.source, data, data["order_id"])
    order = unit.timeline.orders.get(reference)
    if order is None:
        raise PurchaseUnknown(waits_for=reference, order_id=data["order_id"])
    lines = _delivered_lines(order, data)
    for number, quantity in lines:
        order.lines[number].quantity_delivered += quantity
    moved = [_make_available(unit, order, earning) for earning in order.earnings]
    unit.join_lots("points")
    derived = {"reference": reference, "order": order.named(), "lines": lines, "moved": moved, **where(unit, data)}
    return unit.finish(command, reference=None, derived=derived)


def _delivered_lines(order: Order, data: dict[str, Any]) -> list[tuple[int, int]]:
    """Line numbers with the thousandths newly delivered, never more than were bought."""
    wanted = [(line["line"], milli(line["quantity"])) for line in data["lines"]] if "lines" in data else None
    if wanted is None:
        return [
            (line.number, line.quantity - line.quantity_delivered)
            for line in order.lines.values()
            if line.quantity > line.quantity_delivered
        ]
    for number, _ in wanted:
        if number not in order.lines:
            raise LineUnknown(line=number, lines=list(order.lines))
    return [
        (number, min(quantity, order.lines[number].quantity - order.lines[number].quantity_delivered))
        for number, quantity in wanted
    ]


def _make_available(unit: Unit, order: Order, earning: Earning) -> int:
    """Move the delivered share of an earning that waits into a lot with an `available_at`; returns the points so settled."""
    lot = unit.timeline.lots[earning.lots[0]]
    if lot.available_at != NEVER:
        return 0
    settled = delivered_share(order, earning) - earning.moved
    at = max(unit.instant, unit.timeline.courses[lot.id].opened_at)
    parts = chosen(unit.timeline.own([lot.id], at), settled)
    if parts:
        unit.post(
            Posting(
                lot.asset,
                total(parts),
                f"customer:{lot.asset}",
                f"customer:{lot.asset}",
                lot="",
                lots=unit.take(parts, at),
                at=None if at == unit.instant else at,
                available_at=at + unit.rules.document.availability.days * DAY,
                granted_at=lot.granted_at,
                expires_at=lot.expires_at,
                reason=lot.reason,
            )
        )
    return settled


def delivered_share(order: Order, earning: Earning) -> int:
    """Points of an earning whose lines were delivered so far, rounded down; all of them once every line was."""
    base = sum(earning.bases.values())
    delivered_base = sum(
        share * order.lines[number].quantity_delivered // order.lines[number].quantity
        for number, share in earning.bases.items()
    )
    return earning.points * delivered_base // base if base else earning.points
