"""What a purchase earns: the rules of its instant applied to its lines, with the arithmetic kept on the posting.

Each rule says what it would earn; where the document lets rules exclude one another, those that count are chosen; multipliers
take what was chosen; then the grants are posted, in the order of the rules.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from ledger.deciding.applying import why_not
from ledger.deciding.caps import capped_by_day, capped_by_sums
from ledger.deciding.unit import Unit
from ledger.instants import DAY, NEVER, parse
from ledger.money import ratio, rounded, split
from ledger.records import Posting
from ledger.rules import EventEarning, PurchaseEarning, Stacking
from ledger.rules.tiers import PurchaseGrowth


class Amount(NamedTuple):
    """Points for one reason, with what is added to why."""

    points: int
    reason: str
    why: dict[str, Any]


@dataclass(slots=True)
class Share:
    """Lines that earned, the base of each, the rate, and the points for them."""

    lines: list[int]
    bases: list[int]
    rate: str
    amounts: list[Amount]


@dataclass(slots=True)
class Earned:
    """What a rule would earn for a purchase, and what it has to say about it."""

    rule: PurchaseEarning
    notes: list[dict[str, Any]]
    shares: list[Share]

    @property
    def points(self) -> int:
        """All of it."""
        return sum(amount.points for share in self.shares for amount in share.amounts)


def earn_for_purchase(unit: Unit, data: dict[str, Any], day: str, tier: str | None) -> None:
    """Post what every purchase rule earns for a purchase; a rule that earns nothing leaves a note saying why."""
    document = unit.rules.document
    earned = [_earned(unit, rule, data, day, tier) for rule in document.earners]
    if document.stacks:
        _choose(document.stacking or Stacking(), earned)
    if document.multipliers:
        more = [_multiplied(unit, rule, earned, data, day) for rule in document.multipliers]
        if document.stacks:
            _choose(document.stacking or Stacking(), more)
        earned += more
    opened: list[tuple[str, int, int]] = []
    for one in earned:
        unit.notes += one.notes
        opened += _post(unit, one, data)
    if opened:
        unit.pay_debts(opened, "points")
        unit.join_lots("points")


def earn_for_event(unit: Unit, rules: tuple[EventEarning, ...], data: dict[str, Any], day: str, reason: str) -> None:
    """Post the fixed points of an event, within the caps of the rules."""
    opened: list[tuple[str, int, int]] = []
    for rule in rules:
        hindered = why_not(unit, rule, data, day) if rule.is_gated else None
        if hindered is not None:
            unit.notes.append(_nothing(rule, **hindered))
            continue
        points, caps = capped_by_day(unit, rule.id, rule.cap_per_day, rule.points, day, unit.notes)
        if not points:
            unit.notes.append(_nothing(rule, reason="cap_per_day", cap=rule.cap_per_day))
            continue
        points, more = capped_by_sums(unit, rule, points, unit.notes)
        if points:
            opened.append(grant(unit, points, reason, rule=rule.id, why={**caps, **more} or None))
            _charge(unit, rule, points)
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
        lot=unit.next_lot(),
        available_at=available_at,
        expires_at=until,
        rule=rule,
        why=why,
    )
    return unit.post(posting), points, until


def earning_base(rule: PurchaseEarning | PurchaseGrowth, data: dict[str, Any]) -> tuple[list[int], list[int]]:
    """The lines that earn and how much of each: the part paid with excluded tenders is left out, spread over all lines.

    Returns:
        Line numbers (0 stands for a purchase without lines), and the base of each in minor units.
    """
    lines = data.get("lines")
    excluded = 0
    if "tenders" in data:
        excluded = sum(tender["amount"] for tender in data["tenders"] if tender["kind"] in rule.exclude_tenders)
    if not lines:
        return [0], [data["total"] - excluded]
    amounts = [line["amount"] for line in lines]
    if excluded:
        amounts = [amount - part for amount, part in zip(amounts, split(excluded, amounts), strict=True)]
    categories = rule.exclude_categories
    numbers, bases = [], []
    for line, amount in zip(lines, amounts, strict=True):
        if line.get("earns", True) and not (categories and line.get("category") in categories):
            numbers.append(line["line"])
            bases.append(amount)
    return numbers, bases


def _earned(unit: Unit, rule: PurchaseEarning, data: dict[str, Any], day: str, tier: str | None) -> Earned:
    """What a rule that multiplies nothing would earn."""
    hindered = _hindered(unit, rule, data, day)
    if hindered is not None:
        return Earned(rule, [_nothing(rule, **hindered)], [])
    lines, bases = earning_base(rule, data)
    base = sum(bases)
    if base == 0:
        return Earned(rule, [_nothing(rule, reason="nothing_earns" if data["total"] else "nothing_spent")], [])
    points, rate = _points(unit, rule, base, data["currency"])
    extra = _extra(points, rule.multiplier(tier)) if tier else 0
    notes: list[dict[str, Any]] = []
    allowed, caps = _capped(unit, rule, points + extra, day, notes)
    if not allowed:
        return Earned(rule, notes, [])
    amounts = [Amount(min(points, allowed), "purchase", caps)]
    if allowed > points:
        amounts.append(
            Amount(allowed - points, "multiplier", {**caps, "tier": tier, "multiplier": str(rule.multiplier(tier))})
        )
    return Earned(rule, notes, [Share(lines, bases, rate, amounts)])


def _multiplied(unit: Unit, rule: PurchaseEarning, earned: list[Earned], data: dict[str, Any], day: str) -> Earned:
    """What a multiplier adds to what other rules earn: to each posting its own share, so that a refund finds its lines."""
    hindered = _hindered(unit, rule, data, day)
    if hindered is not None:
        return Earned(rule, [_nothing(rule, **hindered)], [])
    factor = ratio(rule.multiply or "1")
    sources = [
        (one.rule.id, share, sum(amount.points for amount in share.amounts))
        for one in earned
        if rule.of is None or one.rule.id in rule.of
        for share in one.shares
    ]
    total = _extra(sum(points for _, _, points in sources), factor)
    if not sources:
        return Earned(rule, [_nothing(rule, reason="nothing_to_multiply")], [])
    notes: list[dict[str, Any]] = []
    allowed, caps = _capped(unit, rule, total, day, notes)
    parts = split(allowed, [points for _, _, points in sources])
    why = {"multiplier": str(factor), **caps}
    shares = [
        Share(share.lines, share.bases, share.rate, [Amount(part, "multiplier", {**why, "multiplies": name})])
        for (name, share, _), part in zip(sources, parts, strict=True)
        if part
    ]
    return Earned(rule, notes, shares)


def _hindered(unit: Unit, rule: PurchaseEarning, data: dict[str, Any], day: str) -> dict[str, Any] | None:
    """Why a rule does not apply at all; None = it does."""
    if rule.is_gated:
        hindered = why_not(unit, rule, data, day)
        if hindered is not None:
            return hindered
    if data["total"] < rule.minimum_spend:
        return {"reason": "below_minimum_spend", "minimum_spend": rule.minimum_spend}
    return None


def _choose(stacking: Stacking, earned: list[Earned]) -> None:
    """Let only those count that their group lets count; the others say which one did."""
    groups: dict[str | None, list[Earned]] = {}
    for one in earned:
        if one.shares:
            groups.setdefault(one.rule.group, []).append(one)
    for group, rivals in groups.items():
        way = stacking.of(group)
        if way == "all":
            continue
        chosen = rivals[0] if way == "first" else max(rivals, key=lambda one: one.points)
        for one in rivals:
            if one is not chosen:
                one.notes[:] = [_nothing(one.rule, reason="stacking", stacking=way, counts=chosen.rule.id)]
                one.shares = []


def _post(unit: Unit, earned: Earned, data: dict[str, Any]) -> list[tuple[str, int, int]]:
    opened = []
    for share in earned.shares:
        parts = _by_availability(unit, data, share.lines, share.bases)
        weights = [sum(part.bases) for part in parts]
        if len(parts) == 1:
            split_amounts = [[amount.points] for amount in share.amounts]
        else:
            split_amounts = [split(amount.points, weights) for amount in share.amounts]
        for place, part in enumerate(parts):
            why = {"base": weights[place], "rate": share.rate, "lines": part.lines, "bases": part.bases}
            for amount, points in zip(share.amounts, split_amounts, strict=True):
                if points[place]:
                    opened.append(
                        grant(
                            unit,
                            points[place],
                            amount.reason,
                            rule=earned.rule.id,
                            why={**why, **amount.why},
                            available_at=part.available_at,
                        )
                    )
    if earned.rule.budget is not None and opened:
        _charge(unit, earned.rule, earned.points)
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


def _points(unit: Unit, rule: PurchaseEarning, base: int, currency: str) -> tuple[int, str]:
    if rule.points is not None:
        return rule.points, "fixed"
    numerator, denominator, rate = rule.rate(currency, unit.rules.document.program.points_scale)
    return rounded(base * numerator, denominator, rule.rounding), rate


def _extra(points: int, multiplier: Fraction) -> int:
    """What a multiplier adds, rounded down."""
    return max(0, points * (multiplier.numerator - multiplier.denominator) // multiplier.denominator)


def _capped(
    unit: Unit, rule: PurchaseEarning, wanted: int, day: str, notes: list[dict[str, Any]]
) -> tuple[int, dict[str, Any]]:
    """Apply the caps per order, per day, per customer, then the budget. Says which cap bit, and why nothing is left."""
    allowed, caps = wanted, {}
    if rule.cap_per_order is not None and allowed > rule.cap_per_order:
        allowed = rule.cap_per_order
        caps["cap_per_order"] = rule.cap_per_order
        notes.append({"code": "capped", "rule": rule.id, "cap_per_order": rule.cap_per_order, "uncapped": wanted})
    allowed, day_caps = capped_by_day(unit, rule.id, rule.cap_per_day, allowed, day, notes)
    if not allowed:
        notes.append(_nothing(rule, reason="cap_per_day" if day_caps else "rounded_to_nothing"))
        return 0, {}
    allowed, more = capped_by_sums(unit, rule, allowed, notes)
    return allowed, {**caps, **day_caps, **more}


def _charge(unit: Unit, rule: PurchaseEarning | EventEarning, points: int) -> None:
    if rule.budget is not None:
        unit.counters.append((rule.budget_counter, points, rule.budget))


def _nothing(rule: PurchaseEarning | EventEarning, **why: Any) -> dict[str, Any]:
    return {"code": "nothing_earned", "rule": rule.id, **why}
