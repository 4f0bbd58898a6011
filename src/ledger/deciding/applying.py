"""Whether an earning rule applies to an event: its schedule, its moments, its condition.

A condition sees the account as it was when the event happened, so one over the account asks for the history of a late event.
One that cannot be evaluated does not apply, and the note says why: it never stops the event.
"""

from datetime import date
from typing import Any

from ledger import account as accounts
from ledger.account import Account
from ledger.deciding.places import where
from ledger.deciding.unit import Unit
from ledger.instants import business_day, show, to_datetime
from ledger.parts import BY_NAME
from ledger.parts.tiers import tier_of
from ledger.rules import EventEarning, PurchaseEarning
from ledger.rules.conditions import Condition, ConditionFailed

Rule = PurchaseEarning | EventEarning


def why_not(unit: Unit, rule: Rule, data: dict[str, Any], day: str) -> dict[str, Any] | None:
    """Why a rule does not apply, as its note says it; None = it applies."""
    if rule.schedule is not None:
        local = to_datetime(unit.instant).astimezone(unit.rules.document.zone)
        if not rule.schedule.holds(date.fromisoformat(day), local):
            return {"reason": "not_scheduled"}
    if rule.moments is not None and not any(is_moment(unit, name, data, day) for name in rule.moments):
        return {"reason": "not_the_moment", "moments": list(rule.moments)}
    condition = rule.condition
    if condition is None:
        return None
    try:
        return None if condition.holds(_names(unit, condition, rule.on, data, day)) else {"reason": "condition"}
    except ConditionFailed as failed:
        why = {"reason": "condition_failed", "error": failed.kind}
        return why if failed.field is None else {**why, "field": failed.field}


def is_moment(unit: Unit, name: str, data: dict[str, Any], day: str) -> bool:
    """Whether it is a moment on a business day, for an event's data and the customer's day of sign-up."""
    document = unit.rules.document
    signed_up = unit.account.parts.get("signed_up")
    on = None if signed_up is None else business_day(signed_up, document.zone, document.day_starts_minute)
    return document.occasions[name].holds(date.fromisoformat(day), data, on)


def _names(unit: Unit, condition: Condition, event_type: str, data: dict[str, Any], day: str) -> dict[str, Any]:
    """What a condition is evaluated over: no more than it names."""
    event: dict[str, Any] = {"type": event_type, "day": day}
    if "time" in condition.event:
        event["time"] = show(unit.instant)
    if condition.event & {"brand", "entity", "franchisee"}:
        place = where(unit, data)
        event |= {name: place.get(name) for name in ("brand", "entity", "franchisee")}
    if condition.whole_data:
        event["data"] = data
    elif condition.data:
        event["data"] = {name: data[name] for name in condition.data if name in data}
    names: dict[str, Any] = {"event": event}
    if condition.account:
        names["account"] = _account(_as_of(unit, condition.account), condition.account, unit.instant)
    return names


def _as_of(unit: Unit, named: frozenset[str]) -> Account:
    """The account when the event happened: the head, or for a late event the fold of its records up to then.

    The fold of all of an account costs twenty times what its totals do, which is what conditions mostly name.
    """
    if not unit.late:
        return unit.account
    records = [*unit.history, *unit.records]
    if named <= {"version", "totals", "signed_up_at"}:
        signed_up = unit.account.parts.get("signed_up")
        parts = {} if signed_up is None or signed_up > unit.instant else {"signed_up": signed_up}
        totals = accounts.totals_of(records, unit.instant)
        return Account(version=unit.account.version, totals=totals, parts=parts)
    return accounts.lapsed(accounts.fold(records, unit.instant), unit.instant)


def _account(account: Account, named: frozenset[str], instant: int) -> dict[str, Any]:
    totals, signed_up = account.totals, account.parts.get("signed_up")
    shown: dict[str, Any] = {
        "version": account.version,
        "signed_up_at": None if signed_up is None else show(signed_up),
        "tier": tier_of(account.parts.get("tiers")),
    }
    if "balances" in named:
        shown["balances"] = account.balances()
    if "totals" in named:
        shown["totals"] = {
            "orders": totals.orders,
            "refunds": totals.refunds,
            "gross": totals.gross,
            "net": totals.net,
            "first_order_at": None if totals.first_order_at is None else show(totals.first_order_at),
            "last_order_at": None if totals.last_order_at is None else show(totals.last_order_at),
        }
    if named - shown.keys():
        for name, part in account.parts.items():
            shown.update(BY_NAME[name].show(part, instant))
    return shown
