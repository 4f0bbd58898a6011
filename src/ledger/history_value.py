"""What a stream's history knows of value that was paid in, set aside, and of purchases it paid for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ledger.instants import parse
from ledger.records import Posting, Record
from ledger.rules.stored import Consumption


@dataclass(slots=True)
class Paid:
    """What a tender of a purchase took from the customer's lots.

    Attributes:
        number: which of the purchase's tenders, from 1.
        amount: minor units it paid. refunded: how much of that went back.
        taken: asset → (lot, amount) in order of consumption. back: lot → what was given back.
    """

    number: int
    kind: str
    amount: int
    consumption: Consumption
    refunded: int = 0
    taken: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    back: dict[str, int] = field(default_factory=dict)

    @property
    def money_left(self) -> int:
        """Minor units that did not go back yet."""
        return self.amount - self.refunded

    def left(self, asset: str) -> list[tuple[str, int]]:
        """Lots in order of consumption, with what was not given back yet."""
        return [(lot, amount - self.back.get(lot, 0)) for lot, amount in self.taken[asset]]


@dataclass(slots=True)
class Load:
    """Stored value paid in: its lots, and those their value was moved into since."""

    id: str
    instant: int
    currency: str
    principal: list[str]
    bonus: list[str]


@dataclass(slots=True)
class Held:
    """A hold, and what became of it.

    Attributes:
        ended: captured, released or timed_out; empty while it is open. ended_at, ended_in: when, and the version.
        freed: of a time-out (lot in which it was held, lot into which it was freed or None where it expired at once, amount).
    """

    id: str
    instant: int
    until: int
    consumption: Consumption
    ended: str = ""
    ended_at: int = 0
    ended_in: int = 0
    freed: list[tuple[str, str | None, int]] = field(default_factory=list)


def load_of(record: Record, instant: int) -> Load:
    """The load a record made."""
    data = record.data
    opened = {posting.asset.partition(":")[0]: [posting.lot or ""] for posting in record.postings}
    return Load(data["load_id"], instant, data["currency"], opened["stored.principal"], opened.get("stored.bonus", []))


def note_tender(tenders: list[Paid], posting: Posting, why: dict[str, Any]) -> None:
    """Note what a purchase's posting took for one of its tenders."""
    if not tenders or tenders[-1].number != why["tender"]:
        tenders.append(Paid(why["tender"], why["kind"], why["pays"], why.get("consumption", "principal_first")))
    tenders[-1].taken[posting.asset] = list(posting.lots)


def note_tenders_back(tenders: list[Paid], refunded: Iterable[dict[str, Any]]) -> None:
    """Note what a refund gave back to the tenders of its purchase."""
    for one in refunded:
        paid = next(paid for paid in tenders if paid.number == one["tender"])
        paid.refunded += one["amount"]
        for lot, amount in one["back"]:
            paid.back[lot] = paid.back.get(lot, 0) + amount


def note_hold(holds: dict[str, Held], record: Record, instant: int) -> None:
    """Note a hold, or its end."""
    hold_id = record.data["hold_id"]
    if record.type == "hold.placed":
        consumption = (record.derived or {}).get("consumption", "principal_first")
        holds[hold_id] = Held(hold_id, instant, parse(record.data["until"]), consumption)
        return
    hold = holds[hold_id]
    hold.ended, hold.ended_at, hold.ended_in = record.type.removeprefix("hold."), instant, record.version
    if hold.ended == "timed_out":
        hold.freed = [(lot, posting.lot, amount) for posting in record.postings for lot, amount in posting.lots]
