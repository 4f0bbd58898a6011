"""What an import came to: every row accounted for, and money in the file against money in the ledger."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import orjson

from api.importing.tie_out import TieOut
from ledger.money import exponent

CUSTOMERS_COUNTED_MAX = 1_000_000

PURCHASES = "purchases"
RETURNS = "returns"
REDEMPTIONS = "redemptions"

_KINDS = {
    "purchase.recorded": (PURCHASES, "total"),
    "purchase.refunded": (RETURNS, "amount"),
    "purchase.returned": (RETURNS, "amount"),
}
_POINTS = {"points.granted": "granted", "points.redeemed": "redeemed"}
"""Events that say points themselves: what is compared is what the file says and what the ledger's record says."""


@dataclass(slots=True)
class Money:
    """One kind of money in one currency, in minor units.

    Attributes:
        exact: what the rows say, before rounding; None where the file says whole minor units.
        file: what the events of the file say. ledger: what the ledger holds of them, read back.
        not_taken: of `file`, what the ledger refused.
    """

    events: int = 0
    exact: Fraction | None = None
    file: int = 0
    ledger: int = 0
    not_taken: int = 0

    @property
    def agrees(self) -> bool:
        """Whether everything that was sent is in the ledger, or refused by name."""
        return self.file == self.ledger + self.not_taken


@dataclass(slots=True)
class Summary:
    """The end of an import.

    Attributes:
        rows: read. rows_in_events, rows_left_out, rows_faulty: what became of them; together all of `rows`.
        refused: by code. waiting: of those, kept until what they wait for arrives.
        points: what the events' own postings moved, by account. points_said: points granted and redeemed, in the file and in the
            ledger. points_scale: their decimals. repeated: rows said once more, by what was done with them.
        tie_out: of what was taken over; None where nothing was. notes: on the events' own records, by code.
        customers: distinct ones with a purchase; None beyond a million.
    """

    rows: int = 0
    rows_in_events: int = 0
    rows_left_out: dict[str, int] = field(default_factory=dict)
    rows_faulty: int = 0
    rows_refused: int = 0
    recorded: int = 0
    replayed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    money: dict[tuple[str, str], Money] = field(default_factory=dict)
    points: Counter[str] = field(default_factory=Counter)
    points_said: dict[str, Money] = field(default_factory=dict)
    points_scale: int = 0
    repeated: dict[str, int] = field(default_factory=dict)
    tie_out: TieOut | None = None
    notes: Counter[str] = field(default_factory=Counter)
    lines_drawn_together: int = 0
    seconds: float = 0.0
    position: int = 0
    _customers: set[str] | None = field(default_factory=set)

    @property
    def agrees(self) -> bool:
        """Whether every row is accounted for, and money, points and what was taken over are in the ledger as in the file."""
        rows = self.rows_in_events + sum(self.rows_left_out.values()) + self.rows_faulty + self.rows_refused
        sums = (*self.money.values(), *self.points_said.values())
        ties = self.tie_out is None or self.tie_out.agrees
        return self.rows == rows and all(one.agrees for one in sums) and ties

    @property
    def customers(self) -> int | None:
        """Distinct customers with a purchase."""
        return None if self._customers is None else len(self._customers)

    def add_sent(self, kind: str, data: dict[str, Any], exact: Fraction | None) -> None:
        """Count the money of an event that is to be posted."""
        for money, amount in self._amounts(kind, data, data):
            money.events += 1
            money.file += amount
            if exact is not None:
                money.exact = (money.exact or Fraction(0)) + exact

    def add_not_taken(self, kind: str, data: dict[str, Any]) -> None:
        """Count the money of an event the ledger refused."""
        for money, amount in self._amounts(kind, data, data):
            money.not_taken += amount

    def add_stored(self, kind: str, data: dict[str, Any], stored: bytes) -> None:
        """Count an event as the ledger holds it: its money, its points, its notes.

        Args:
            kind, data: of the event that was sent.
            stored: the record that was read back.
        """
        record = orjson.loads(stored)
        for money, amount in self._amounts(record["type"], record["data"], data):
            money.ledger += amount
        if kind == "purchase.recorded":
            self._add_customer(record["subject"])
        for posting in record["postings"]:
            if posting["asset"] == "points":
                self.points[posting["from"]] -= posting["amount"]
                self.points[posting["to"]] += posting["amount"]
        self.notes.update(note["code"] for note in record.get("notes", ()))

    def to_json(self) -> dict[str, Any]:
        """The summary for programs."""
        return {
            "rows": {
                "read": self.rows,
                "in_events": self.rows_in_events,
                "left_out": self.rows_left_out,
                "faulty": self.rows_faulty,
                "refused": self.rows_refused,
            },
            "events": {
                "recorded": self.recorded,
                "replayed": self.replayed,
                "refused": dict(sorted(self.refused.items())),
                "waiting": self.waiting,
            },
            "customers": self.customers,
            "money": [
                {
                    "kind": kind,
                    "currency": currency,
                    "events": money.events,
                    "exact": None if money.exact is None else str(shown_exact(money.exact, currency)),
                    "file": money.file,
                    "ledger": money.ledger,
                    "not_taken": money.not_taken,
                }
                for (kind, currency), money in sorted(self.money.items())
            ],
            "points": dict(sorted(self.points.items())),
            "points_said": [
                {
                    "kind": kind,
                    "events": said.events,
                    "file": said.file,
                    "ledger": said.ledger,
                    "not_taken": said.not_taken,
                }
                for kind, said in sorted(self.points_said.items())
            ],
            "repeated": self.repeated,
            "tie_out": None if self.tie_out is None else self.tie_out.to_json(),
            "notes": dict(sorted(self.notes.items())),
            "lines_drawn_together": self.lines_drawn_together,
            "position": self.position,
            "seconds": round(self.seconds, 2),
            "agrees": self.agrees,
        }

    def _amounts(self, kind: str, data: dict[str, Any], sent: dict[str, Any]) -> Iterator[tuple[Money, int]]:
        """What an event says of money and of points, each with where it is counted; `sent` says the currency."""
        if (named := _KINDS.get(kind)) is not None:
            yield self._money(named[0], sent.get("currency")), data[named[1]]
        elif (moved := _POINTS.get(kind)) is not None:
            yield self.points_said.setdefault(moved, Money()), data["points"]
            if "value" in data:
                yield self._money(REDEMPTIONS, data["value"]["currency"]), data["value"]["amount"]

    def _money(self, kind: str, currency: str | None) -> Money:
        return self.money.setdefault((kind, currency or "of their orders"), Money())

    def _add_customer(self, customer: str) -> None:
        if self._customers is not None:
            self._customers.add(customer)
            if len(self._customers) > CUSTOMERS_COUNTED_MAX:
                self._customers = None


def shown(minor: int, currency: str) -> str:
    """Minor units as people write money: `8,911,407.90`."""
    digits = exponent(currency)
    sign = "-" if minor < 0 else ""
    whole, part = divmod(abs(minor), int(10**digits))
    return f"{sign}{whole:,}.{part:0{digits}d}" if digits else f"{sign}{whole:,}"


def shown_points(points: int, scale: int) -> str:
    """Points as people write them: `832,950.40`."""
    sign, (whole, part) = "-" if points < 0 else "", divmod(abs(points), 10**scale)
    return f"{sign}{whole:,}.{part:0{scale}d}" if scale else f"{sign}{whole:,}"


def shown_exact(money: Fraction, currency: str) -> str:
    """Minor units and fractions of them as people write money, with as many decimals as it takes."""
    value = money / 10 ** exponent(currency)
    decimals = 0
    while value * 10**decimals % 1:
        decimals += 1
    whole = int(abs(value) * 10**decimals)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole // 10**decimals:,}.{whole % 10**decimals:0{decimals}d}" if decimals else f"{sign}{whole:,}"
