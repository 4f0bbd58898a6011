"""Business keys: what an event is called in the trade, whoever sends it. Unique in the log, so one order is credited once.

A decision writes the same key into the record; here it is told from the event alone, for those that were refused.
"""

from typing import Any, Literal

from ledger.deciding.command import Command

OrderScope = Literal["program", "source", "store"]

_NUMBERED = {
    "purchase.recorded": ("purchase", "order_id"),
    "purchase.refunded": ("refund", "refund_id"),
    "purchase.returned": ("return", "return_id"),
}
"""Unique within the program, the source or the store."""

_ONCE = {"customer.signed_up": "signup", "customer.closed": "closing", "tier.introduced": "tiers_introduced"}
"""Once a customer."""

_NAMED = {
    "points.redeemed": ("redemption", "redemption_id"),
    "points.transferred": ("transfer", "transfer_id"),
    "hold.placed": ("hold", "hold_id"),
    "hold.captured": ("capture", "hold_id"),
    "hold.released": ("release", "hold_id"),
    "stored_value.loaded": ("load", "load_id"),
    "stored_value.spent": ("spend", "spend_id"),
    "stored_value.refunded": ("load_refund", "refund_id"),
    "coupon.issued": ("coupon", "coupon_id"),
    "coupon.claimed": ("coupon_code", "code"),
    "coupon.redeemed": ("coupon_redemption", "redemption_id"),
    "coupon.returned": ("coupon_return", "redemption_id"),
    "coupon.voided": ("coupon_void", "coupon_id"),
    "package.sold": ("package", "package_id"),
    "package.used": ("package_use", "use_id"),
    "package.refunded": ("package_refund", "refund_id"),
    "membership.purchased": ("membership", "membership_id"),
    "membership.renewed": ("membership_renewal", "renewal_id"),
}
"""Unique within the program."""


def reference_of(command: Command, program: str, order_scope: OrderScope) -> str | None:
    """The business key an event brings; None where its type has none: those are bounded by sums."""
    data = command.data
    match command.type:
        case "customer.signed_up" | "customer.closed" | "tier.introduced":
            return f"{_ONCE[command.type]}:{command.subject}"
        case "points.granted":
            return f"grant:{data['grant_id']}" if "grant_id" in data else None
        case "account.opened_from":
            return f"opening:{data['system']}:{command.subject}:{data.get('part', 1)}"
        case "purchase.recorded" | "purchase.refunded" | "purchase.returned":
            kind, number = _NUMBERED[command.type]
            return f"{kind}:{_scope(command.source, data, program, order_scope)}:{data[number]}"
        case _:
            kind, number = _NAMED.get(command.type, ("", ""))
            return f"{kind}:{data[number]}" if kind else None


def _scope(source: str, data: dict[str, Any], program: str, order_scope: OrderScope) -> str:
    if order_scope == "program":
        return program
    return source if order_scope == "source" else str(data.get("place", {}).get("store", ""))
