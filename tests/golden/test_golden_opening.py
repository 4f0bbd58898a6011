"""An opening as it was written, kept for ever: `opening-2.ndjson` is never changed, and gives the account it gave.

A customer of gold is taken over in two parts with lots, growth, a tier, a coupon and a membership; signs up, buys, uses the
coupon, spends; then the clock runs. Growth of 600 was granted on 2025-05-10, 150 on 2025-09-01, and 50 come with the purchase.
"""

import hashlib
from pathlib import Path

import pytest

from ledger import account as accounts
from ledger.account import Account
from ledger.instants import parse
from ledger.parts.tiers import tier_of
from ledger.records import Record
from tests.given import lot_text
from tests.properties.invariants import check_records

LINES = (Path(__file__).parent / "opening-2.ndjson").read_bytes().splitlines()
DIGEST = "a0aa4ec130fda0f0b163cbae4e7981558a70334aade0eaa18fcba90b59667ecc"
STORED = {"stored.principal:CNY": 40000, "stored.bonus:CNY": 8000}
STATED = {
    "2026-01-01T15:59:59Z": ({"points": 0}, None, None, []),
    "2026-01-01T16:00:00Z": ({"points": 327, "growth": 750, **STORED, "coupon:ten": 3}, "gold", "active", [3]),
    "2026-01-05T00:00:00Z": ({"points": 47, "growth": 800, **STORED, "coupon:ten": 2}, "gold", "active", [2]),
    "2026-03-01T00:00:00Z": ({"points": 47, "growth": 800, **STORED}, "gold", "active", []),
    "2026-06-01T00:00:00Z": ({"points": 47, "growth": 800, **STORED}, "silver", "active", []),
    "2026-08-01T00:00:00Z": ({"points": 47, "growth": 800, **STORED}, "silver", "ended", []),
}
"""What a reader sees at an instant: balances, tier, membership, uses left of coupons."""


def account(as_of: str) -> Account:
    return accounts.fold([Record.from_bytes(line) for line in LINES], parse(as_of))


def test_the_file_is_the_one_that_was_written():
    assert hashlib.sha256(b"".join(line + b"\n" for line in LINES)).hexdigest() == DIGEST


@pytest.mark.parametrize("as_of", STATED)
def test_at_every_instant_a_reader_sees_what_is_stated(as_of):
    """Against: a fold that counts growth on the day of the opening, or reads the tier from the first part alone."""
    shown = accounts.show_account(account(as_of), parse(as_of))
    tier = tier_of(account(as_of).parts.get("tiers"))
    membership = shown.get("membership", {}).get("status")
    coupons = [coupon["left"] for coupon in shown.get("coupons", ())]
    assert (shown["balances"], tier, membership, coupons) == STATED[as_of]


def test_its_lots_keep_the_grants_and_ends_of_the_other_system():
    found = [
        lot_text(lot)
        for lot in sorted(account("2026-01-02T00:00:00Z").lots.values(), key=accounts.order_of_consumption)
    ]
    assert found == [
        "coupon:ten 1.6 3/3 until 2026-03-01",
        "1.1 320/320 until 2026-07-01",
        "stored.bonus:CNY 1.5 8000/8000 until 2026-12-31T16:00",
        "growth 1.2 600/600",
        "stored.principal:CNY 1.4 40000/40000",
        "3.1 7/7",
        "growth 1.3 150/150",
    ]


def test_it_is_not_new():
    totals = account("2026-01-02T00:00:00Z").totals
    assert (totals.orders, totals.gross) == (41, {"CNY": 523400})
    assert accounts.show_account(account("2026-01-02T00:00:00Z"), parse("2026-01-02T00:00:00Z"))["opened_from"] == [
        {"system": "old", "cutover_at": "2026-01-01T16:00:00Z", "parts": 2}
    ]


def test_its_records_hold_together_and_written_again_are_the_same_bytes():
    records = [Record.from_bytes(line) for line in LINES]
    check_records(records)
    assert [record.to_bytes() for record in records] == LINES
