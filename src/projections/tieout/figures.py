"""What is compared of a customer: whole numbers by name, such as `balance:points`, `gross:CNY`, `orders`. Zero is left out."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ledger.account import Account
from ledger.records import Record

Figures = dict[str, int]

STREAMS, HEADS, CUSTOMERS, ORDERS, TWIN = "streams", "heads", "customers", "orders", "twin"
SIDES = (HEADS, CUSTOMERS, ORDERS, TWIN)
"""What is held against the fold of the streams."""


@dataclass(slots=True)
class Trade:
    """Orders and refunds of a customer that stand in the log; what was taken over from another system is not among them.

    `refunded` is the money given back, `undone` what of named or matched orders it undoes: a return may match none.
    """

    orders: int = 0
    refunds: int = 0
    gross: Counter[str] = field(default_factory=Counter)
    refunded: Counter[str] = field(default_factory=Counter)
    undone: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        """Count a record, if it is one of these."""
        data, derived = record.data, record.derived or {}
        if record.type == "purchase.recorded":
            self.orders += 1
            self.gross[data["currency"]] += data["total"]
        elif record.type in ("purchase.refunded", "purchase.returned"):
            currency = data.get("currency") or derived["currency"]
            self.refunds += 1
            self.refunded[currency] += data["amount"]
            parts = derived.get("orders", ())
            self.undone[currency] += sum(amount for part in parts for _, amount, _ in part["lines"])

    def of_orders(self) -> Figures:
        """As the rows of orders say it."""
        return without_zeros({"orders": self.orders, **_named("gross", self.gross), **_named("undone", self.undone)})

    def of_twin(self) -> Figures:
        """As the tables of the twin say it."""
        return without_zeros(
            {**self.of_orders(), "refunds": self.refunds, **_named("refunded", self.refunded)},
        )


def of_balances(state: Account) -> Figures:
    """Balance and debt of every asset, pending and held included."""
    figures = {}
    for asset, amount in state.balances().items():
        name, debt, _ = asset.partition(":debt")
        figures[f"{'debt' if debt else 'balance'}:{name}"] = amount
    return without_zeros(figures)


def of_account(state: Account) -> Figures:
    """What an account says of itself: records, balances, orders and money, what was taken over included."""
    totals = state.totals
    counts = {"records": state.version, "orders": totals.orders, "refunds": totals.refunds}
    money = {**_named("gross", totals.gross), **_named("net", totals.net)}
    return without_zeros({**counts, **of_balances(state), **money})


def without_zeros(figures: Figures) -> Figures:
    """Nothing and nothing said are the same."""
    return {name: amount for name, amount in figures.items() if amount}


def _named(kind: str, by: dict[str, Any]) -> Figures:
    return {f"{kind}:{name}": amount for name, amount in by.items()}
