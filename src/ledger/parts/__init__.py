"""What an account knows besides its lots, debts and totals: one file a family, such as tiers or holds.

A family's part is JSON, kept in the head under the family's name, replaced and never changed in place. A family says which
records change its part and how, when time itself changes it, and what a reader is shown of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ledger.instants import NEVER
from ledger.records import Record


def never(_: Any) -> int:
    """Time does not change it."""
    return NEVER


def nothing(_: Any, __: int) -> dict[str, Any]:
    """Nothing of it is shown."""
    return {}


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of part.

    Attributes:
        name: its key in the state. Renaming it, or changing what a part means, needs another STATE_SCHEMA.
        types: the record types that change it.
        evolve: (part, or None where there is none yet; record; the record's instant in microseconds) → the part after it,
            None where none is left.
        due_at: part → the first instant at which time changes it, NEVER if it never does.
        show: (part, instant) → keys of the customer answer, as a reader sees them at that instant.
    """

    name: str
    types: frozenset[str]
    evolve: Callable[[Any, Record, int], Any]
    due_at: Callable[[Any], int] = never
    show: Callable[[Any, int], dict[str, Any]] = nothing


FAMILIES: tuple[Family, ...] = ()

BY_NAME = {family.name: family for family in FAMILIES}
BY_TYPE: dict[str, tuple[Family, ...]] = {
    kind: tuple(family for family in FAMILIES if kind in family.types)
    for kind in sorted({kind for family in FAMILIES for kind in family.types})
}
"""The families whose part a record type changes."""
