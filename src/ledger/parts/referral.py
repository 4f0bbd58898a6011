"""Who brought a customer, and whom the customer brought.

    {"by"?: how this customer was brought, "brought"?: {customer: how it stands}, "rewarded"?: count, "earned"?: points}

`by` is on the stream of the referred customer, whose purchases decide: it carries the terms as they were when the referral was
made, and the purchases that count with what is left of each. `brought` is on the referrer's, written by the policy.
"""

from typing import Any

from ledger.instants import DAY, NEVER, parse, show
from ledger.parts.family import Family
from ledger.records import Record

ORDERS_COUNTED_MAX = 500
"""Purchases looked at for one referral; a spend that takes more is not reached."""

BROUGHT_MAX = 1_000
"""Referrals kept in a referrer's state; beyond it the eldest settled ones leave it, then the eldest. The records stay."""

Part = dict[str, Any]


def due_at(part: Part) -> int:
    """When the referral of this customer counts, where that waits for the refund window to pass."""
    by = part.get("by")
    return counts_from(by) if by is not None and by["status"] == "made" else NEVER


def counts_from(by: Part) -> int:
    """The instant from which the purchases so far make a referral count; NEVER where they do not."""
    reached = _reached_at(by["terms"], by["orders"])
    return NEVER if reached is None else int(reached + by["terms"]["refund_window_days"] * DAY)


def evolve(part: Part | None, record: Record, instant: int) -> Part | None:
    """Apply one record; None while nobody brought anybody."""
    match record.type:
        case "purchase.recorded":
            return part if part is None or "by" not in part else _purchased(part, record, instant)
        case "purchase.refunded" | "purchase.returned":
            return part if part is None or "by" not in part else _refunded(part, record)
        case _:
            return _EVOLVE[record.type](part or {}, record, instant)


def show_referral(part: Part, instant: int) -> dict[str, Any]:
    """Who brought this customer, whom it brought, and what all of it earned."""
    shown: dict[str, Any] = {"earned": part.get("earned", 0)}
    if "by" in part:
        by = part["by"]
        status = by["status"]
        if status == "made":
            status = _standing(by, instant)
        shown["referred_by"] = {"customer": by["referrer"], "since": show(by["since"]), "status": status}
    shown["referred"] = [
        {"customer": customer, "since": show(since), "status": status, "points": points}
        for customer, (since, status, points) in part.get("brought", {}).items()
    ]
    return {"referral": shown}


def _standing(by: Part, instant: int) -> str:
    counts = counts_from(by)
    if counts <= instant:
        return "qualified"
    lapsed = counts == NEVER and by["valid_until"] is not None and by["valid_until"] < instant
    return "lapsed" if lapsed else "made"


def _reached_at(terms: Part, orders: dict[str, list[int]]) -> int | None:
    """When the purchases first fulfilled the terms, going by their own instants; None where they do not."""
    least = max(1, terms["minimum_spend"])
    spent = 0
    counting = sorted(order for order in orders.values() if order[1] >= least)
    for count, (instant, left) in enumerate(counting, start=1):
        spent += left
        if (spent >= terms["amount"]) if terms["kind"] == "spend" else (count >= terms["n"]):
            return instant
    return None


def _purchased(part: Part, record: Record, instant: int) -> Part:
    by = part["by"]
    derived = record.derived or {}
    open_until = by["valid_until"] if by["status"] == "made" else by.get("qualified_at", -NEVER)
    if not by["since"] <= instant <= (NEVER if open_until is None else open_until):
        return part
    if by["terms"]["kind"] == "spend" and record.data["currency"] != by["terms"]["currency"]:
        return part
    if len(by["orders"]) >= ORDERS_COUNTED_MAX:
        return part
    return _with_orders(part, {**by["orders"], derived["reference"]: [instant, record.data["total"]]})


def _refunded(part: Part, record: Record) -> Part:
    orders = dict(part["by"]["orders"])
    for undone in (record.derived or {}).get("orders", ()):
        known = orders.get(undone["order"])
        if known is not None:
            orders[undone["order"]] = [known[0], known[1] - sum(amount for _, amount, _ in undone["lines"])]
    return _with_orders(part, orders)


def _with_orders(part: Part, orders: dict[str, list[int]]) -> Part:
    return {**part, "by": {**part["by"], "orders": orders}}


def _made(part: Part, record: Record, instant: int) -> Part:
    data = record.data
    order = data.get("order")
    by = {
        "referrer": data["referrer"],
        "since": instant,
        "status": "made",
        "terms": data["terms"],
        "valid_until": data["valid_until"] and parse(data["valid_until"]),
        "protected_until": data["protected_until"] and parse(data["protected_until"]),
        "orders": {} if order is None else {order["reference"]: [instant, order["total"]]},
    }
    return {**part, "by": by}


def _qualified(part: Part, _: Record, instant: int) -> Part:
    return {**part, "by": {**part["by"], "status": "qualified", "qualified_at": instant}}


def _disqualified(part: Part, record: Record, _: int) -> Part:
    """Within the refund window the referral goes on as if it had never counted; after it, it is over."""
    return {**part, "by": {**part["by"], "status": "made" if record.data["in_window"] else "disqualified"}}


def _noted(part: Part, record: Record, instant: int) -> Part:
    brought = {**part.get("brought", {}), record.data["referred"]: [instant, "made", 0]}
    if len(brought) > BROUGHT_MAX:
        settled = (customer for customer, (_, status, _) in brought.items() if status != "made")
        del brought[next(settled, next(iter(brought)))]
    return {**part, "brought": brought}


def _rewarded(part: Part, record: Record, _: int) -> Part:
    points = sum(posting.amount for posting in record.postings if posting.source == "program:issued:referral")
    after = {**part, "earned": part.get("earned", 0) + points}
    if record.data["role"] == "referrer":
        after["rewarded"] = part.get("rewarded", 0) + 1
        after = _with_brought(after, record.data["referred"], "rewarded", points)
    return after


def _revoked(part: Part, record: Record, _: int) -> Part:
    given_back = sum(
        back["due"] - back["dropped"] for back in [(record.derived or {}).get("clawback")] if back is not None
    )
    after = {**part, "earned": part.get("earned", 0) - given_back}
    if record.data["role"] == "referred":
        ended = record.data["reason"] in ("loop", "replaced")
        return {**after, "by": {**part["by"], "status": "revoked"}} if ended and "by" in part else after
    known = part.get("brought", {}).get(record.data["referred"])
    if (record.derived or {}).get("clawback") is not None:
        after["rewarded"] = part.get("rewarded", 0) - 1
    return after if known is None else _with_brought(after, record.data["referred"], "revoked", known[2] - given_back)


def _with_brought(part: Part, customer: str, status: str, points: int) -> Part:
    brought = part.get("brought", {})
    if customer not in brought:
        return part
    return {**part, "brought": {**brought, customer: [brought[customer][0], status, points]}}


_EVOLVE = {
    "referral.made": _made,
    "referral.noted": _noted,
    "referral.qualified": _qualified,
    "referral.disqualified": _disqualified,
    "referral.rewarded": _rewarded,
    "referral.revoked": _revoked,
}

FAMILY = Family(
    "referral",
    frozenset({*_EVOLVE, "purchase.recorded", "purchase.refunded", "purchase.returned"}),
    evolve,
    due_at,
    show_referral,
)
