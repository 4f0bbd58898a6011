"""The program's own stream: its rules in all versions and its register of places, folded from records like an account."""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ledger.changes import Change, approved, proposed
from ledger.corrections import Correction, ordered
from ledger.errors import InvariantBroken
from ledger.instants import parse
from ledger.records import Record
from ledger.rules import Rulebook, RulesDocument, RuleVersion


class Codes(NamedTuple):
    """A batch of codes: the n-th of the program, and what was said of it."""

    number: int
    data: dict[str, Any]


class Place(NamedTuple):
    """What a store belongs to, from an instant on (microseconds)."""

    effective_from: int
    brand: str
    entity: str
    franchisee: str | None


@dataclass(frozen=True, slots=True)
class ProgramState:
    """State of the program's own stream.

    Attributes:
        version: of the last record folded.
        rulebook: every published version; None before the first.
        places: register by store, oldest first.
        changes: what was proposed, by id, and who approved it.
        corrections: what was ordered to be set right, by id, oldest first.
        codes: the batches of codes by number, from 1.
    """

    version: int = 0
    latest: int = 0
    rulebook: Rulebook | None = None
    places: dict[str, tuple[Place, ...]] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    corrections: dict[str, Correction] = field(default_factory=dict)
    codes: dict[int, Codes] = field(default_factory=dict)

    @property
    def rules(self) -> Rulebook:
        """The rulebook of a program that has one.

        Raises:
            InvariantBroken: nothing has been published.
        """
        if self.rulebook is None:
            raise InvariantBroken("the program has no rules")
        return self.rulebook

    def codes_of(self, batch: str) -> Codes | None:
        """The batch of codes of a name; None where there is none."""
        return next((codes for codes in self.codes.values() if codes.data["batch"] == batch), None)

    def place_at(self, store: str, instant: int) -> Place | None:
        """What a store belonged to at an instant; None where it was not registered then."""
        known = self.places.get(store)
        if not known:
            return None
        index = bisect_right(known, instant, key=lambda place: place.effective_from)
        return known[index - 1] if index else None


def evolve(state: ProgramState, record: Record) -> ProgramState:
    """Apply one record of the program's own stream."""
    if record.version != state.version + 1:
        raise InvariantBroken(f"record {record.version} does not follow version {state.version}")
    state = replace(state, version=record.version, latest=max(state.latest, record.recorded_at))
    data = record.data
    match record.type:
        case "program.published":
            state = replace(state, rulebook=_with_version(state.rulebook, data))
        case "place.registered":
            state = replace(state, places=_with_place(state.places, data))
        case "codes.made":
            number = (record.derived or {})["number"]
            state = replace(state, codes={**state.codes, number: Codes(number, data)})
        case "change.proposed":
            state = replace(state, changes={**state.changes, record.id: proposed(record)})
        case "change.approved":
            change = approved(state.changes[data["change"]], record)
            state = replace(state, changes={**state.changes, change.id: change})
        case "correction.ordered":
            state = replace(state, corrections={**state.corrections, record.id: ordered(record)})
    return state


def fold(records: list[Record]) -> ProgramState:
    """Apply all records of the program's own stream in order."""
    state = ProgramState()
    for record in records:
        state = evolve(state, record)
    return state


def _with_version(book: Rulebook | None, data: dict[str, Any]) -> Rulebook:
    version = RuleVersion(
        version=data["version"],
        effective_from=parse(data["effective_from"]),
        document=RulesDocument.model_validate(data["document"]),
    )
    return Rulebook((*(book.versions if book else ()), version))


def _with_place(places: dict[str, tuple[Place, ...]], data: dict[str, Any]) -> dict[str, tuple[Place, ...]]:
    """A later registration with the same `effective_from` replaces the earlier one."""
    place = Place(parse(data["effective_from"]), data["brand"], data["entity"], data.get("franchisee"))
    others = [known for known in places.get(data["store"], ()) if known.effective_from != place.effective_from]
    return {**places, data["store"]: tuple(sorted([*others, place], key=lambda known: known.effective_from))}
