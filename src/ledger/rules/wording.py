"""What differs between two documents of rules, in words: what changes, and for whom."""

from typing import Any, NamedTuple

from ledger.money import ratio
from ledger.rules.basics import Part
from ledger.rules.document import RulesDocument
from ledger.rules.earning import EventEarning, PurchaseEarning
from ledger.rules.moments import Schedule
from ledger.rules.points import Expiry

Rule = PurchaseEarning | EventEarning


class Change(NamedTuple):
    """One thing that differs: what, and for whom."""

    what: str
    whom: str


def differences(before: RulesDocument, after: RulesDocument) -> list[Change]:
    """Everything that differs, the rules that earn first; examples are no rules and are left out."""
    changes = _earning(before, after)
    for name in RulesDocument.model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if name in ("earning", "examples") or old == new:
            continue
        if isinstance(old, Expiry):
            changes.append(_expiry(old, new))
        else:
            changes += _block(name, old, new)
    return changes


def _earning(before: RulesDocument, after: RulesDocument) -> list[Change]:
    old = {rule.id: rule for rule in before.earning}
    new = {rule.id: rule for rule in after.earning}
    changes = [
        Change(f"rule {rule.id!r} is gone: {sentence(rule)}", f"{audience(rule)} earn nothing by it")
        for rule in before.earning
        if rule.id not in new
    ]
    for rule in after.earning:
        if rule.id not in old:
            changes.append(Change(f"new rule {rule.id!r}: {sentence(rule)}", f"{audience(rule)} earn by it"))
        elif old[rule.id] != rule:
            changes += _rule(old[rule.id], rule)
    kept = [rule.id for rule in before.earning if rule.id in new]
    if kept != [rule.id for rule in after.earning if rule.id in old]:
        changes.append(Change("the rules stand in another order", "purchases for which only the first rule counts"))
    return changes


def _rule(old: Rule, new: Rule) -> list[Change]:
    changes = []
    for name in dict.fromkeys([*type(old).model_fields, *type(new).model_fields]):
        one, other = getattr(old, name, None), getattr(new, name, None)
        if one != other:
            what = f"rule {new.id!r}: {name.replace('_', ' ')} {_shown(one)} → {_shown(other)}"
            changes.append(Change(what, f"{audience(new)} {_direction(name, one, other)}"))
    return changes


def sentence(rule: Rule) -> str:
    """What a rule gives."""
    if isinstance(rule, EventEarning):
        given = f"{rule.points} points for a sign-up"
    elif rule.multiply is not None:
        given = f"what {_listed(rule.of) if rule.of else 'the other rules'} earn times {rule.multiply}"
    elif rule.points is not None:
        given = f"{rule.points} points for a purchase"
    else:
        given = f"{rule.points_per_unit} points for each whole unit of currency spent"
    limits = [
        f"{name.replace('_', ' ')} {getattr(rule, name)}"
        for name in ("cap_per_order", "cap_per_day", "cap_per_customer", "budget")
        if getattr(rule, name, None) is not None
    ]
    return ", ".join([given, *limits])


def audience(rule: Rule) -> str:
    """To whom a rule applies."""
    whom = "customers who sign up" if isinstance(rule, EventEarning) else "customers who buy"
    if isinstance(rule, PurchaseEarning) and rule.minimum_spend:
        whom += f" for {rule.minimum_spend} minor units or more"
    if rule.schedule is not None:
        whom += f" {_when(rule.schedule)}"
    if rule.moments is not None:
        whom += f" at {_listed(rule.moments)}"
    if rule.when is not None:
        whom += f" where {rule.when}"
    return whom


def _when(schedule: Schedule) -> str:
    words = []
    if schedule.days:
        words.append(f"on {_listed(schedule.days)}")
    if schedule.days_of_month:
        words.append(f"on day {_listed(str(day) for day in schedule.days_of_month)} of the month")
    if schedule.hours:
        words.append(f"at {_listed(schedule.hours)}")
    if schedule.first_day:
        words.append(f"from {schedule.first_day}")
    if schedule.last_day:
        words.append(f"until {schedule.last_day}")
    return " ".join(words)


def _direction(name: str, old: Any, new: Any) -> str:
    """Whether they earn more or less, where that can be said."""
    if name in ("points_per_unit", "points", "multiply") and old is not None and new is not None:
        return "earn more" if ratio(str(new)) > ratio(str(old)) else "earn less"
    if name.startswith("cap_") or name == "budget":
        return "may earn more" if new is None or (old is not None and new > old) else "may earn less"
    if name == "minimum_spend":
        return "earn from a lower amount on" if new < old else "earn only from a higher amount on"
    return "earn otherwise"


def _expiry(old: Expiry, new: Expiry) -> Change:
    whom = "points granted from then on; what was granted before keeps its date"
    return Change(f"points: {_lifetime(old)} → {_lifetime(new)}", whom)


def _lifetime(expiry: Expiry) -> str:
    words = {
        "never": "never gone",
        "after_days": f"gone after {expiry.n} days",
        "after_months": f"gone after {expiry.n} months",
        "end_of_month": f"gone at the end of month {expiry.n} after the grant",
        "end_of_year": f"gone at the end of year {expiry.n} after the grant",
    }
    return words[expiry.kind]


_WHOM = {
    "refunds": "customers who bring goods back after spending their points",
    "availability": "customers who buy: when what they earn may be spent",
    "redemption_reversal": "customers whose redemption is taken back after its lots expired",
    "backdate_days": "senders: how old an event may be without the scope backdate",
    "business_day_starts_at": "everyone: to which day a purchase belongs",
    "effective_from": "everyone: from when these rules count",
    "program": "nobody: this block is fixed when a program is created",
    "approvals": "those who publish rules or adjust balances",
    "moments": "customers to whom the rules of that moment apply",
    "stacking": "customers to whom several rules apply",
}


def _block(name: str, old: Any, new: Any) -> list[Change]:
    """Any other block, field by field."""
    one, other = dict(_flat(name, _plain(old))), dict(_flat(name, _plain(new)))
    whom = _WHOM.get(name, f"customers to whom {name.replace('_', ' ')} apply")
    return [
        Change(f"{path}: {_shown(one.get(path))} → {_shown(other.get(path))}", whom)
        for path in dict.fromkeys([*one, *other])
        if one.get(path) != other.get(path)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


def _flat(path: str, value: Any) -> list[tuple[str, Any]]:
    """Every leaf below a value with its path; parts of a list go by their id where they have one."""
    if isinstance(value, dict) and value:
        return [leaf for key, below in value.items() for leaf in _flat(f"{path}.{key}", below)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        named = [(str(below.get("id", place)), below) for place, below in enumerate(value)]
        return [leaf for key, below in named for leaf in _flat(f"{path}.{key}", below)]
    return [(path, value)]


def _shown(value: Any) -> str:
    if value is None or value in ((), [], {}):
        return "none"
    if isinstance(value, Schedule):
        return _when(value)
    if isinstance(value, tuple | list):
        return _listed(str(one) for one in value)
    if isinstance(value, dict):
        return _listed(f"{key} {one}" for key, one in value.items())
    return str(value)


def _listed(parts: Any) -> str:
    return ", ".join(parts)
