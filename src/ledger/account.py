"""The account of one customer: the fold of its records and nothing else.

`evolve(state, record)` is the fold's step. A cut-off `as_of` counts only what had happened by that instant; records are folded
in the order of their versions all the same. Lots that are used up leave the state; a posting into one carries what recreates it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import orjson

from ledger.errors import InvariantBroken
from ledger.instants import NEVER, parse, show
from ledger.parts import BY_NAME, BY_TYPE
from ledger.records import Debt, Lot, Posting, Record, lot_to_json

STATE_SCHEMA = 6
"""Number of this fold. A head that carries another is folded again from its records."""

OPEN_LOTS_MAX = 2_000

CLOSED = "closed"
"""Key in the part `standing`: nothing falls due on an account that is closed."""


@dataclass(slots=True)
class Totals:
    """Orders and money of a customer; money in minor units by currency."""

    orders: int = 0
    refunds: int = 0
    gross: dict[str, int] = field(default_factory=dict)
    net: dict[str, int] = field(default_factory=dict)
    first_order_at: int | None = None
    last_order_at: int | None = None


@dataclass(slots=True)
class Account:
    """State of one stream.

    Attributes:
        version: of the last record folded; 0 = no stream.
        latest: the latest instant recorded on the stream; an event before it is late.
        lots: open lots by id. debts: open debts by id. held: lots set aside by holds, by id; they do not expire.
        day, earned: points earned by rule on the latest business day, for caps.
        parts: what the families know, by name; see `ledger.parts`.
    """

    version: int = 0
    latest: int = -NEVER
    lots: dict[str, Lot] = field(default_factory=dict)
    debts: dict[str, Debt] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    day: str = ""
    earned: dict[str, int] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    held: dict[str, Lot] = field(default_factory=dict)

    def balances(self) -> dict[str, int]:
        """Per asset lots − debts, pending and held included; `<asset>:debt` where not 0. `points` is always there."""
        shown = {"points": 0}
        for lot in self.lots.values():
            shown[lot.asset] = shown.get(lot.asset, 0) + lot.remaining
        for lot in self.held.values():
            shown[lot.asset] = shown.get(lot.asset, 0) + lot.remaining
        for debt in self.debts.values():
            shown[debt.asset] = shown.get(debt.asset, 0) - debt.remaining
            key = f"{debt.asset}:debt"
            shown[key] = shown.get(key, 0) + debt.remaining
        return shown

    def due_at(self) -> int | None:
        """The first instant at which time itself changes this account; None if it never does."""
        if CLOSED in self.parts.get("standing", ()):
            return None
        due = NEVER
        for lot in self.lots.values():
            due = min(due, lot.expires_at)
        for name, part in self.parts.items():
            due = min(due, BY_NAME[name].due_at(part))
        return None if due == NEVER else due


def empty() -> Account:
    """The state before the first record."""
    return Account()


def evolve(state: Account, record: Record) -> Account:
    """Apply one record; the given state is left as it was.

    Raises:
        InvariantBroken: the record is not the stream's next, or a lot would leave 0 … amount.
    """
    after = copied(state)
    apply(after, record)
    return after


def fold(records: Iterable[Record], as_of: int = NEVER) -> Account:
    """Apply all records of a stream in order of version, counting only what happened by `as_of`."""
    state = empty()
    for record in records:
        apply(state, record, as_of)
    return state


def totals_of(records: Iterable[Record], as_of: int) -> Totals:
    """The totals alone, counting only what happened by an instant."""
    totals = Totals()
    for record in records:
        count = _COUNTED.get(record.type)
        if count is not None and (instant := record.instant) <= as_of:
            count(totals, record.data, record.derived or {}, instant)
    return totals


def apply(state: Account, record: Record, as_of: int = NEVER) -> None:
    """Apply one record in place; see `evolve` and `fold`."""
    if record.version != state.version + 1:
        raise InvariantBroken(f"record {record.version} does not follow version {state.version}")
    state.version = record.version
    instant = record.instant
    state.latest = max(state.latest, instant)
    for posting in record.postings:
        at = instant if posting.at is None else posting.at
        state.latest = max(state.latest, at)
        if at <= as_of:
            move(state, posting, at)
    if instant <= as_of:
        _count(state, record, instant)
        for family in BY_TYPE.get(record.type, ()):
            part = family.evolve(state.parts.get(family.name), record, instant)
            if part is None:
                state.parts.pop(family.name, None)
            else:
                state.parts[family.name] = part


def move(state: Account, posting: Posting, at: int) -> None:
    """Apply one posting to the lots, those that are held, and the debts.

    Raises:
        InvariantBroken: a lot or debt would leave 0 … amount, or is not known.
    """
    debts_account = f"customer:{posting.asset}:debt"
    if posting.source == debts_account and posting.lot:
        state.debts[posting.lot] = Debt(posting.lot, posting.asset, posting.amount, posting.amount, at)
        return
    if posting.source.startswith("customer:"):
        lots = _lots_in(state, posting.source)
        for lot_id, amount in posting.lots:
            _take(lots, lot_id, amount)
    elif posting.lots:
        lots = _lots_in(state, posting.to)
        for restored in posting.restores:
            lots.setdefault(restored.id, restored._replace(remaining=0))
        for lot_id, amount in posting.lots:
            _take(lots, lot_id, -amount)
    for debt_id, amount in posting.debts:
        _close(state, debt_id, amount)
    if posting.lot and posting.to.startswith("customer:"):
        _lots_in(state, posting.to)[posting.lot] = lot_of(posting, at)


def lot_of(posting: Posting, at: int) -> Lot:
    """The lot a posting opens."""
    return Lot(
        posting.lot or "",
        posting.asset,
        posting.amount,
        posting.amount,
        at if posting.granted_at is None else posting.granted_at,
        posting.available_at or 0,
        posting.expires_at,
        posting.reason or posting.source.rpartition(":")[2],
    )


def lapsed(state: Account, instant: int) -> Account:
    """The account as a reader sees it at an instant, whether or not the clock has written it.

    What is past its expiry is gone; what a hold that timed out had set aside is free again.
    """
    held = state.held and held_at(state, instant)
    freed = {lot.id: lot._replace(amount=lot.remaining) for lot in state.held.values() if lot.id not in held}
    lots = {lot.id: lot for lot in (*state.lots.values(), *freed.values()) if lot.expires_at > instant}
    return state if len(lots) == len(state.lots) and not freed else replace(state, lots=lots, held=held)


def held_at(state: Account, instant: int) -> dict[str, Lot]:
    """What is held at an instant: that of holds which have timed out by then is not."""
    over = {lot for hold in state.parts.get("holds", {}).values() if hold["until"] <= instant for lot in hold["lots"]}
    return {lot.id: lot for lot in state.held.values() if lot.id not in over}


def copied(state: Account) -> Account:
    """A state that can be changed without changing the other."""
    totals = state.totals
    return Account(
        state.version,
        state.latest,
        state.lots.copy(),
        state.debts.copy(),
        Totals(
            totals.orders,
            totals.refunds,
            totals.gross.copy(),
            totals.net.copy(),
            totals.first_order_at,
            totals.last_order_at,
        ),
        state.day,
        state.earned.copy(),
        state.parts.copy(),
        state.held.copy(),
    )


def to_bytes(state: Account) -> bytes:
    """The state as the head row carries it. `version` is the row's own column, so it is not repeated."""
    totals = state.totals
    return orjson.dumps(
        [
            state.latest,
            [tuple(lot) for lot in state.lots.values()],
            [tuple(debt) for debt in state.debts.values()],
            [totals.orders, totals.refunds, totals.gross, totals.net, totals.first_order_at, totals.last_order_at],
            state.day,
            state.earned,
            state.parts,
            [tuple(lot) for lot in state.held.values()],
        ]
    )


def from_bytes(stored: bytes | str, version: int) -> Account:
    """Read a state that `to_bytes` of the same STATE_SCHEMA wrote."""
    latest, lots, debts, totals, day, earned, parts, held = orjson.loads(stored)
    return Account(
        version,
        latest,
        {lot[0]: Lot(*lot) for lot in lots},
        {debt[0]: Debt(*debt) for debt in debts},
        Totals(*totals),
        day,
        earned,
        parts,
        {lot[0]: Lot(*lot) for lot in held},
    )


def show_account(
    state: Account, instant: int, show_lot: Callable[[Lot], dict[str, Any]] = lot_to_json
) -> dict[str, Any]:
    """The body of the customer answer, without its cut-offs: balances, lots, debts, tier, totals at an instant.

    `show_lot` is `lot_to_json`, or remembers what that made.
    """
    seen = lapsed(state, instant)
    available, pending, held = {"points": 0}, {"points": 0}, {"points": 0}
    for lot in seen.lots.values():
        if lot.asset == "growth":
            continue  # counts towards tiers and is never spent
        into = pending if lot.available_at > instant else available
        into[lot.asset] = into.get(lot.asset, 0) + lot.remaining
    for lot in seen.held.values():
        held[lot.asset] = held.get(lot.asset, 0) + lot.remaining
    totals = seen.totals
    shown = {
        "balances": seen.balances(),
        "available": available,
        "pending": pending,
        "held": held,
        "lots": [show_lot(lot) for lot in sorted(seen.lots.values(), key=order_of_consumption)],
        "debts": [
            {
                "lot": debt.id,
                "asset": debt.asset,
                "amount": debt.amount,
                "remaining": debt.remaining,
                "at": show(debt.at),
            }
            for debt in seen.debts.values()
        ],
        "tier": None,
        "totals": {
            "orders": totals.orders,
            "refunds": totals.refunds,
            "gross": totals.gross,
            "net": totals.net,
            "first_order_at": None if totals.first_order_at is None else show(totals.first_order_at),
            "last_order_at": None if totals.last_order_at is None else show(totals.last_order_at),
        },
    }
    for name, part in seen.parts.items():
        shown.update(BY_NAME[name].show(part, instant))
    return shown


def order_of_consumption(lot: Lot) -> tuple[int, int, int, int]:
    """Soonest expiry first, then oldest, then the order in which they were opened."""
    return lot.expires_at, lot.granted_at, *_origin(lot.id)


@lru_cache(maxsize=65_536)
def _origin(lot_id: str) -> tuple[int, int]:
    """The version and the ordinal that make a lot's id: ids are few, and asked after wherever lots are shown or taken from."""
    version, _, ordinal = lot_id.partition(".")
    return int(version), int(ordinal)


def _lots_in(state: Account, account: str) -> dict[str, Lot]:
    """The lots of a customer's account: those that are held lie apart."""
    return state.held if account.endswith(":held") else state.lots


def _take(lots: dict[str, Lot], lot_id: str, amount: int) -> None:
    lot = lots.get(lot_id)
    if lot is None:
        raise InvariantBroken(f"lot {lot_id} is not open")
    remaining = lot.remaining - amount
    if not 0 <= remaining <= lot.amount:
        raise InvariantBroken(f"lot {lot_id} would hold {remaining} of {lot.amount}")
    if remaining:
        lots[lot_id] = lot._replace(remaining=remaining)
    else:
        del lots[lot_id]


def _close(state: Account, debt_id: str, amount: int) -> None:
    debt = state.debts.get(debt_id)
    if debt is None or not 0 < amount <= debt.remaining:
        raise InvariantBroken(f"debt {debt_id} cannot be lowered by {amount}")
    if amount == debt.remaining:
        del state.debts[debt_id]
    else:
        state.debts[debt_id] = debt._replace(remaining=debt.remaining - amount)


def _count(state: Account, record: Record, instant: int) -> None:
    """Totals, and what caps a day need."""
    count = _COUNTED.get(record.type)
    if count is not None:
        count(state.totals, record.data, record.derived or {}, instant)
    day = (record.derived or {}).get("business_day")
    if day is None or day < state.day:
        return
    if day > state.day:
        state.day, state.earned = day, {}
    for posting in record.postings:
        if posting.rule is not None and posting.lot is not None:
            state.earned[posting.rule] = state.earned.get(posting.rule, 0) + posting.amount


def _purchased(totals: Totals, data: dict[str, Any], _: dict[str, Any], instant: int) -> None:
    totals.orders += 1
    _add(totals.gross, data["currency"], data["total"])
    _add(totals.net, data["currency"], data["total"])
    _widen(totals, instant, instant)


def _refunded(totals: Totals, data: dict[str, Any], derived: dict[str, Any], _: int) -> None:
    totals.refunds += 1
    _add(totals.net, data.get("currency") or derived["currency"], -data["amount"])


def _opened(totals: Totals, data: dict[str, Any], _: dict[str, Any], __: int) -> None:
    history = data.get("history")
    if not history:
        return
    first, last = history.get("first_order_at"), history.get("last_order_at")
    totals.orders += history.get("orders", len({first, last} - {None}))  # an instant of an order tells of one
    for currency, amount in history.get("spend", {}).items():
        _add(totals.gross, currency, amount)
        _add(totals.net, currency, amount)
    if first or last:
        _widen(totals, parse(first or last), parse(last or first))


def _widen(totals: Totals, first: int, last: int) -> None:
    if totals.first_order_at is None or first < totals.first_order_at:
        totals.first_order_at = first
    if totals.last_order_at is None or last > totals.last_order_at:
        totals.last_order_at = last


def _add(money: dict[str, int], currency: str, amount: int) -> None:
    money[currency] = money.get(currency, 0) + amount


_COUNTED = {
    "purchase.recorded": _purchased,
    "purchase.refunded": _refunded,
    "purchase.returned": _refunded,
    "account.opened_from": _opened,
}
