"""Caps per order and per day, and the multiplier of a tier."""

from fractions import Fraction

import pytest

from ledger import account as accounts
from ledger.deciding import Context
from ledger.deciding.earning import earn_for_purchase
from ledger.deciding.unit import Unit
from tests.builders import MemoryLedger, at, earns, purchase, rules, signed_up
from tests.given import given, posting_text, table

DAILY = rules(earns(cap_per_day=100))


def earned(points, lot):
    return f"{points} points program:issued:purchase -> customer:points opens {lot} by base"


@table(
    (
        "an order earns up to its cap, and says which cap bit",
        lambda: (
            given(document=rules(earns(cap_per_order=50)))
            .when(purchase("SO-1", 8000, "2026-03-01"))
            .then(earned(50, "1.1"))
            .why(base=8000, cap_per_order=50)
            .notes({"code": "capped", "rule": "base", "cap_per_order": 50, "uncapped": 80})
        ),
    ),
    (
        "an order at its cap is not capped",
        lambda: (
            given(document=rules(earns(cap_per_order=50)))
            .when(purchase("SO-1", 5000, "2026-03-01"))
            .then(earned(50, "1.1"))
            .why(cap_per_order=None)
            .notes()
        ),
    ),
    (
        "a day earns up to its cap over all orders",
        lambda: (
            given(purchase("SO-1", 7000, "2026-03-01T10:00"), document=DAILY)
            .when(purchase("SO-2", 7000, "2026-03-01T18:00"))
            .then(earned(30, "2.1"))
            .notes(
                {"code": "capped", "rule": "base", "cap_per_day": 100, "business_day": "2026-03-01", "uncapped": 70},
            )
        ),
    ),
    (
        "a day that is used up earns nothing more, and says which cap bit",
        lambda: (
            given(
                purchase("SO-1", 10000, "2026-03-01T10:00"), document=rules(earns(cap_per_order=100, cap_per_day=100))
            )
            .when(purchase("SO-2", 20000, "2026-03-01T18:00"))
            .then()
            .notes(
                {"code": "capped", "rule": "base", "cap_per_order": 100, "uncapped": 200},
                {"code": "capped", "rule": "base", "cap_per_day": 100, "business_day": "2026-03-01", "uncapped": 100},
                {"code": "nothing_earned", "rule": "base", "reason": "cap_per_day"},
            )
        ),
    ),
    (
        "the next day begins anew",
        lambda: (
            given(purchase("SO-1", 10000, "2026-03-01T10:00"), document=DAILY)
            .when(purchase("SO-2", 7000, "2026-03-02"))
            .then(earned(70, "2.1"))
        ),
    ),
    (
        "each rule has its own cap",
        lambda: (
            given(purchase("SO-1", 10000, "2026-03-01"), document=rules(earns(cap_per_day=100), earns(id="more")))
            .when(purchase("SO-2", 1000, "2026-03-01T01:00"))
            .then("10 points program:issued:purchase -> customer:points opens 2.1 by more")
        ),
    ),
    (
        "the day is the program's: 05:00 in Shanghai begins it",
        lambda: (
            given(
                purchase("SO-1", 10000, "2026-03-01T12:00+08:00"),
                document={**DAILY, "program": {"time_zone": "Asia/Shanghai"}, "business_day_starts_at": "05:00"},
            )
            .when(purchase("SO-2", 1000, "2026-03-02T04:59+08:00"))
            .then()
            .derived(business_day="2026-03-01")
        ),
    ),
    (
        "and at 05:00 the next one counts",
        lambda: (
            given(
                purchase("SO-1", 10000, "2026-03-01T12:00+08:00"),
                document={**DAILY, "program": {"time_zone": "Asia/Shanghai"}, "business_day_starts_at": "05:00"},
            )
            .when(purchase("SO-2", 1000, "2026-03-02T05:00+08:00"))
            .then(earned(10, "2.1"))
            .derived(business_day="2026-03-02")
        ),
    ),
    (
        "the business day that was sent is the one capped",
        lambda: (
            given(purchase("SO-1", 10000, "2026-03-01"), document=DAILY)
            .when(purchase("SO-2", 1000, "2026-03-02T02:00", business_day="2026-03-01"))
            .then()
        ),
    ),
    (
        "late: a cap counts by time in order of arrival",
        lambda: (
            given(
                purchase("SO-1", 7000, "2026-03-01T10:00"), purchase("SO-2", 9000, "2026-03-02T10:00"), document=DAILY
            )
            .when(purchase("SO-3", 7000, "2026-03-01T09:00"))
            .then(earned(30, "3.1"))
        ),
    ),
    (
        "late: the day of the head is not charged for another",
        lambda: (
            given(
                purchase("SO-1", 7000, "2026-03-01T10:00"),
                purchase("SO-2", 9000, "2026-03-02T10:00"),
                purchase("SO-3", 7000, "2026-03-01T09:00"),
                document=DAILY,
            )
            .when(purchase("SO-4", 7000, "2026-03-02T09:00"))
            .then(earned(10, "4.1"))
        ),
    ),
    (
        "a sign-up has its fixed points, capped by the day",
        lambda: (
            given(document=rules({"id": "hello", "on": "customer.signed_up", "points": 100, "cap_per_day": 60}))
            .when(signed_up("2026-03-01"))
            .then("60 points program:issued:signup -> customer:points opens 1.1 by hello")
        ),
    ),
)
def test_caps(scenario):
    """Planted: caps counted from the head's day only, so a late purchase is charged for the wrong day."""
    scenario()


@pytest.mark.parametrize(
    ("rule", "total", "wanted"),
    [
        (earns(tier_multipliers={"gold": "1.5"}), 1000, ["10 purchase", "5 multiplier"]),
        (earns(tier_multipliers={"gold": "1.5"}), 500, ["5 purchase", "2 multiplier"]),
        (earns(tier_multipliers={"silver": "2"}), 500, ["5 purchase"]),
        (earns(tier_multipliers={"gold": "2"}, cap_per_order=15), 1000, ["10 purchase", "5 multiplier"]),
        (earns(tier_multipliers={"gold": "2"}, cap_per_order=7), 1000, ["7 purchase"]),
        (earns(tier_multipliers={"gold": "2"}, cap_per_day=12), 1000, ["10 purchase", "2 multiplier"]),
    ],
    ids=["times 1.5", "rounded down", "another tier", "the extra gives way first", "then the base", "the day too"],
)
def test_a_tier_multiplies_what_a_rule_earns(rule, total, wanted):
    """The hook is there before tiers are: a unit is asked with a tier. Planted: the extra rounded up."""
    ledger = MemoryLedger(rules(rule))
    unit = Unit(
        accounts.empty(),
        Context("shop", at("2026-03-01"), ledger.program),
        "c-1",
        at("2026-03-01"),
        ledger.program.rules.latest,
    )
    data = {"order_id": "SO-1", "currency": "CNY", "total": total}
    earn_for_purchase(unit, data, "2026-03-01", "gold")
    assert [f"{posting.amount} {posting.source.rpartition(':')[2]}" for posting in unit.postings] == wanted
    if len(wanted) > 1:
        why = unit.postings[1].why
        assert (why["tier"], why["multiplier"]) == ("gold", str(Fraction(rule["tier_multipliers"]["gold"])))
        assert posting_text(unit.postings[1]).endswith("by base")
