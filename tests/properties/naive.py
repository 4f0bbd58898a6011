"""The naive model's memory: one flat list of facts, everything else added up from it anew at every question.

It knows no clock, no expiry records and no folded state: a lot is simply gone from its `expires_at` on. Written from the
design's words, not from the code; where the words leave two readings, the code's was taken.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from tests.properties.calendar_by_hand import FOREVER


class Seen(NamedTuple):
    """An account as a reader sees it; lots, what is held and debts without their ids, in order."""

    lots: tuple[tuple[Any, ...], ...]
    held: tuple[tuple[Any, ...], ...]
    debts: tuple[tuple[Any, ...], ...]
    balances: dict[str, int]
    totals: dict[str, Any]


@dataclass
class Lot:
    """A fact: points (or another asset) put into the account."""

    unit: int
    number: int
    asset: str
    amount: int
    at: int
    granted_at: int
    available_at: int
    expires_at: int
    reason: str
    rule: str | None = None
    day: str | None = None
    freed_at: int = 0

    @property
    def turn(self) -> tuple[int, int, int, int]:
        """Soonest expiry first, then oldest, then as they came to be."""
        return self.expires_at, self.granted_at, self.freed_at, self.number


@dataclass
class Move:
    """A fact: some of a lot taken (negative) or given back."""

    unit: int
    lot: int
    at: int
    change: int
    account: str


@dataclass
class Parcel:
    """A fact: part of a lot set aside by a hold. `freed` is the lot it becomes again when the hold times out."""

    unit: int
    number: int
    amount: int
    at: int
    lot: Lot
    freed: Any


@dataclass
class ParcelMove:
    """A fact: some of a parcel freed or spent (negative), or back in it after all."""

    unit: int
    parcel: int
    at: int
    change: int
    account: str


@dataclass
class Debt:
    """A fact: a clawback not covered."""

    unit: int
    number: int
    amount: int
    at: int


@dataclass
class Covering:
    """A fact: part of a debt paid."""

    unit: int
    debt: int
    at: int
    amount: int


@dataclass
class Counted:
    """A fact: an order, refund or history that counts in the totals."""

    unit: int
    at: int
    orders: int = 0
    refunds: int = 0
    gross: dict[str, int] = field(default_factory=dict)
    net: dict[str, int] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None


@dataclass
class Order:
    """A fact: a purchase. `lines` as they were posted; without lines, one line 0 that is all of it."""

    unit: int
    number: str
    at: int
    currency: str
    lines: list[dict[str, Any]]


@dataclass
class Earning:
    """A fact: what one lot of an order earned, by line number → base; the lots its points went into."""

    unit: int
    order: str
    at: int
    lots: list[int]
    points: int
    bases: dict[int, int]


@dataclass
class Undone:
    """A fact: part of a line refunded or returned."""

    unit: int
    order: str
    line: int
    amount: int
    quantity: Fraction


@dataclass
class Due:
    """A fact: what a refund was to take back of an earning, and how much of it had expired."""

    unit: int
    lot: int
    due: int
    expired: int


@dataclass
class HandedOver:
    """A fact: part of a line delivered."""

    unit: int
    order: str
    line: int
    quantity: Fraction


@dataclass
class Settled:
    """A fact: points of an earning a delivery has settled."""

    unit: int
    lot: int
    points: int


@dataclass
class Spent:
    """A fact: a redemption, (lot, amount) in order of consumption."""

    unit: int
    redemption: str
    at: int
    parts: list[tuple[int, int]]


@dataclass
class Returned:
    """A fact: part of a redemption given back."""

    unit: int
    redemption: str
    lot: int
    amount: int


class Facts:
    """The flat list, and what may be asked of it."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self.told: list[int] = []
        self.unit = 0

    def told_after(self, instant: int) -> bool:
        """Whether something later was told of before: an event, or what one took at the moment of its writing."""
        taken = (move.at for move in self.of(Move) if move.account == "program:reversed" and move.unit < self.unit)
        return any(at > instant for at in (*self.told, *taken))

    def of(self, kind: type) -> list[Any]:
        return [fact for fact in self.all if isinstance(fact, kind)]

    def lot(self, number: int) -> Lot:
        return next(lot for lot in self.of(Lot) if lot.number == number)

    def open_lot(self, asset: str, amount: int, at: int, **terms: Any) -> Lot:
        terms = {"granted_at": at, "available_at": 0, "expires_at": FOREVER, **terms}
        lot = Lot(self.unit, len(self.of(Lot)), asset, amount, at, **terms)
        self.all.append(lot)
        return lot

    def held(self, lot: Lot, as_of: int) -> int:
        """What the lot held at an instant, were there no expiry."""
        if lot.at > as_of:
            return 0
        return lot.amount + sum(move.change for move in self.of(Move) if move.lot == lot.number and move.at <= as_of)

    def free(self, lot: Lot, since: int) -> int:
        """What was in the lot at every instant from then until now; that it has expired since does not matter."""
        if lot.at > since or lot.expires_at <= since:
            return 0
        later = {move.at for move in self.of(Move) if move.lot == lot.number and move.at > since}
        return min(self.held(lot, instant) for instant in {since, *later})

    def spendable(self, asset: str, since: int, *, pending: bool = False) -> list[Lot]:
        lots = [lot for lot in self.of(Lot) if lot.asset == asset and (pending or lot.available_at <= since)]
        return sorted((lot for lot in lots if self.free(lot, since) > 0), key=lambda lot: lot.turn)

    def take(self, lots: list[Lot], amount: int, at: int, account: str) -> list[tuple[int, int]]:
        """Take up to an amount from lots in their order; returns (lot, amount) of what was taken."""
        taken = []
        for lot in lots:
            part = min(self.free(lot, at), amount)
            if part > 0:
                self.all.append(Move(self.unit, lot.number, at, -part, account))
                taken.append((lot.number, part))
                amount -= part
        return taken

    def expired(self, lot: Lot, by: int) -> int:
        """What was left of a lot when it was gone."""
        gone = max(lot.at, lot.expires_at)
        return self.held(lot, gone) if gone <= by else 0

    def owed(self, debt: Debt) -> int:
        return debt.amount - sum(part.amount for part in self.of(Covering) if part.debt == debt.number)

    def owe(self, amount: int, at: int) -> None:
        self.all.append(Debt(self.unit, len(self.of(Debt)), amount, at))

    def pay_debts(self, incoming: list[tuple[Lot, int]], instant: int) -> None:
        """What comes in covers open debts first, the oldest first, at its own instant or when the debt came to be."""
        left = {lot.number: amount for lot, amount in incoming}
        for debt in self.of(Debt):
            at = max(instant, debt.at)
            for lot, _ in incoming:
                part = min(self.owed(debt), left[lot.number]) if lot.expires_at > at else 0
                if part > 0:
                    left[lot.number] -= part
                    self.all.append(Move(self.unit, lot.number, at, -part, "customer:points:debt"))
                    self.all.append(Covering(self.unit, debt.number, at, part))

    def seen(self, as_of: int) -> Iterator[Seen]:
        """What a reader sees at an instant, after each unit; the first is before any."""
        lots: dict[int, tuple[Lot, int]] = {}
        debts: dict[int, tuple[Debt, int]] = {}
        counted: list[Counted] = []
        parcels: dict[int, tuple[Parcel, int]] = {}
        facts = iter([*self.all, None])
        fact = next(facts)
        now = _seen(as_of, lots, debts, counted, parcels)
        for unit in range(self.unit + 1):
            changed = False
            while fact is not None and fact.unit <= unit:
                if isinstance(fact, MOVING) and fact.at <= as_of:
                    _apply(fact, lots, debts, counted, parcels)
                    changed = True
                fact = next(facts)
            now = _seen(as_of, lots, debts, counted, parcels) if changed else now
            yield now

    def accounts(self, as_of: int) -> Counter[str]:
        """What each account of the program took from customers by an instant, all known; lots gone are expired."""
        sums: Counter[str] = Counter()
        for fact in self.all:
            if isinstance(fact, Move | ParcelMove) and fact.at <= as_of and fact.account.startswith("program:"):
                sums[fact.account] -= fact.change
            if isinstance(fact, Debt) and fact.at <= as_of:
                sums["program:reversed"] += fact.amount
            if isinstance(fact, Lot) and fact.at <= as_of:
                sums["program:expired"] += self.expired(fact, as_of)
        return +sums


MOVING = (Lot, Move, Debt, Covering, Counted, Parcel, ParcelMove)


def _apply(
    fact: Any,
    lots: dict[int, tuple[Lot, int]],
    debts: dict[int, tuple[Debt, int]],
    counted: list[Counted],
    parcels: dict[int, tuple[Parcel, int]],
) -> None:
    match fact:
        case Lot():
            lots[fact.number] = fact, fact.amount
        case Move():
            lot, remaining = lots[fact.lot]
            lots[fact.lot] = lot, remaining + fact.change
        case Parcel():
            parcels[fact.number] = fact, fact.amount
        case ParcelMove():
            parcel, remaining = parcels[fact.parcel]
            parcels[fact.parcel] = parcel, remaining + fact.change
        case Debt():
            debts[fact.number] = fact, fact.amount
        case Covering():
            debt, remaining = debts[fact.debt]
            debts[fact.debt] = debt, remaining - fact.amount
        case Counted():
            counted.append(fact)


def _seen(
    as_of: int,
    lots: dict[int, tuple[Lot, int]],
    debts: dict[int, tuple[Debt, int]],
    counted: list[Counted],
    parcels: dict[int, tuple[Parcel, int]],
) -> Seen:
    there = [(lot, left) for lot, left in lots.values() if left and lot.expires_at > as_of]
    owed = [(debt, left) for debt, left in debts.values() if left]
    balances = Counter({"points": -sum(left for _, left in owed)})
    aside = [(parcel.lot, left) for parcel, left in parcels.values() if left]
    for lot, left in (*there, *aside):
        balances[lot.asset] += left
    if owed:
        balances["points:debt"] = sum(left for _, left in owed)
    there.sort(key=lambda part: part[0].turn)
    return Seen(
        tuple(
            (lot.asset, lot.amount, left, lot.granted_at, lot.available_at, lot.expires_at, lot.reason)
            for lot, left in there
        ),
        tuple(sorted((lot.asset, left, lot.granted_at, lot.expires_at, lot.reason) for lot, left in aside)),
        tuple((debt.amount, left, debt.at) for debt, left in owed),
        dict(balances),
        _totals(counted),
    )


def _totals(counted: list[Counted]) -> dict[str, Any]:
    gross: Counter[str] = Counter()
    net: Counter[str] = Counter()
    for fact in counted:
        for currency in fact.gross:
            gross[currency] += fact.gross[currency]
        for currency in fact.net:
            net[currency] += fact.net[currency]
    return {
        "orders": sum(fact.orders for fact in counted),
        "refunds": sum(fact.refunds for fact in counted),
        "gross": dict(gross),
        "net": dict(net),
        "first_order_at": min((fact.first for fact in counted if fact.first is not None), default=None),
        "last_order_at": max((fact.last for fact in counted if fact.last is not None), default=None),
    }
