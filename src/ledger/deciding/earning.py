"""What a purchase earns: the rules of its instant applied to its lines, with the arithmetic kept on the posting."""

from fractions import Fraction
from typing import Any, NamedTuple

from ledger.deciding.unit import Unit
from ledger.instants import DAY, NEVER, parse
from ledger.money import rounded, split
from ledger.records import Posting
from ledger.rules import EventEarning, PurchaseEarning


def earn_for_purchase(unit: Unit, data: dict[str, Any], day: str, tier: str | None) -> None:
    """Post what every purchase rule earns for a purchase; a rule that earns nothing leaves a note saying why."""
    opened: list[tuple[str, int, int]] = []
    for rule in unit.rules.document.purchase_earning:
        opened += _apply_rule(unit, rule, data, day, tier)
    if opened:
        unit.pay_debts(opened, "points")
        unit.join_lots("points")


def earn_for_event(unit: Unit, rules: tuple[EventEarning, ...], day: str, reason: str) -> None:
    """Post the fixed points of an event, within the caps of the day."""
    opened: list[tuple[str, int, int]] = []
    for rule in rules:
        points, caps = _capped_by_day(unit, rule.id, rule.cap_per_day, rule.points, day)
        if points:
            opened.append(grant(unit, points, reason, rule=rule.id, why=caps or None))
        else:
            unit.notes.append(
                {"code": "nothing_earned", "rule": rule.id, "reason": "cap_per_day", "cap": rule.cap_per_day}
            )
    if opened:
        unit.pay_debts(opened, "points")
        unit.join_lots("points")


def grant(
    unit: Unit,
    points: int,
    reason: str,
    *,
    rule: str | None = None,
    why: dict[str, Any] | None = None,
    expires_at: int | None = None,
    available_at: int | None = None,
) -> tuple[str, int, int]:
    """Post a grant of points; returns the lot's id, amount and expiry. Without `expires_at` the rules say it."""
    until = unit.rules.document.expires_at(unit.instant) if expires_at is None else expires_at
    posting = Posting(
        "points",
        points,
        f"program:issued:{reason}",
        "customer:points",
        lot="",
        available_at=available_at,
        expires_at=until,
        rule=rule,
        why=why,
    )
    return unit.post(posting), points, until


def _apply_rule(
    unit: Unit, rule: PurchaseEarning, data: dict[str, Any], day: str, tier: str | None
) -> list[tuple[str, int, int]]:
    if data["total"] < rule.minimum_spend:
        unit.notes.append(
            {
                "code": "nothing_earned",
                "rule": rule.id,
                "reason": "below_minimum_spend",
                "minimum_spend": rule.minimum_spend,
            }
        )
        return []
    lines, bases = earning_base(rule, data)
    base = sum(bases)
    if base == 0:
        unit.notes.append(
            {"code": "nothing_earned", "rule": rule.id, "reason": "nothing_earns" if data["total"] else "nothing_spent"}
        )
        return []
    points, rate = _points(unit, rule, base, data["currency"])
    extra = _extra(points, rule.multiplier(tier)) if tier else 0
    points, extra, caps = _capped(unit, rule, points, extra, day)
    if points + extra == 0:
        unit.notes.append(
            {"code": "nothing_earned", "rule": rule.id, "reason": "cap_per_day" if caps else "rounded_to_nothing"}
        )
        return []
    opened = []
    parts = _by_availability(unit, data, lines, bases)
    weights = [sum(part.bases) for part in parts]
    for part, its_points, its_extra in zip(parts, split(points, weights), split(extra, weights), strict=True):
        why: dict[str, Any] = {"base": sum(part.bases), "rate": rate, "lines": part.lines, "bases": part.bases, **caps}
        if its_points:
            opened.append(grant(unit, its_points, "purchase", rule=rule.id, why=why, available_at=part.available_at))
        if its_extra:
            more = {**why, "tier": tier, "multiplier": str(rule.multiplier(tier))}
            opened.append(grant(unit, its_extra, "multiplier", rule=rule.id, why=more, available_at=part.available_at))
    return opened


class _Part(NamedTuple):
    """Lines whose points may be spent from the same instant on, with the base of each."""

    lines: list[int]
    bases: list[int]
    available_at: int | None


def _by_availability(unit: Unit, data: dict[str, Any], lines: list[int], bases: list[int]) -> list[_Part]:
    """The lines by when their points may be spent: those handed over already (`fulfilled_at`) wait for no delivery."""
    availability = unit.rules.document.availability
    available_at = availability.available_at(unit.instant)
    if available_at != NEVER:
        return [_Part(lines, bases, available_at)]
    over = {line["line"]: parse(line["fulfilled_at"]) for line in data.get("lines", ()) if "fulfilled_at" in line}
    pairs = list(zip(lines, bases, strict=True))
    there = [(line, base) for line, base in pairs if line in over]
    waiting = [(line, base) for line, base in pairs if line not in over]
    last = max([unit.instant, *(over[line] for line, _ in there)])
    parts = [(there, last + availability.days * DAY), (waiting, NEVER)]
    return [_Part([line for line, _ in part], [base for _, base in part], at) for part, at in parts if part]


def earning_base(rule: PurchaseEarning, data: dict[str, Any]) -> tuple[list[int], list[int]]:
    """The lines that earn and how much of each: the part paid with excluded tenders is left out, spread over all lines.

    Returns:
        Line numbers (0 stands for a purchase without lines), and the base of each in minor units.
    """
    lines = data.get("lines")
    excluded = sum(tender["amount"] for tender in data.get("tenders", ()) if tender["kind"] in rule.exclude_tenders)
    if not lines:
        return [0], [data["total"] - excluded]
    amounts = [line["amount"] for line in lines]
    if excluded:
        amounts = [amount - part for amount, part in zip(amounts, split(excluded, amounts), strict=True)]
    categories = rule.exclude_categories
    kept = [
        (line["line"], amount)
        for line, amount in zip(lines, amounts, strict=True)
        if line.get("earns", True) and not (categories and line.get("category") in categories)
    ]
    return [number for number, _ in kept], [amount for _, amount in kept]


def _points(unit: Unit, rule: PurchaseEarning, base: int, currency: str) -> tuple[int, str]:
    if rule.points is not None:
        return rule.points, "fixed"
    numerator, denominator, rate = rule.rate(currency, unit.rules.document.program.points_scale)
    return rounded(base * numerator, denominator, rule.rounding), rate


def _extra(points: int, multiplier: Fraction) -> int:
    """What a tier's multiplier adds, rounded down."""
    return max(0, points * (multiplier.numerator - multiplier.denominator) // multiplier.denominator)


def _capped(unit: Unit, rule: PurchaseEarning, points: int, extra: int, day: str) -> tuple[int, int, dict[str, Any]]:
    """Apply the caps per order, then per day; the multiplier's extra gives way first. Says which cap bit."""
    wanted, caps = points + extra, {}
    allowed = wanted
    if rule.cap_per_order is not None and allowed > rule.cap_per_order:
        allowed = rule.cap_per_order
        caps["cap_per_order"] = rule.cap_per_order
        unit.notes.append({"code": "capped", "rule": rule.id, "cap_per_order": rule.cap_per_order, "uncapped": wanted})
    allowed, day_caps = _capped_by_day(unit, rule.id, rule.cap_per_day, allowed, day)
    points = min(points, allowed)
    return points, allowed - points, {**caps, **day_caps}


def _capped_by_day(unit: Unit, rule: str, cap: int | None, points: int, day: str) -> tuple[int, dict[str, Any]]:
    if cap is None:
        return points, {}
    allowed = max(0, min(points, cap - _earned_on(unit, rule, day)))
    if allowed == points:
        return points, {}
    unit.notes.append({"code": "capped", "rule": rule, "cap_per_day": cap, "business_day": day, "uncapped": points})
    return allowed, {"cap_per_day": cap}


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
