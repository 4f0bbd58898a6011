"""Holds that are open: what of the customer's lots is set aside for a checkout, and until when."""

from typing import Any

from ledger.instants import NEVER, parse, show
from ledger.parts.family import Family
from ledger.records import Record

NAME = "holds"


def _evolve(part: dict[str, Any] | None, record: Record, _: int) -> dict[str, Any] | None:
    hold_id = record.data["hold_id"]
    others = {open_id: hold for open_id, hold in (part or {}).items() if open_id != hold_id}
    if record.type == "hold.placed":
        others[hold_id] = _placed(record)
    return others or None


def _placed(record: Record) -> dict[str, Any]:
    data = record.data
    return {
        "asset": data["asset"],
        **({"currency": data["currency"]} if "currency" in data else {}),
        "amount": data["amount"],
        "at": record.instant,
        "until": parse(data["until"]),
        "consumption": (record.derived or {}).get("consumption"),
        "lots": [posting.lot for posting in record.postings],
    }


def _due_at(part: dict[str, Any]) -> int:
    return min((hold["until"] for hold in part.values()), default=NEVER)


def _show(part: dict[str, Any], instant: int) -> dict[str, Any]:
    """`holds`: those that have not timed out, with what was set aside when they were placed."""
    return {
        "holds": [
            {
                "hold_id": hold_id,
                **{key: hold[key] for key in ("asset", "currency", "amount") if key in hold},
                "at": show(hold["at"]),
                "until": show(hold["until"]),
            }
            for hold_id, hold in part.items()
            if hold["until"] > instant
        ]
    }


HOLDS = Family(
    NAME, frozenset({"hold.placed", "hold.captured", "hold.released", "hold.timed_out"}), _evolve, _due_at, _show
)
