"""Tiers on a program that runs: what a customer bought before there were any counts from now on, by the rules of today.

One record a customer says what of the history counts, on its own days, less what was refunded of it, with the growth it would have
earned. The tier follows at once, as from any event, with its evidence. A refund after it takes from what was counted.
"""

from collections import Counter
from datetime import date
from typing import Any

from ledger.deciding.command import Command, Decision
from ledger.deciding.refunds import due_of
from ledger.deciding.tiers import growth_of, points_issued
from ledger.deciding.unit import Unit
from ledger.history import Earning, Order
from ledger.parts.tiers import ASSET, runs_of
from ledger.records import Posting, Record
from ledger.refusals import NoTiers

ORDERS_APART = 50
"""The latest orders, whose growth lies in lots of its own, so that a refund finds it; that of older ones lies together."""

Rows = dict[tuple[str, str], list[int]]
"""By day and currency growth, orders and spend."""


def introduced(unit: Unit, command: Command) -> Decision:
    """Count what a customer did before the program had tiers; once.

    Raises:
        NoTiers: there are none, or not yet.
    """
    document = unit.rules.document
    if document.tiers is None:
        raise NoTiers
    orders = [one for one in unit.timeline.orders.values() if one.counted_on is None and one.instant <= unit.instant]
    orders.sort(key=lambda order: (order.instant, order.version))
    known = {record.version: record for record in (*unit.history, *unit.records)}
    rows: Rows = {}
    counted = [*_count_signups(unit, rows), *(order.version for order in orders)]
    older: Counter[str] = Counter()
    for place, order in enumerate(orders):
        growth = _count_order(unit, order, known[order.version], older if len(orders) - place > ORDERS_APART else None)
        amount, total = order.amount_left, sum(line.amount for line in order.lines.values())
        _add(rows, document.business_day(order.instant), order.currency, [growth, int(not total or amount > 0), amount])
    for rule, growth in older.items():
        _post(unit, growth, rule, {"orders": len(orders) - ORDERS_APART}, None)
    unit.join_lots(ASSET)
    day = document.business_day(unit.instant)
    joined = min((first for first, _ in rows), default=day)
    first = document.tiers.window.first_day(date.fromisoformat(day), date.fromisoformat(joined))
    tier = {"day": day, "counted": _bounded(rows, first.isoformat()), "joined": joined}
    derived = {"tier": tier, "records": runs_of(counted)}
    return unit.finish(command, reference=f"tiers_introduced:{command.subject}", derived=derived)


def _count_signups(unit: Unit, rows: Rows) -> list[int]:
    """Count the growth of a sign-up that was recorded before there were tiers; the versions of what was counted."""
    document = unit.rules.document
    versions = []
    for record in (*unit.history, *unit.records):
        if record.type == "customer.signed_up" and "tier" not in (record.derived or {}):
            growth = sum(rule.amount for rule in document.signup_growth)
            for rule in document.signup_growth:
                _post(unit, rule.amount, rule.id, None, record.instant, "signup")
            _add(rows, document.business_day(record.instant), "", [growth, 0, 0])
            versions.append(record.version)
    return versions


def _count_order(unit: Unit, order: Order, record: Record, older: Counter[str] | None) -> int:
    """Post the growth an order would have earned less what was refunded of it, or add it by rule to that of older ones."""
    counted = 0
    for rule in unit.rules.document.purchase_growth:
        whole, why = growth_of(unit, rule, record.data, points_issued(record.postings))
        if not whole:
            continue
        due = due_of(order, Earning([], whole, dict(zip(why["lines"], why["bases"], strict=True))))
        counted += whole - due
        if older is not None:
            older[rule.id] += whole - due
        elif whole > due:
            said = {**why, "order": order.reference, "growth": whole, "due": due}
            _post(unit, whole - due, rule.id, said, order.instant)
    return counted


def _post(
    unit: Unit, growth: int, rule: str, why: dict[str, Any] | None, granted_at: int | None, reason: str = "purchase"
) -> None:
    if growth:
        source, to = f"program:issued:{reason}", f"customer:{ASSET}"
        unit.post(Posting(ASSET, growth, source, to, lot="", granted_at=granted_at, rule=rule, why=why))


def _add(rows: Rows, day: str, currency: str, counted: list[int]) -> None:
    known = rows.get((day, currency), [0, 0, 0])
    rows[day, currency] = [one + more for one, more in zip(known, counted, strict=True)]


def _bounded(rows: Rows, first: str) -> list[list[Any]]:
    """What counts by the day; what lies before the window is one row a currency, on the first day of all."""
    beginning = min((day for day, _ in rows), default=first)
    kept: Rows = {}
    for (day, currency), counted in sorted(rows.items()):
        _add(kept, day if day >= first and first != date.min.isoformat() else beginning, currency, counted)
    return [[day, *counted, currency] for (day, currency), counted in kept.items()]
