"""How a customer stands with the program: what is frozen and when, and whether the account is closed.

    {"freezes"?: [[what, since, until, reason], …], "closed"?: [instant, reason]}

`what` is `earn` or `redeem`; `until` is the first instant at which the freeze is over, null while nobody has said. Freezes that are
over stay, since an event may come late; the eldest leave.
"""

from typing import Any

from ledger.instants import NEVER, parse, show
from ledger.parts.family import DUE, Family
from ledger.records import Record

NAME = "standing"
FREEZES_MAX = 100

Part = dict[str, Any]


def is_frozen(part: Part | None, what: str, instant: int) -> bool:
    """Whether one may not earn, or not redeem, at an instant."""
    return any(
        one == what and since <= instant < (NEVER if until is None else until)
        for one, since, until, _ in (part or {}).get("freezes", ())
    )


def evolve(part: Part | None, record: Record, instant: int) -> Part:
    """Apply one record."""
    part = part or {}
    match record.type:
        case "customer.frozen":
            until = parse(record.data["until"]) if "until" in record.data else None
            fresh = [[what, instant, until, record.data["reason"]] for what in parts_of(record.data["what"])]
            return {**part, "freezes": [*part.get("freezes", ()), *fresh][-FREEZES_MAX:]}
        case "customer.unfrozen":
            if record.source == DUE:  # what ended by itself has its end already, and what else is frozen stays so
                return {**part, "unfrozen_at": max(instant, part.get("unfrozen_at", instant))}
            ended = parts_of(record.data["what"])
            freezes = [_ended(freeze, ended, instant) for freeze in part.get("freezes", ())]
            return {**part, "freezes": freezes, "unfrozen_at": max(instant, part.get("unfrozen_at", instant))}
        case _:
            return {**part, "closed": [instant, record.data["reason"]]}


def parts_of(what: str) -> tuple[str, ...]:
    """`earn`, `redeem`, or both for `all`."""
    return ("earn", "redeem") if what == "all" else (what,)


def due_at(part: Part) -> int:
    """When a freeze ends by itself; what ended by the last unfreezing has been written."""
    written = part.get("unfrozen_at", -NEVER)
    ends = (until for _, _, until, _ in part.get("freezes", ()) if until is not None and until > written)
    return min(ends, default=NEVER)


def show_standing(part: Part, instant: int) -> dict[str, Any]:
    """What is frozen at an instant, and since when the account is closed."""
    frozen = [
        {"what": what, "since": show(since), **({} if until is None else {"until": show(until)}), "reason": reason}
        for what, since, until, reason in part.get("freezes", ())
        if since <= instant < (NEVER if until is None else until)
    ]
    closed = part.get("closed")
    shown: dict[str, Any] = {"frozen": frozen}
    if closed is not None:
        shown["closed"] = {"at": show(closed[0]), "reason": closed[1]}
    return {"standing": shown}


def _ended(freeze: list[Any], ended: tuple[str, ...], instant: int) -> list[Any]:
    what, since, until, reason = freeze
    runs = since <= instant < (NEVER if until is None else until)
    return [what, since, instant, reason] if runs and what in ended else freeze


FAMILY = Family(
    NAME, frozenset({"customer.frozen", "customer.unfrozen", "customer.closed"}), evolve, due_at, show_standing
)
