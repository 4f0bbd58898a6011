"""What limits an earning: a day, a customer, a budget."""

from typing import Any

from ledger.deciding.unit import Unit
from ledger.parts.rules import CAP
from ledger.rules import EventEarning, PurchaseEarning

Notes = list[dict[str, Any]]


def capped_by_day(
    unit: Unit, rule: str, cap: int | None, points: int, day: str, notes: Notes
) -> tuple[int, dict[str, Any]]:
    """What a rule's cap for a business day leaves, and for the posting's reasons which cap bit."""
    if cap is None:
        return points, {}
    allowed = max(0, min(points, cap - _earned_on(unit, rule, day)))
    if allowed == points:
        return points, {}
    notes.append({"code": "capped", "rule": rule, "cap_per_day": cap, "business_day": day, "uncapped": points})
    return allowed, {"cap_per_day": cap}


def capped_by_sums(
    unit: Unit, rule: PurchaseEarning | EventEarning, points: int, notes: Notes
) -> tuple[int, dict[str, Any]]:
    """What the cap per customer and the budget leave of an earning; where that is nothing, the note that says so is added.

    Both count what was given, whether or not a refund took it back. Whether the budget covers it only the append knows; it
    says so by having the event decided again without, or with what is left where the rule gives that (`partial`).
    """
    why: dict[str, Any] = {}
    cap = rule.cap_per_customer
    if cap is not None:
        given = unit.account.parts.get("given", {}).get(rule.id, 0)
        allowed = max(0, min(points, cap - given))
        if allowed < points:
            notes.append({"code": "capped", "rule": rule.id, "cap_per_customer": cap, "uncapped": points})
        if not allowed:
            notes.append({"code": "nothing_earned", "rule": rule.id, "reason": "cap_per_customer"})
        points, why = allowed, {CAP: cap}
    if rule.budget is not None and points and rule.budget_counter in unit.context.used_up:
        left = min(points, unit.context.used_up[rule.budget_counter]) if rule.partial else 0
        if not left:
            notes.append({"code": "nothing_earned", "rule": rule.id, "reason": "budget", "budget": rule.budget})
            return 0, {}
        notes.append({"code": "capped", "rule": rule.id, "budget": rule.budget, "uncapped": points})
        return left, {**why, "budget": rule.budget}
    return points, why


def _earned_on(unit: Unit, rule: str, day: str) -> int:
    """What the rule earned on that business day so far: the head knows the latest day, the history the others."""
    account = unit.account
    if day == account.day:
        earned = account.earned.get(rule, 0)
    elif day > account.day:
        earned = 0
    else:
        earned = unit.timeline.earned_on(rule, day)
    return earned
