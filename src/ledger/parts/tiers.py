"""Tiers: what an account remembers of what counts towards a tier, by the day, and the tier it stands at.

A part is `{"joined": day, "days": {day: [growth, orders, {currency: spend}, [versions]]}, "before": [growth, orders, {…}],
"standing": null | {…}, "paid"?: null | {"tier", "until"}}`. `days` reach back further than any window may; what lies before is
one sum, for windows without a beginning. A record says itself, in `derived.tier`, what it counts and on which day; `tier.changed`
says the whole standing, so the last one written is the one that stands, whatever its instant. `paid` is the tier that an active
membership pays for.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from ledger.instants import NEVER, parse
from ledger.parts.family import Family
from ledger.records import Record

DAYS_KEPT = 1_200
"""Days that stay apart. The longest window and the longest grace period together are 1,097."""

PRUNED_FROM = 64
"""Fewer days than these are not worth looking at."""

STANDING = ("tier", "rank", "from", "since", "anchor", "on", "review_at", "by", "until", "grace_from")
"""What of a change stays: see `ledger.tiers`."""

ASSET = "growth"

MEMBERSHIP = "membership"
"""What brought a tier that is held because it is paid for."""

PAYING = frozenset(f"membership.{what}" for what in ("purchased", "renewed", "paused", "resumed", "cancelled", "ended"))

Part = dict[str, Any]

EMPTY: Part = {"joined": None, "days": {}, "before": [0, 0, {}], "standing": None}


def evolve(part: Part | None, record: Record, _: int) -> Part | None:
    """Count what a record counts; stand where a change says."""
    if record.type == "tier.changed":
        return stand(deducted(part or EMPTY, record), record.data)
    if record.type in PAYING or "membership" in (record.derived or ()):
        part = _paid(part, record)
    says = (record.derived or {}).get("tier")
    return part if says is None else count(part or EMPTY, says, record.version)


def _paid(part: Part | None, record: Record) -> Part | None:
    """Hold what a membership pays for, or no more."""
    said = (record.derived or {}).get("membership", {})
    paid = {"tier": said["tier"], "until": said["end"]} if "tier" in said and said["status"] == "active" else None
    return part if (part or EMPTY).get("paid") == paid else {**(part or EMPTY), "paid": paid}


def count(part: Part, says: dict[str, Any], version: int) -> Part:
    """Add what one record counts.

    Args:
        says: `{"counted": [[day, growth, orders, spend, currency] …], "joined": day where membership may begin}`.
    """
    joined = part["joined"]
    if "joined" in says and (joined is None or says["joined"] < joined):
        joined = says["joined"]
    days = part["days"].copy()
    for day, growth, orders, spend, currency in says["counted"]:
        days[day] = _added(days.get(day, _NOTHING), growth, orders, spend, currency, version)
    return _pruned({**part, "joined": joined, "days": days})


def deducted(part: Part, change: Record) -> Part:
    """Take off what a review took of the growth, on the day it did."""
    amount = sum(posting.amount for posting in change.postings if posting.asset == ASSET)
    if not amount:
        return part
    says = {"counted": [[change.data["on"], -amount, 0, 0, ""]]}
    return count(part, says, change.version)


def stand(part: Part, change: dict[str, Any]) -> Part:
    """Stand where a change says."""
    standing = {name: change[name] for name in STANDING if name in change}
    return {**part, "standing": standing if change["tier"] is not None else None}


def values(part: Part, first: date, last: date, currency: str | None) -> dict[str, int]:
    """Growth, spend and orders from a day to a day, both included; never less than nothing."""
    growth = orders = spend = 0
    for day in _between(part, first, last):
        counted = part["days"][day]
        growth += counted[0]
        orders += counted[1]
        spend += counted[2].get(currency, 0)
    if first == date.min:
        before = part["before"]
        growth, orders, spend = growth + before[0], orders + before[1], spend + before[2].get(currency, 0)
    return {"growth": max(0, growth), "spend": max(0, spend), "orders": max(0, orders)}


def records_counted(part: Part, first: date, last: date) -> list[list[int]]:
    """The versions of the records that count from a day to a day, as [first, last] of each run."""
    return runs_of({version for day in _between(part, first, last) for version in part["days"][day][3]})


def runs_of(versions: Iterable[int]) -> list[list[int]]:
    """Versions as [first, last] of each run."""
    runs: list[list[int]] = []
    for version in sorted(versions):
        if runs and runs[-1][1] == version - 1:
            runs[-1][1] = version
        else:
            runs.append([version, version])
    return runs


def tier_of(part: Part | None) -> str | None:
    """The tier that stands."""
    return part["standing"]["tier"] if part and part["standing"] else None


def due_at(part: Part) -> int:
    """When the tier is reviewed."""
    standing = part["standing"]
    return NEVER if standing is None or standing["review_at"] is None else parse(standing["review_at"])


_NOTHING: list[Any] = [0, 0, {}, []]


def _added(known: list[Any], growth: int, orders: int, spend: int, currency: str, version: int) -> list[Any]:
    by_currency = known[2]
    if spend:
        by_currency = {**by_currency, currency: by_currency.get(currency, 0) + spend}
    versions = known[3] if version in known[3] else [*known[3], version]
    return [known[0] + growth, known[1] + orders, by_currency, versions]


def _between(part: Part, first: date, last: date) -> list[str]:
    begins, ends = first.isoformat(), last.isoformat()
    return [day for day in part["days"] if begins <= day <= ends]


def _pruned(part: Part) -> Part:
    """Days no window can reach any more become one sum."""
    days = part["days"]
    if len(days) < PRUNED_FROM:
        return part
    begins = (date.fromisoformat(max(days)) - timedelta(days=DAYS_KEPT)).isoformat()
    gone = [day for day in days if day < begins]
    if not gone:
        return part
    growth, orders, spend = part["before"]
    spend = spend.copy()
    for day in gone:
        growth += days[day][0]
        orders += days[day][1]
        for currency, amount in days[day][2].items():
            spend[currency] = spend.get(currency, 0) + amount
    kept = {day: counted for day, counted in days.items() if day >= begins}
    return {**part, "days": kept, "before": [growth, orders, spend]}


TIERS = Family(
    "tiers",
    frozenset(
        {
            "customer.signed_up",
            "account.opened_from",
            "purchase.recorded",
            "purchase.refunded",
            "purchase.returned",
            *("tier.changed", "tier.introduced"),
        }
    )
    | PAYING,
    evolve,
    due_at,
)
