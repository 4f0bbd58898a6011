"""What a family says of its part: which records change it and how, when time changes it, what a reader is shown of it."""

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


DUE = "ledger:due"
"""Source of the records that time itself brings."""


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
