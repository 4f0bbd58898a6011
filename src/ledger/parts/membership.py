"""The membership of a customer: the one bought last, with its periods.

`{"id", "plan", "rules", "status", "anchor", "months", "paused_days", "paused_at", "end", "changed", "benefit", "periods"}`.
`rules` is the version that made the last period, `anchor` the local day from which `months` are counted, `end` the first instant
at which it is over (while it is paused: were it never resumed), `changed` the instant of the latest event about it. A period is
`{"start", "end", "months", "paused_days", "price", "currency", "rules", "lots"}`. Instants are microseconds.
"""

from typing import Any

from ledger.instants import NEVER, parse, show
from ledger.parts.family import Family
from ledger.records import Record

ACTIVE, PAUSED, CANCELLED, ENDED = "active", "paused", "cancelled", "ended"
RUNNING = (ACTIVE, PAUSED)


def status_at(part: dict[str, Any], instant: int) -> str:
    """The status a reader sees, whether or not the clock has written the end."""
    status: str = part["status"]
    return ENDED if status in RUNNING and part["end"] <= instant else status


def ends_at(part: dict[str, Any]) -> int:
    """When time ends it; NEVER where it is over already."""
    end: int = part["end"]
    return end if part["status"] in RUNNING else NEVER


def _evolve(part: Any, record: Record, instant: int) -> dict[str, Any] | None:
    known: dict[str, Any] | None = part
    derived = record.derived or {}
    match record.type.partition(".")[2]:
        case "opened_from":
            if "membership" not in derived:
                return known
            return {"id": record.data["membership"]["membership_id"], **_after(derived["membership"], instant)}
        case "purchased":
            return {"id": record.data["membership_id"], **_after(derived["membership"], instant)}
        case "ended":
            return {**part, "status": ENDED, "end": instant}
        case _:
            return {**part, **_after(derived["membership"], instant)}


def _after(after: dict[str, Any], instant: int) -> dict[str, Any]:
    """What an event about it leaves, as its record says."""
    periods = [{**period, "start": parse(period["start"]), "end": parse(period["end"])} for period in after["periods"]]
    paused_at = after.get("paused_at")
    return {
        "plan": after["plan"],
        "rules": periods[-1]["rules"],
        "status": after["status"],
        "anchor": after["anchor"],
        "months": after["months"],
        "paused_days": after["paused_days"],
        "paused_at": None if paused_at is None else parse(paused_at),
        "end": parse(after["end"]),
        "changed": instant,
        "benefit": after.get("benefit"),
        "tier": after.get("tier"),
        "periods": periods,
    }


def shown(part: dict[str, Any], instant: int) -> dict[str, Any]:
    """How records and answers show it at an instant; its benefit only while it is active."""
    status = status_at(part, instant)
    said: dict[str, Any] = {"plan": part["plan"], "status": status, "anchor": part["anchor"], "months": part["months"]}
    said["paused_days"] = part["paused_days"]
    if status == PAUSED:
        said["paused_at"] = show(part["paused_at"])
    said["end"] = show(part["end"])
    if part["benefit"] is not None:
        said["benefit"] = part["benefit"]
    if part.get("tier") is not None:
        said["tier"] = part["tier"]
    said["periods"] = [
        {**period, "start": show(period["start"]), "end": show(period["end"])} for period in part["periods"]
    ]
    return said


def _show(part: Any, instant: int) -> dict[str, Any]:
    said = {"membership_id": part["id"], "start": show(part["periods"][0]["start"]), **shown(part, instant)}
    if said["status"] != ACTIVE:
        said.pop("benefit", None)
    return {"membership": said}


TYPES = frozenset(f"membership.{what}" for what in ("purchased", "renewed", "paused", "resumed", "cancelled", "ended"))
TYPES |= {"account.opened_from"}
FAMILY = Family("membership", TYPES, _evolve, ends_at, _show)
