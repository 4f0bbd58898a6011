"""The vouchers a customer holds: by id those open, and how many of each kind were made.

`{"open": {id: entry}, "made": {kind: n}}` with entries `{"kind", "rules", "lots": [[lot, left, from, until]], "code"?,
"campaign"?}`: `rules` the version that made it, instants in microseconds. A voucher has one lot, and one more for each use given
back after its end; they stand in the order in which they were opened.
"""

from functools import partial
from typing import Any

from ledger.instants import NEVER, show
from ledger.parts.family import Family, never
from ledger.records import Record
from ledger.vouchers import COUPONS, PACKAGES, Words

SHOWN = ("code", "campaign")
"""What a reader is shown of a voucher as its record named it."""


def family(words: Words) -> Family:
    """The part of one sort of voucher."""
    types = words.made_by | words.also | words.voided | {words.used, words.returned, f"{words.word}.expired"}
    return Family(words.made, types - {""}, partial(_evolve, words), never, partial(_show, words))


def _evolve(words: Words, part: Any, record: Record, _: int) -> dict[str, Any] | None:
    if part is None and record.type in words.also:
        return None
    entries: dict[str, Any] = dict(part["open"]) if part else {}
    made: dict[str, int] = dict(part["made"]) if part else {}
    derived = record.derived or {}
    for named in derived.get(words.made, ()):
        made[named["kind"]] = made.get(named["kind"], 0) + 1
        _put_in(entries, named[words.id], named, record)
    if restored := derived.get("restored"):
        _put_in(entries, restored[words.id], restored, record)
    for back in derived.get(words.back, ()):
        _put_in(entries, back[words.id], back, record)
    for kind in derived.get("places_back", ()):
        made[kind] -= 1
    taken = {
        lot: amount
        for posting in record.postings
        if posting.source.startswith(f"customer:{words.word}:")
        for lot, amount in posting.lots
    }
    if taken:
        _take(entries, taken)
    return {"open": entries, "made": made} if entries or made else None


def _put_in(entries: dict[str, Any], name: str, named: dict[str, Any], record: Record) -> None:
    """Open an entry, or add to one, what a record put into a voucher's lot."""
    lot = named["lot"]
    left, begins, until = 0, 0, NEVER
    for posting in record.postings:
        if lot == posting.lot:
            left, begins, until = posting.amount, posting.available_at or 0, posting.expires_at
        elif restored := [one for one in posting.restores if one.id == lot]:
            left, begins, until = posting.amount, restored[0].available_at, restored[0].expires_at
    if not left:
        return
    fresh = {"kind": named["kind"], "rules": named.get("rules", record.rules)}
    entry = entries.get(name) or fresh | {key: named[key] for key in SHOWN if key in named}
    lots = {one[0]: one for one in entry.get("lots", ())}
    lots[lot] = [lot, left + (lots[lot][1] if lot in lots else 0), begins, until]
    entries[name] = {**entry, "lots": sorted(lots.values(), key=_opened)}


def _take(entries: dict[str, Any], taken: dict[str, int]) -> None:
    for name, entry in list(entries.items()):
        if any(lot in taken for lot, *_ in entry["lots"]):
            lots = [[lot, left - taken.get(lot, 0), *terms] for lot, left, *terms in entry["lots"]]
            if still := [one for one in lots if one[1] > 0]:
                entries[name] = {**entry, "lots": still}
            else:
                del entries[name]


def _opened(lot: list[Any]) -> tuple[int, ...]:
    """The version and the ordinal that make a lot's id."""
    return tuple(int(part) for part in lot[0].split("."))


def _show(words: Words, part: Any, instant: int) -> dict[str, Any]:
    shown = []
    for name, entry in part["open"].items():
        if lots := [one for one in entry["lots"] if one[3] > instant]:
            shown.append(_shown(words, name, entry, lots))
    return {words.made: shown}


def _shown(words: Words, name: str, entry: dict[str, Any], lots: list[Any]) -> dict[str, Any]:
    """What is left of it in all; the lot, and its dates, are those of the next use."""
    lot, _, begins, until = lots[0]
    shown = {words.id: name, "kind": entry["kind"], "left": sum(one[1] for one in lots), "lot": lot}
    if begins:
        shown["available_at"] = show(begins)
    if until != NEVER:
        shown["expires_at"] = show(until)
    return shown | {key: entry[key] for key in SHOWN if key in entry}


FAMILIES = (family(COUPONS), family(PACKAGES))
