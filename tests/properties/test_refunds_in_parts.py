"""A full refund in any number of parts takes back exactly what was earned, whatever the rules and whatever was spent."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.builders import MemoryLedger, at, earns, event, granted, redeemed, rules
from tests.properties import stories

EARNING = st.lists(stories.purchase_rules | stories.fixed_rules, min_size=1, max_size=2)
DAY_1, DAY_2, DAY_3 = at("2026-03-01"), at("2026-03-02"), at("2026-03-03")


@given(
    earning=EARNING,
    data=stories.purchases(),
    parts=st.lists(st.integers(1, 400), max_size=8),
    policy=st.sampled_from(["within_balance", "allow_negative"]),
    spent=st.integers(0, 4),
)
@settings(max_examples=150)
def test_random_parts_take_back_exactly_what_was_earned(
    earning: list[dict[str, Any]], data: dict[str, Any], parts: list[int], policy: str, spent: int
) -> None:
    """Planted: every part's share rounded by itself; the tier's or second rule's lot forgotten."""
    assume(data["total"] > 0)
    ledger = MemoryLedger({"earning": [{**rule, "id": f"r_{n}"} for n, rule in enumerate(earning)], "refunds": policy})
    ledger.post(event("purchase.recorded", DAY_1, order_id="SO-1", **data))
    earned = ledger.account.balances()["points"]
    if earned * spent // 4:
        ledger.post(redeemed("R", earned * spent // 4, DAY_2))
    refund_in(ledger, data["total"], parts)
    clawed = [one for record in ledger.records if record.type == "purchase.refunded" for one in clawbacks(record)]
    assert sum(one["due"] for one in clawed) == earned
    taken = sum(one["taken"] for one in clawed)
    owed = sum(one["debt"] for one in clawed)
    assert taken == earned - earned * spent // 4
    assert taken + owed + sum(one["dropped"] for one in clawed) == earned
    assert ledger.account.balances()["points"] == -owed


def refund_in(ledger: MemoryLedger, total: int, parts: list[int]) -> None:
    """Parts as far as they go, then the rest."""
    left = total
    for number, part in enumerate([*parts, total]):
        amount = min(part, left)
        if amount:
            refund = f"RF-{number}"
            ledger.post(event("purchase.refunded", DAY_3, refund_id=refund, order_id="SO-1", amount=amount))
        left -= amount


def clawbacks(record: Any) -> list[dict[str, int]]:
    return [one for order in record.derived["orders"] for one in order["clawback"]]


@pytest.mark.parametrize(("currency", "scale"), [("JPY", 2), ("CNY", 0), ("KWD", 4)])
def test_in_a_hundred_parts_too(currency: str, scale: int) -> None:
    ledger = MemoryLedger(rules(earns("7/3", rounding="half_up"), program={"points_scale": scale}))
    ledger.post(granted(5, DAY_1))
    ledger.post(event("purchase.recorded", DAY_1, order_id="SO-1", currency=currency, total=1000))
    for number in range(100):
        ledger.post(event("purchase.refunded", DAY_3, refund_id=f"RF-{number}", order_id="SO-1", amount=10))
    assert ledger.account.balances() == {"points": 5}
