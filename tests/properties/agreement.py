"""The real ledger and the naive model, held against each other at every pair of cut-offs."""

from collections import Counter
from typing import Any

from ledger import account as accounts
from ledger.account import Account
from ledger.instants import show
from ledger.records import Posting, Record
from tests.properties.invariants import cut_offs
from tests.properties.naive import Facts, Seen


def check_like_naive(ledgers: list[tuple[list[Record], list[int]]], naive: Facts) -> None:
    """A reader of each ledger's records sees what the naive model sees, after each event (with as many records by then)."""
    held = any(record.type == "hold.placed" for records, _ in ledgers for record in records)
    for as_of in sorted({instant for records, _ in ledgers for instant in cut_offs(records)}):
        states = [accounts.empty() for _ in ledgers]
        for unit, wanted in enumerate(naive.seen(as_of)):
            for number, (records, lengths) in enumerate(ledgers):
                state = states[number]
                new = records[state.version : lengths[unit]]
                for record in new:
                    accounts.apply(state, record, as_of)
                if new:
                    alike = by_terms if held else _as_it_is
                    assert alike(seen(state, as_of)) == alike(wanted), (
                        f"ledger {number} as of {show(as_of)}, after event {unit}"
                    )


def _as_it_is(account: Seen) -> Seen:
    return account


def by_terms(account: Seen) -> Seen:
    """Lots of one grant instant and expiry taken together, whatever their reason.

    Which of two such lots is spent first may hang on which of them the ledger opened first, and a hold that times out opens
    one when the clock writes it.
    """
    together: Counter[tuple[Any, ...]] = Counter()
    for asset, _, remaining, *terms, _ in account.lots:
        together[asset, *terms] += remaining
    aside: Counter[tuple[Any, ...]] = Counter()
    for asset, remaining, *terms, _ in account.held:
        aside[asset, *terms] += remaining
    return account._replace(lots=tuple(sorted(together.items())), held=tuple(sorted(aside.items())))


def seen(state: Account, as_of: int) -> Seen:
    """The account as a reader sees it, without the ids of lots: they carry a version, which the clock moves."""
    there = accounts.lapsed(state, as_of)
    totals = there.totals
    return Seen(
        tuple(
            (lot.asset, lot.amount, lot.remaining, lot.granted_at, lot.available_at, lot.expires_at, lot.reason)
            for lot in sorted(there.lots.values(), key=accounts.order_of_consumption)
        ),
        tuple(
            sorted(
                (lot.asset, lot.remaining, lot.granted_at, lot.expires_at, lot.reason) for lot in there.held.values()
            )
        ),
        tuple((debt.amount, debt.remaining, debt.at) for debt in there.debts.values()),
        there.balances(),
        {
            "orders": totals.orders,
            "refunds": totals.refunds,
            "gross": totals.gross,
            "net": totals.net,
            "first_order_at": totals.first_order_at,
            "last_order_at": totals.last_order_at,
        },
    )


def check_accounts(records: list[Record], naive: Facts, now: int) -> None:
    """Once the clock has run: granted = open + redeemed + expired + reversed ± adjusted, at every instant by then."""
    for as_of in [instant for instant in cut_offs(records) if instant <= now]:
        taken: Counter[str] = Counter()
        for record in records:
            for posting in record.postings:
                if (record.instant if posting.at is None else posting.at) <= as_of:
                    _count(taken, posting)
        assert +taken == naive.accounts(as_of), f"as of {show(as_of)}"


def _count(taken: Counter[str], posting: Posting) -> None:
    """What went out to the program, less what came back into the lots it was taken from."""
    if posting.to.startswith("program:"):
        taken[posting.to] += posting.amount
    elif posting.restores:
        taken[posting.source] -= posting.amount
