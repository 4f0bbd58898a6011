"""Benefits a customer was given: by name the periods in which, in order."""

from typing import Any

from ledger.parts.family import Family, never
from ledger.records import Record

NAME = "benefits"


def _evolve(part: dict[str, list[str]] | None, record: Record, _: int) -> dict[str, list[str]]:
    data = record.data
    period = data["period"] if "period" in data else (record.derived or {})["period"]
    given = (part or {}).get(data["benefit"], [])
    return {**(part or {}), data["benefit"]: sorted({*given, period})}


def _show(part: dict[str, list[str]], _: int) -> dict[str, Any]:
    return {NAME: part}


FAMILY = Family(NAME, frozenset({"benefit.taken", "benefit.granted"}), _evolve, never, _show)
