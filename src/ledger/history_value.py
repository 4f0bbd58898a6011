"""What a stream's history knows of value that was paid in, set aside, and of purchases it paid for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ledger.instants import parse
from ledger.records import Record
from ledger.rules.stored import Consumption


@dataclass(slots=True)
class Paid:
    """What a tender of a purchase took from the customer's lots.

    Attributes:
        number: which of the purchase's tenders, from 1.
        amount: minor units it paid. refunded: how much of that went back.
        coupon: the coupon that paid, of which this is one use; empty where it was no coupon.
        taken: asset → (lot, amount) in order of consumption. back: lot → what was given back.
        owner: the other customer whose lots they are; empty where they are the customer's own.
        authorisation: what it counted against on the owner's account.
    """

    number: int
    kind: str
    amount: int
    consumption: Consumption
    refunded: int = 0
    coupon: str = ""
    taken: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    back: dict[str, int] = field(default_factory=dict)
    owner: str = ""
    authorisation: int = 0

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
        coupon: what the record said of the use of a coupon that is held, None where it is something else.
        owner: the other customer on whose account it is held. authorisation: what it counts against, on the owner's stream.
    """

    id: str
    instant: int
    until: int
    consumption: Consumption
    ended: str = ""
    ended_at: int = 0
    ended_in: int = 0
    freed: list[tuple[str, str | None, int]] = field(default_factory=list)
    coupon: dict[str, Any] | None = None
    owner: str = ""
    authorisation: int = 0


def load_of(record: Record, instant: int) -> Load:
    """The load a record made."""
    data = record.data
    opened = {posting.asset.partition(":")[0]: [posting.lot or ""] for posting in record.postings}
    return Load(data["load_id"], instant, data["currency"], opened["stored.principal"], opened.get("stored.bonus", []))


def note_tender(tenders: list[Paid], asset: str, lots: Iterable[tuple[str, int]], why: dict[str, Any]) -> None:
    """Note what a purchase's posting took for one of its tenders."""
    if not tenders or tenders[-1].number != why["tender"]:
        consumption, coupon = why.get("consumption", "principal_first"), why.get("coupon_id", "")
        tenders.append(Paid(why["tender"], why["kind"], why["pays"], consumption, coupon=coupon))
    tenders[-1].taken[asset] = [(lot, amount) for lot, amount in lots]


def note_charged(tenders: list[Paid], charged: dict[str, Any]) -> None:
    """Note what tenders took from the lots of another customer."""
    others: list[Paid] = []
    for taken in charged["taken"]:
        note_tender(others, taken["asset"], taken["lots"], taken["why"])
        others[-1].owner, others[-1].authorisation = charged["customer"], taken["why"]["authorisation"]
    tenders += others
    tenders.sort(key=lambda paid: paid.number)


def note_tenders_back(tenders: list[Paid], refunded: Iterable[dict[str, Any]]) -> None:
    """Note what a refund gave back to the tenders of its purchase."""
    for one in refunded:
        paid = next(paid for paid in tenders if paid.number == one["tender"])
        paid.refunded += one["amount"]
        for lot, amount in one["back"]:
            paid.back[lot] = paid.back.get(lot, 0) + amount


def note_hold(holds: dict[str, Held], record: Record, instant: int) -> None:
    """Note a hold, or its end."""
    hold_id, derived = record.data["hold_id"], record.derived or {}
    if record.type == "hold.placed":
        consumption, coupon = derived.get("consumption", "principal_first"), derived.get("coupon")
        if coupon is not None:
            coupon = {**coupon, "lot": list(record.postings[0].restores[0])}
        held = holds[hold_id] = Held(hold_id, instant, parse(record.data["until"]), consumption, coupon=coupon)
        held.owner, held.authorisation = record.data.get("on_behalf_of", ""), derived.get("authorisation", 0)
        return
    hold = holds[hold_id]
    hold.ended, hold.ended_at, hold.ended_in = record.type.removeprefix("hold."), instant, record.version
    if hold.ended == "timed_out":
        into = None if hold.coupon is None or "coupons_back" not in derived else hold.coupon["lot"][0]
        hold.freed = [
            (lot, posting.lot or into, amount)
            for posting in record.postings
            if posting.source.endswith(":held")
            for lot, amount in posting.lots
        ]
