"""The systems a customer was taken over from: `{system: {"cutover_at", "parts", "has": [blocks], "signed_up_at"?}}`.

Instants in microseconds; `parts` is how many of them came; `has` names what a customer has once, whatever the parts.
"""

from typing import Any

from ledger.instants import parse, show
from ledger.parts.family import Family, never
from ledger.records import Record

NAME = "openings"

ONCE = ("history", "tier", "membership")
"""What one part alone may bring: of two, either could be meant."""

Part = dict[str, Any]


def evolve(part: Part | None, record: Record, _: int) -> Part:
    """Note the part of a system that a record took over."""
    data = record.data
    known = (part or {}).get(data["system"], {"cutover_at": parse(data["cutover_at"]), "parts": 0, "has": []})
    has = [*known["has"], *(block for block in ONCE if block in data)]
    after = {**known, "parts": known["parts"] + 1, "has": has}
    if (signed_up := data.get("history", {}).get("signed_up_at")) is not None:
        after["signed_up_at"] = parse(signed_up)
    return {**(part or {}), data["system"]: after}


def signed_up_there(part: Part | None) -> int | None:
    """The earliest sign-up in a system the customer was taken over from; None where none is known."""
    told = (known["signed_up_at"] for known in (part or {}).values() if "signed_up_at" in known)
    return min(told, default=None)


def show_openings(part: Part, _: int) -> dict[str, Any]:
    """`opened_from`: each system, its cut-over, and how many parts came of it."""
    return {
        "opened_from": [
            {"system": system, "cutover_at": show(known["cutover_at"]), "parts": known["parts"]}
            for system, known in part.items()
        ]
    }


FAMILY = Family(NAME, frozenset({"account.opened_from"}), evolve, never, show_openings)
