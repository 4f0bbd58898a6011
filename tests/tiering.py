"""Tiers as tests write them: rules in a line, changes as sentences, and what a reader sees.

upgraded silver 2026-03-01, review 2027-01-01          kind, tier, the record's instant, when it is reviewed
corrected gold 2027-01-01, review 2028-01-01, not 5    which records it makes untrue
"""

from typing import Any

from ledger import account as accounts
from ledger.records import Record
from ledger.seeing import seen
from tests.builders import CUSTOMER, PROGRAM, Event, MemoryLedger, at, event, rules
from tests.given import When, text_of

YEAR = {"kind": "calendar", "period": "year"}
SPENT = {"id": "spent", "on": "purchase.recorded", "per_unit": "1"}


def level(name: str, rank: int, **asked: Any) -> dict[str, Any]:
    """A tier that asks for these amounts; `keeps` is what retains it."""
    keeps = asked.pop("keeps", None)
    shown = {"name": name, "rank": rank, "qualifies": asked or None, "retains": keeps}
    return {key: value for key, value in shown.items() if value is not None}


SILVER, GOLD = level("silver", 1, growth=100), level("gold", 2, growth=500)


def tiered(*levels: dict[str, Any], program: dict[str, Any] | None = None, **tiers: Any) -> dict[str, Any]:
    """A rules document: one point and one growth for a whole unit of money; silver from 100, gold from 500 in a calendar year."""
    more = {name: tiers.pop(name) for name in ("earning", "business_day_starts_at") if name in tiers}
    block = {"window": YEAR, "growth": [SPENT], "levels": list(levels) or [SILVER, GOLD], **tiers}
    return {**rules(tiers=block), **more, "program": program or {}}


def assigned(tier: str, time: str, **more: Any) -> Event:
    return event("tier.assigned", time, tier=tier, reason="by hand", **more)


def changes(records: list[Record]) -> list[str]:
    """The changes of tier among records, in the order in which they were written."""
    return [sentence(record) for record in records if record.type == "tier.changed"]


def sentence(record: Record) -> str:
    data = record.data
    words = f"{data['kind']} {data['tier'] or 'none'} {text_of(record.instant)}"
    if data["review_at"]:
        words += f", review {text_of(at(data['review_at']))}"
    if "corrects" in data:
        words += f", not {' '.join(map(str, data['corrects']))}"
    return words


def changed(when: When, *wanted: str) -> When:
    """The unit's changes of tier."""
    assert changes(when.records) == list(wanted)
    return when


def tier_seen(ledger: MemoryLedger, as_of: str | int, *, known: int | None = None) -> dict[str, Any]:
    """What a reader sees of the tier at an instant, of the first records or of all."""
    instant = at(as_of)
    state = accounts.fold(ledger.records[:known], instant)
    shown = seen(state, instant, program=PROGRAM, customer=CUSTOMER, known=ledger.program)
    tier: dict[str, Any] = shown["tier"]
    return tier


def stands(ledger: MemoryLedger, as_of: str | int, *, known: int | None = None) -> str | None:
    """The tier a reader sees at an instant."""
    tier: str | None = tier_seen(ledger, as_of, known=known)["tier"]
    return tier
