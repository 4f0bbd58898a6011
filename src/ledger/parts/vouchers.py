"""The vouchers a customer holds: by id those open, and how many of each kind were made.

`{"open": {id: entry}, "made": {kind: n}}` with entries `{"kind", "rules", "lot", "left", "from", "until", "code"?,
"campaign"?}`: `rules` the version that made it, `lot` where what is left lies, instants in microseconds.
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
        entries[named[words.id]] = _entry(named, record)
    if restored := derived.get("restored"):
        _give_back(entries, restored[words.id], _entry(restored, record))
    for back in derived.get(words.back, ()):
        _give_back(entries, back[words.id], _entry(back, record))
    for kind in derived.get("places_back", ()):
        made[kind] -= 1
    taken = {
        lot: amount
        for posting in record.postings
        if posting.source.startswith(f"customer:{words.word}:")
        for lot, amount in posting.lots
    }
    for name, entry in [(name, entry) for name, entry in entries.items() if entry["lot"] in taken]:
        left = entry["left"] - taken[entry["lot"]]
        if left:
            entries[name] = {**entry, "left": left}
        else:
            del entries[name]
    return {"open": entries, "made": made} if entries or made else None


def _entry(named: dict[str, Any], record: Record) -> dict[str, Any]:
    """The entry of a voucher that a record opens, or reopens."""
    lot = named["lot"]
    left, begins, until = 0, 0, NEVER
    for posting in record.postings:
        if lot == posting.lot:
            left, begins, until = posting.amount, posting.available_at or 0, posting.expires_at
        elif restored := [one for one in posting.restores if one.id == lot]:
            left, begins, until = posting.amount, restored[0].available_at, restored[0].expires_at
    entry = {"kind": named["kind"], "rules": named.get("rules", record.rules), "lot": lot, "left": left}
    return {**entry, "from": begins, "until": until} | {key: named[key] for key in SHOWN if key in named}


def _give_back(entries: dict[str, Any], name: str, back: dict[str, Any]) -> None:
    there = entries.get(name)
    if there is not None and there["lot"] == back["lot"]:
        entries[name] = {**there, "left": there["left"] + back["left"]}
    elif back["left"]:
        entries[name] = back


def _show(words: Words, part: Any, instant: int) -> dict[str, Any]:
    return {
        words.made: [_shown(words, name, entry) for name, entry in part["open"].items() if entry["until"] > instant]
    }


def _shown(words: Words, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    shown = {words.id: name, "kind": entry["kind"], "left": entry["left"], "lot": entry["lot"]}
    if entry["from"]:
        shown["available_at"] = show(entry["from"])
    if entry["until"] != NEVER:
        shown["expires_at"] = show(entry["until"])
    return shown | {key: entry[key] for key in SHOWN if key in entry}


FAMILIES = (family(COUPONS), family(PACKAGES))
