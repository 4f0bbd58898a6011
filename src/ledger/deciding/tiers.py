"""Tiers in a decision: what an event counts and earns of growth, what follows at once, what falls due, what came late.

An event that is not late is decided on the head. A late one makes the ledger run everything after it again, on the records,
and write what comes out differently as `tier.changed` of kind `corrected`, each at its own instant: benefits used meanwhile stay.
"""

from collections.abc import Iterable
from typing import Any

from ledger import tiers
from ledger.deciding.command import Command, Decision
from ledger.deciding.earning import earning_base
from ledger.deciding.unit import Unit
from ledger.instants import parse, show
from ledger.lots import chosen, free_at, total
from ledger.money import rounded
from ledger.parts.tiers import ASSET, EMPTY, PAYING, STANDING, Part, deducted, due_at, evolve, stand, tier_of
from ledger.records import Posting, Record
from ledger.rules import RuleVersion
from ledger.rules.tiers import PurchaseGrowth

COUNTED = frozenset(
    {
        *("customer.signed_up", "account.opened_from", "tier.introduced"),
        *("purchase.recorded", "purchase.refunded", "purchase.returned"),
    }
)

FOLLOWED = COUNTED | PAYING | {"tier.assigned"}
"""What a change of tier may follow from."""

UNDOING = frozenset({"purchase.refunded", "purchase.returned"})

SAYS = ("from", "tier", "rank", "since", "anchor", "review_at", "by", "until", "grace_from")
"""What must agree for a change to stand as it was written."""

AS_BEFORE = "as_before"
"""Reason of a correction that only says that a change never was."""

Changes = list[tuple[int, dict[str, Any]]]


def tier_assigned(unit: Unit, command: Command) -> Decision:
    """Record that staff gives a tier; the change follows at once.

    Raises:
        TierUnknown
    """
    check_tier(unit, command.data["tier"])
    return unit.finish(command, reference=None, derived={})


def tier_at_event(unit: Unit) -> str | None:
    """The tier a customer stands at when an event takes effect, before what follows from it."""
    if unit.rules.document.tiers is None:
        return None
    return tier_of(_known_by(unit, unit.instant) if unit.late else unit.account.parts.get("tiers"))


def count_purchase(unit: Unit, data: dict[str, Any], tier: str | None) -> dict[str, Any]:
    """Post the growth a purchase earns, and say what it counts; nothing in a program without tiers.

    Returns:
        What goes into `derived`.
    """
    document = unit.rules.document
    if document.tiers is None:
        return {}
    growth = sum(_earn(unit, rule, data) for rule in document.purchase_growth)
    if growth:
        unit.join_lots(ASSET)
    day = document.business_day(unit.instant)
    return _says(day, [[day, growth, 1, data["total"], data["currency"]]], tier=tier, joined=day)


def count_signup(unit: Unit, *, earns: bool) -> dict[str, Any]:
    """Post the growth a sign-up earns, if it does, and say from when its membership counts; see `count_purchase`."""
    document = unit.rules.document
    if document.tiers is None:
        return {}
    day = document.business_day(unit.instant)
    earned = document.signup_growth if earns else ()
    for rule in earned:
        unit.post(_issued(rule.amount, "signup", rule.id, None))
    growth = sum(rule.amount for rule in earned)
    return _says(day, [[day, growth, 0, 0, ""]] if growth else [], joined=day)


def count_opening(unit: Unit, data: dict[str, Any]) -> dict[str, Any]:
    """Say what was taken over of growth on the days it was granted, of orders and spend on theirs; see `count_purchase`."""
    document = unit.rules.document
    if document.tiers is None:
        return {}
    granted = [(parse(lot["granted_at"]), lot["amount"]) for lot in data["lots"] if lot["asset"] == ASSET]
    history = data.get("history", {})
    begun = [parse(history[name]) for name in ("signed_up_at", "first_order_at") if name in history]
    counted = [[document.business_day(at), amount, 0, 0, ""] for at, amount in granted]
    for day in history.get("counted", ()):
        if "orders" in day:
            counted.append([day["on"], 0, day["orders"], 0, ""])
        counted += [[day["on"], 0, 0, amount, currency] for currency, amount in day.get("spend", {}).items()]
    joined = min(begun, default=unit.instant)
    return _says(document.business_day(unit.instant), counted, joined=document.business_day(joined))


def growth_of(unit: Unit, rule: PurchaseGrowth, data: dict[str, Any], points: int) -> tuple[int, dict[str, Any]]:
    """What a rule gives of growth for a purchase that earned so many points, and the reasons its posting says."""
    if data["total"] < rule.minimum_spend:
        return 0, {}
    lines, bases = earning_base(rule, data)
    base = sum(bases)
    if not base:
        return 0, {}
    why: dict[str, Any] = {"base": base, "lines": lines, "bases": bases}
    if rule.amount is not None:
        return rule.amount, why
    measure = base if rule.per_unit is not None else points
    numerator, denominator, rate = rule.rate(data["currency"], unit.rules.document.program.points_scale)
    why |= {"rate": rate} if rule.per_unit is not None else {"points": measure, "rate": rate}
    return rounded(measure * numerator, denominator, rule.rounding), why


def points_issued(postings: Iterable[Posting]) -> int:
    """The points that postings give."""
    return sum(
        posting.amount
        for posting in postings
        if posting.asset == "points" and posting.source.startswith("program:issued:")
    )


def check_tier(unit: Unit, name: str) -> None:
    """Refuse a tier that the rules do not have.

    Raises:
        TierUnknown
    """
    block = unit.rules.document.tiers
    names = [level.name for level in block.levels] if block else []
    if name not in names:
        raise tiers.TierUnknown(tier=name, tiers=names)


def count_refund(unit: Unit, orders: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    """Say what a refund takes off, on the days of the purchases it undoes; see `count_purchase`.

    Args:
        orders: what the refund undid of each order, with `counts`: `[day, growth, orders, spend]`, none for an order that
            was made before the program had tiers.
    """
    document = unit.rules.document
    counted = [[*order["counts"], currency] for order in orders if "counts" in order]
    if document.tiers is None and not counted:
        return {}
    return _says(document.business_day(unit.instant), counted)


def follows_at_once(unit: Unit, own: Record) -> None:
    """Write the change of tier that follows from an event."""
    if unit.rules.document.tiers is None or own.type not in FOLLOWED:
        return
    if unit.late:
        _run_again(unit, own)
        return
    change = _change(unit.account.parts.get("tiers") or EMPTY, unit.rules, own)
    if change is not None:
        unit.write_following(own, "tier.changed", change)


def falls_due(unit: Unit, instant: int) -> None:
    """Write the review that falls due."""
    part = unit.account.parts.get("tiers")
    if part is None or due_at(part) > instant:
        return
    at = due_at(part)
    version = unit.context.state.rules.at(at)
    change = tiers.reviewed(part, version)
    unit.write_due("tier.changed", at, change, _deduction(unit, part, version, at, change))


def _says(day: str, counted: list[list[Any]], **more: Any) -> dict[str, Any]:
    return {"tier": {"day": day, "counted": counted, **more}}


def _change(part: Part, version: RuleVersion, record: Record) -> dict[str, Any] | None:
    """What follows from an event that is counted already."""
    if version.document.tiers is None:
        return None
    if record.type == "tier.assigned":
        return _assigned(part, version, record)
    if record.type in PAYING:
        return tiers.paid(part, version, record.instant)
    if record.type in UNDOING:
        return tiers.undone(part, version, record.instant)
    if record.type == "account.opened_from":
        return _taken_over(part, version, record)
    return tiers.raised(part, version, record.instant)


def _assigned(part: Part, version: RuleVersion, record: Record) -> dict[str, Any] | None:
    data = record.data
    level = version.document.tiers.level(data["tier"]) if version.document.tiers else None
    if level is None:
        return None
    return tiers.assigned(part, version, record.instant, level=level, until=data.get("until"), reason=data["reason"])


def _taken_over(part: Part, version: RuleVersion, record: Record) -> dict[str, Any] | None:
    """The tier that an opening tells of; of an account whose tier has been told, another part changes nothing."""
    said = record.data.get("tier")
    if said is None:
        told = (part["standing"] or {}).get("by") == tiers.TAKEN_OVER
        raised = None if told else tiers.raised(part, version, record.instant)
        paid = tiers.paid(part, version, record.instant)
        return paid if paid is not None and (raised is None or paid["rank"] > raised["rank"]) else raised
    level = version.document.tiers.level(said["tier"]) if version.document.tiers else None
    if level is None:
        return None
    return tiers.taken_over(part, version, record.instant, level=level, said=said, system=record.data["system"])


def _earn(unit: Unit, rule: PurchaseGrowth, data: dict[str, Any]) -> int:
    """Post what a rule gives of growth for a purchase; how much."""
    growth, why = growth_of(unit, rule, data, 0 if rule.per_point is None else points_issued(unit.postings))
    if growth:
        unit.post(_issued(growth, "purchase", rule.id, why))
    return growth


def _issued(amount: int, reason: str, rule: str, why: dict[str, Any] | None) -> Posting:
    return Posting(ASSET, amount, f"program:issued:{reason}", f"customer:{ASSET}", lot="", rule=rule, why=why)


def _deduction(unit: Unit, part: Part, version: RuleVersion, at: int, change: dict[str, Any]) -> tuple[Posting, ...]:
    """What a review takes of the growth: what keeping the tier asks for, at most what is there."""
    block = version.document.tiers
    level = block.level(part["standing"]["tier"]) if block else None
    if (
        block is None
        or not block.deduct_growth
        or level is None
        or level.keeps is None
        or change.get("reason") == "grace"
    ):
        return ()
    parts = chosen(free_at(unit.account, ASSET, at, pending=True), level.keeps.growth_asked)
    if not parts:
        return ()
    lots = tuple((lot.id, amount) for lot, amount in parts)
    return (Posting(ASSET, total(parts), f"customer:{ASSET}", "program:deducted", lots=lots, rule=level.name),)


def _known_by(unit: Unit, instant: int) -> Part | None:
    part: Part | None = None
    for record in (*unit.history, *unit.records):
        if record.type in COUNTED or record.type in PAYING or record.type == "tier.changed":
            part = evolve(part, record, record.instant) if record.instant <= instant else part
    return part


def _run_again(unit: Unit, own: Record) -> None:
    """Run all that came after a late event again, and write what comes out differently."""
    records = [*unit.history, *unit.records]
    part = _known_by(unit, own.instant) or EMPTY
    changes = _changes_after(unit, part, own, records)
    stood = _standing_after(records, own.instant)
    standing, untrue, fresh = _where_they_part(part["standing"], changes, stood)
    corrects = [record.version for record in untrue]
    if untrue and (not fresh or fresh[0][0] > untrue[0].instant):
        fresh = [(untrue[0].instant, _stands_again(standing, untrue[0])), *fresh]
    for number, (at, change) in enumerate(fresh):
        names: dict[str, Any] = {"kind": "corrected"} if corrects else {}
        if corrects and number == 0:
            names["corrects"] = corrects
        unit.write_following(own, "tier.changed", {**change, **names}, at=at)


def _changes_after(unit: Unit, part: Part, own: Record, records: list[Record]) -> Changes:
    """All changes of tier from a late event on, as if it had come in time. What reviews deducted stays deducted."""
    book = unit.context.state.rules
    changes: Changes = []
    change = _change(part, unit.rules, own)
    if change is not None:
        changes.append((own.instant, change))
        part = stand(part, change)
    later = [record for record in records if record.instant > own.instant]
    for record in sorted(later, key=lambda one: (one.instant, one.version)):
        while (due := due_at(part)) <= record.instant:
            change = tiers.reviewed(part, book.at(due))
            changes.append((due, change))
            part = stand(part, change)
        if record.type == "tier.changed":
            part = deducted(part, record)
            continue
        part = evolve(part, record, record.instant) or EMPTY
        if record.type in FOLLOWED:
            change = _change(part, book.at(record.instant), record)
            if change is not None:
                changes.append((record.instant, change))
                part = stand(part, change)
    return changes


def _where_they_part(
    standing: dict[str, Any] | None, changes: Changes, stood: list[Record]
) -> tuple[dict[str, Any] | None, list[Record], Changes]:
    """The standing up to which what was written holds, what of it is untrue from there on, and what is true instead."""
    same = 0
    for place, record in enumerate(stood):
        written = stand(EMPTY, record.data)["standing"]
        if record.data.get("reason") == AS_BEFORE:
            if written != standing or (same < len(changes) and changes[same][0] <= record.instant):
                return standing, stood[place:], changes[same:]
            continue
        if same == len(changes) or not _agrees(*changes[same], record):
            return standing, stood[place:], changes[same:]
        standing = written
        same += 1
    return standing, [], changes[same:]


def _agrees(at: int, change: dict[str, Any], record: Record) -> bool:
    return at == record.instant and all(change.get(name) == record.data.get(name) for name in SAYS)


def _standing_after(records: list[Record], instant: int) -> list[Record]:
    """The changes of tier after an instant that no other has corrected."""
    changes = [record for record in records if record.type == "tier.changed"]
    untrue = {version for record in changes for version in record.data.get("corrects", ())}
    stood = [record for record in changes if record.instant > instant and record.version not in untrue]
    return sorted(stood, key=lambda record: (record.instant, record.version))


def _stands_again(standing: dict[str, Any] | None, untrue: Record) -> dict[str, Any]:
    """The tier that stands where a change turns out never to have been."""
    none = {"tier": None, "rank": 0, "from": None, "since": show(untrue.instant), "review_at": None, "by": "corrected"}
    kept = standing or {**none, "anchor": untrue.data["on"], "on": untrue.data["on"]}
    shown = {name: kept[name] for name in STANDING if name in kept}
    return {"kind": "corrected", **shown, "reason": AS_BEFORE, "evidence": None}
