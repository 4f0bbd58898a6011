"""What a customer transferred to others on the latest business day of a transfer, for the limit of a day."""

from typing import Any

from ledger.parts.family import Family
from ledger.records import Record

NAME = "transferred"


def _evolve(part: dict[str, Any] | None, record: Record, _: int) -> dict[str, Any] | None:
    if "to" not in record.data:
        return part
    day = (record.derived or {})["business_day"]
    if part is None or day > part["day"]:
        return {"day": day, "points": record.data["points"]}
    return {**part, "points": part["points"] + record.data["points"]} if day == part["day"] else part


FAMILY = Family(NAME, frozenset({"points.transferred"}), _evolve)
