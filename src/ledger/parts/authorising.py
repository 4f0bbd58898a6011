"""Who may spend on whose account: what a customer has given to others, and been given.

    {"given"?: [entry, …], "held"?: [entry, …]}

An entry is `{"with", "asset", "limit", "since", "until", "in"}`: the other customer; `points` or `stored_value:<currency>`; `until`
is the first instant at which it is over, null while nobody has said; `in` the version that gave it. One that was given has `used`
and `holds` (hold_id → amount, open ones) besides: what is left is known where it is taken from. Entries that are over stay, since
an event may come late; the eldest of those leave.
"""

from typing import Any

from ledger.instants import NEVER, parse, show
from ledger.parts.family import Family
from ledger.records import Record

NAME = "authorisations"
ENTRIES_MAX = 100

Part = dict[str, Any]
Entry = dict[str, Any]


def key_of(asset: str, currency: str | None) -> str:
    """What an authorisation is for, in a word."""
    return asset if currency is None else f"{asset}:{currency}"


def runs(entry: Entry, instant: int) -> bool:
    """Whether an authorisation holds at an instant."""
    since: int = entry["since"]
    until: int | None = entry["until"]
    return since <= instant < (NEVER if until is None else until)


def left_of(entry: Entry) -> int:
    """What may still be taken by it; what is held counts as taken."""
    limit: int = entry["limit"]
    used: int = entry["used"]
    held: int = sum(entry["holds"].values())
    return limit - used - held


def evolve(part: Part | None, record: Record, instant: int) -> Part | None:
    """Apply one record."""
    data, derived = record.data, record.derived or {}
    match record.type:
        case "account.authorised":
            return _begun(part or {}, record, instant)
        case "account.authorisation_ended":
            return _ended(part or {}, record, instant)
        case "account.charged" | "account.charge_reversed":
            sign = 1 if record.type == "account.charged" else -1
            for charge in data["charges"]:
                part = _changed(part, charge["authorisation"], used=sign * charge["amount"])
            return part
        case "hold.placed" if "spender" in data:
            return _changed(part, derived["authorisation"], hold=(data["hold_id"], data["amount"]))
        case "hold.placed":
            return part
        case _:
            return _hold_ended(part, record)


def _hold_ended(part: Part | None, record: Record) -> Part | None:
    """A hold that counted against an authorisation is captured, released or timed out."""
    hold_id, derived = record.data["hold_id"], record.derived or {}
    number = next((one["in"] for one in (part or {}).get("given", ()) if hold_id in one["holds"]), None)
    number = derived.get("authorisation") if number is None else number
    return part if number is None else _changed(part, number, used=derived.get("captured", 0), hold=(hold_id, 0))


def _begun(part: Part, record: Record, instant: int) -> Part:
    side, other = _side(record)
    entry = {
        "with": other,
        "asset": key_of(record.data["asset"], record.data.get("currency")),
        "limit": record.data["limit"],
        "since": instant,
        "until": parse(record.data["until"]) if "until" in record.data else None,
        "in": record.version,
    }
    if side == "given":
        entry |= {"used": 0, "holds": {}}
    before = _closed(part.get(side, ()), other, entry["asset"], instant)
    surplus = len(before) + 1 - ENTRIES_MAX
    if surplus > 0:
        over = [one["in"] for one in before if not runs(one, instant)][:surplus]
        before = [one for one in before if one["in"] not in over]
    return {**part, side: [*before, entry]}


def _ended(part: Part, record: Record, instant: int) -> Part:
    side, other = _side(record)
    asset = key_of(record.data["asset"], record.data.get("currency"))
    return {**part, side: _closed(part.get(side, ()), other, asset, instant)}


def _side(record: Record) -> tuple[str, str]:
    """Whether the customer gives or is given, and the other customer."""
    return ("given", record.data["spender"]) if "spender" in record.data else ("held", record.data["owner"])


def _closed(entries: Any, other: str, asset: str, instant: int) -> list[Entry]:
    return [
        {**one, "until": instant} if (one["with"], one["asset"]) == (other, asset) and runs(one, instant) else one
        for one in entries
    ]


def _changed(part: Part | None, number: int, *, used: int = 0, hold: tuple[str, int] | None = None) -> Part | None:
    if part is None:
        return None
    given = []
    for one in part.get("given", ()):
        if one["in"] == number:
            holds = one["holds"]
            if hold is not None:
                holds = {name: amount for name, amount in holds.items() if name != hold[0]}
                holds |= {hold[0]: hold[1]} if hold[1] else {}
            one = {**one, "used": one["used"] + used, "holds": holds}  # noqa: PLW2901 - replaced, never changed in place
        given.append(one)
    return {**part, "given": given}


def show_authorisations(part: Part, instant: int) -> dict[str, Any]:
    """Those that run at an instant, given and held; what is left is shown to the one who gave it."""
    shown = {
        side: [_shown(one, other) for one in part.get(side, ()) if runs(one, instant)]
        for side, other in (("given", "spender"), ("held", "owner"))
    }
    return {"authorisations": shown}


def _shown(one: Entry, other: str) -> dict[str, Any]:
    asset, _, currency = one["asset"].partition(":")
    return {
        other: one["with"],
        "asset": asset,
        **({"currency": currency} if currency else {}),
        "limit": one["limit"],
        **({"left": left_of(one)} if "used" in one else {}),
        "since": show(one["since"]),
        **({} if one["until"] is None else {"until": show(one["until"])}),
    }


FAMILY = Family(
    NAME,
    frozenset(
        {
            "account.authorised",
            "account.authorisation_ended",
            "account.charged",
            "account.charge_reversed",
            "hold.placed",
            "hold.captured",
            "hold.released",
            "hold.timed_out",
        }
    ),
    evolve,
    show=show_authorisations,
)
