"""Codes a customer has claimed: by batch how many."""

from typing import Any

from ledger.parts.family import Family
from ledger.records import Record

NAME = "claims"


def _evolve(part: dict[str, int] | None, record: Record, _: int) -> dict[str, int]:
    batch: Any = (record.derived or {})["batch"]
    return {**(part or {}), batch: (part or {}).get(batch, 0) + 1}


FAMILY = Family(NAME, frozenset({"coupon.claimed"}), _evolve)
