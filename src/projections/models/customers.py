"""Customers: a row a customer, for search, filter, sort and paging.

The memory is the account's own fold, and beside it where and when the customer was first and last seen. Columns of instants
hold microseconds: NEVER where a lot has no expiry, its negative where there was no order yet, so that sorting needs no nulls.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from ledger import account as accounts
from ledger.account import Account
from ledger.instants import NEVER
from ledger.money import Rounding, rounded
from ledger.parts.tiers import TIERS, tier_of
from ledger.records import PROGRAM_TYPES, Record
from projections.models.model import Model

Seen = tuple[int, dict[str, str]]
"""An instant, and the place of a record that took effect then."""


@dataclass(slots=True)
class Customer:
    """What is remembered of a customer.

    Attributes:
        first, last: the earliest and the latest record with a place, by instant.
        currency: of the first order in the order of the stream. paid: orders of more than nothing in it.
    """

    account: Account = field(default_factory=accounts.empty)
    first: Seen | None = None
    last: Seen | None = None
    currency: str = ""
    paid: int = 0


def _keys(record: Record) -> Iterable[str]:
    return () if record.type in PROGRAM_TYPES or record.subject == record.program else (record.subject,)


def _fold(memory: Customer | None, _key: str, _position: int, record: Record) -> Customer:
    customer = memory or Customer()
    accounts.apply(customer.account, record)
    place = record.data.get("place")
    if place is not None:
        seen = record.instant, place
        if customer.first is None or seen[0] < customer.first[0]:
            customer.first = seen
        if customer.last is None or seen[0] >= customer.last[0]:
            customer.last = seen
    if record.type == "purchase.recorded":
        customer.currency = customer.currency or record.data["currency"]
        customer.paid += record.data["total"] > 0 and record.data["currency"] == customer.currency
    elif record.type == "account.opened_from":
        _take_over(customer, record.data.get("history") or {})
    return customer


def _take_over(customer: Customer, history: dict[str, Any]) -> None:
    """Orders bought before another system was left count for the average, in the one currency they were paid in."""
    spend = history.get("spend", {})
    if len(spend) == 1:
        (currency,) = spend
        customer.currency = customer.currency or currency
        customer.paid += history.get("orders", 0) if currency == customer.currency else 0


def _write(customer: Customer) -> str:
    account = customer.account
    beside = orjson.dumps([account.version, customer.first, customer.last, customer.currency, customer.paid])
    return f"{beside.decode()}\n{accounts.to_bytes(account).decode()}"


def _read(text: str) -> Customer:
    beside, _, state = text.partition("\n")
    version, first, last, currency, paid = orjson.loads(beside)
    return Customer(accounts.from_bytes(state, version), first, last, currency, paid)


def _row(customer: Customer) -> tuple[Any, ...]:
    account, totals = customer.account, customer.account.totals
    gross, net = totals.gross.get(customer.currency, 0), totals.net.get(customer.currency, 0)
    lots = sorted(
        (lot.expires_at, lot.available_at, lot.remaining) for lot in account.lots.values() if lot.asset == "points"
    )
    others = {currency: amount for currency, amount in totals.net.items() if currency != customer.currency}
    return (
        account.version,
        *_place(customer.first),
        *_place(customer.last),
        _tier(account),
        totals.orders,
        totals.refunds,
        customer.currency,
        gross,
        net,
        rounded(gross, customer.paid, Rounding.HALF_UP) if customer.paid else 0,
        orjson.dumps(others, option=orjson.OPT_SORT_KEYS).decode(),
        -NEVER if totals.first_order_at is None else totals.first_order_at,
        -NEVER if totals.last_order_at is None else totals.last_order_at,
        account.balances()["points"],
        sum(debt.remaining for debt in account.debts.values() if debt.asset == "points"),
        lots[0][0] if lots else NEVER,
        orjson.dumps(lots).decode(),
    )


def _place(seen: Seen | None) -> tuple[str | None, str | None, str | None]:
    place = seen[1] if seen else {}
    return place.get("channel"), place.get("store"), place.get("guide")


def _tier(account: Account) -> str | None:
    """The tier the customer stands at, as it was written last."""
    return tier_of(account.parts.get(TIERS.name))


CUSTOMERS = Model(
    name="customers",
    shape=2,
    key="customer",
    columns={
        "version": "bigint NOT NULL",
        "first_channel": "text",
        "first_store": "text",
        "first_guide": "text",
        "channel": "text",
        "store": "text",
        "guide": "text",
        "tier": "text",
        "orders": "bigint NOT NULL",
        "refunds": "bigint NOT NULL",
        "currency": "text NOT NULL",
        "gross": "bigint NOT NULL",
        "net": "bigint NOT NULL",
        "average": "bigint NOT NULL",
        "other_net": "text NOT NULL",
        "first_order_at": "bigint NOT NULL",
        "last_order_at": "bigint NOT NULL",
        "points": "bigint NOT NULL",
        "debt": "bigint NOT NULL",
        "expires_at": "bigint NOT NULL",
        "lots": "text NOT NULL",
    },
    indexes=("net, customer", "last_order_at, customer", "points, customer"),
    keys=_keys,
    fold=_fold,
    write=_write,
    read=_read,
    row=_row,
)
