"""Holds that are open: what of the customer's lots is set aside for a checkout, and until when.

`{hold_id: {"asset", "currency"?, "amount"?, "coupon"?, "at", "until", "consumption", "lots"}}`; `coupon` is what the record said
of the use set aside, with the lot it came from.
"""

from typing import Any

from ledger.instants import NEVER, parse, show
from ledger.parts.family import Family
from ledger.records import Record

NAME = "holds"


def _evolve(part: dict[str, Any] | None, record: Record, _: int) -> dict[str, Any] | None:
    if "on_behalf_of" in record.data:
        return part  # it is held on the other's account
    hold_id = record.data["hold_id"]
    others = {open_id: hold for open_id, hold in (part or {}).items() if open_id != hold_id}
    if record.type == "hold.placed":
        others[hold_id] = _placed(record)
    return others or None


def _placed(record: Record) -> dict[str, Any]:
    data, coupon = record.data, (record.derived or {}).get("coupon")
    currency, amount = data.get("currency"), data.get("amount")
    if coupon is not None:
        currency, amount = coupon.get("currency"), coupon.get("amount")
        coupon = {**coupon, "lot": list(record.postings[0].restores[0])}
    return {
        "asset": data["asset"],
        **({"coupon": coupon} if coupon is not None else {}),
        **({"currency": currency} if currency is not None else {}),
        **({"amount": amount} if amount is not None else {}),
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
                **({"coupon_id": hold["coupon"]["coupon_id"]} if "coupon" in hold else {}),
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
