"""`purchase.refunded`: what the refunded lines earned is taken back, once, and never more."""

import pytest

from tests.builders import (
    earns,
    granted,
    line,
    purchase,
    refunded,
    refunded_line,
    rules,
)
from tests.given import given, table

CARD_AND_FOOD = purchase(
    "SO-1",
    100_000,
    "2026-03-01",
    lines=[
        line(1, 50_000, sku="CARD", category="gift card", earns=False),
        line(2, 50_000, sku="FOOD", category="food"),
    ],
)
"""A gift card of 500 that does not earn, and food for 500 that earns."""

BOUGHT = purchase("SO-1", 8500, "2026-03-01")


def taken(amount, *parts):
    return f"{amount} points customer:points -> program:reversed of {' '.join(parts)}"


@table(
    (
        "the card refunded takes back nothing",
        lambda: (
            given(CARD_AND_FOOD)
            .lots("1.1 500/500")
            .when(refunded("SO-1", 50_000, "2026-03-02", lines=[refunded_line(1, 50_000)]))
            .then()
            .lots("1.1 500/500")
        ),
    ),
    (
        "the food refunded takes back all that was earned",
        lambda: (
            given(CARD_AND_FOOD)
            .when(refunded("SO-1", 50_000, "2026-03-02", lines=[refunded_line(2, 50_000)]))
            .then(taken(500, "1.1:500"))
            .lots()
        ),
    ),
    (
        "half the food takes back half",
        lambda: (
            given(CARD_AND_FOOD)
            .when(refunded("SO-1", 25_000, "2026-03-02", lines=[refunded_line(2, 25_000)]))
            .then(taken(250, "1.1:250"))
        ),
    ),
    (
        "without lines it is proportional to the earning base left",
        lambda: (
            given(CARD_AND_FOOD)
            .when(refunded("SO-1", 50_000, "2026-03-02"))
            .then(taken(250, "1.1:250"))
            .lots("1.1 250/500")
        ),
    ),
    (
        "the base left after the card went is the food alone",
        lambda: (
            given(CARD_AND_FOOD, refunded("SO-1", 50_000, "2026-03-02", lines=[refunded_line(1, 50_000)]))
            .when(refunded("SO-1", 25_000, "2026-03-03", refund="RF-2"))
            .then(taken(250, "1.1:250"))
        ),
    ),
    (
        "the part paid with points was never earned, so it is not taken back",
        lambda: (
            given(
                purchase(
                    "SO-1",
                    1000,
                    "2026-03-01",
                    tenders=[{"kind": "points", "amount": 400, "reference": "R"}, {"kind": "card", "amount": 600}],
                )
            )
            .lots("1.1 6/6")
            .when(refunded("SO-1", 500, "2026-03-02"))
            .then(taken(3, "1.1:3"))
        ),
    ),
    (
        "fixed points go back in the same proportion",
        lambda: (
            given(BOUGHT, document=rules(earns(None, points=50)))
            .when(refunded("SO-1", 1700, "2026-03-02"))
            .then(taken(10, "1.1:10"))
        ),
    ),
    (
        "a purchase that was capped gives back its share of what it earned, not of what it would have",
        lambda: (
            given(BOUGHT, document=rules(earns(cap_per_order=40)))
            .when(refunded("SO-1", 4250, "2026-03-02"))
            .then(taken(20, "1.1:20"))
        ),
    ),
    (
        "each rule's lot gives back its own",
        lambda: (
            given(BOUGHT, document=rules(earns(), earns("1/10", id="more")))
            .when(refunded("SO-1", 8500, "2026-03-02"))
            .then(taken(85, "1.1:85"), taken(8, "1.2:8"))
        ),
    ),
    (
        "an order that earned nothing gives nothing back, whatever else is there",
        lambda: (
            given(granted(9, "2026-03-01"), purchase("SO-1", 99, "2026-03-01"))
            .when(refunded("SO-1", 99, "2026-03-02"))
            .then()
        ),
    ),
    (
        "the order's own points go first, even where others expire sooner",
        lambda: (
            given(BOUGHT, granted(30, "2026-03-01", expires_at="2026-03-05T00:00:00Z"))
            .when(refunded("SO-1", 8500, "2026-03-02"))
            .then(taken(85, "1.1:85"))
            .lots("2.1 30/30 until 2026-03-05")
        ),
    ),
    (
        "the record names the order, the currency and what became of each earning",
        lambda: (
            given(BOUGHT)
            .when(refunded("SO-1", 8500, "2026-03-02"))
            .derived(
                currency="CNY",
                order={"source": "/till", "id": "e-2", "version": 1},
                orders=[
                    {
                        "order": "purchase:shop:SO-1",
                        "lines": [[0, 8500, 1000]],
                        "clawback": [{"lot": "1.1", "due": 85, "taken": 85, "expired": 0, "dropped": 0, "debt": 0}],
                    }
                ],
            )
        ),
    ),
)
def test_a_refund_takes_back_what_its_lines_earned(scenario):
    """Planted: a line's share taken of the total instead of its own base (the card takes back 250)."""
    scenario()


@pytest.mark.parametrize(
    "parts", [[1000], [999, 1], [1, 999], [333, 333, 334], [100] * 10, [70] * 14 + [20], [10] * 100], ids=len
)
@pytest.mark.parametrize("rate", ["1", "1/3", "7"])
def test_a_full_refund_in_any_number_of_parts_takes_back_exactly_what_was_earned(rate, parts):
    """Planted: each part's share rounded by itself (three parts of 3 points take back 2)."""
    before = given(purchase("SO-1", 1000, "2026-03-01"), document=rules(earns(rate)))
    ledger = before.ledger
    earned = ledger.account.balances()["points"]
    for number, part in enumerate(parts):
        left = ledger.account.balances()["points"]
        ledger.post(refunded("SO-1", part, "2026-03-02", refund=f"RF-{number}"))
        assert 0 <= left - ledger.account.balances()["points"] <= earned
    assert ledger.account.balances()["points"] == 0
    assert sum(posting.amount for record in ledger.records[1:] for posting in record.postings) == earned


@table(
    (
        "beyond the purchase",
        lambda: (
            given(BOUGHT)
            .when(refunded("SO-1", 8501, "2026-03-02"))
            .refused("refund_exceeds_purchase", left=8500, requested=8501)
            .nothing_changed()
        ),
    ),
    (
        "beyond it in two parts",
        lambda: (
            given(BOUGHT, refunded("SO-1", 8000, "2026-03-02"))
            .when(refunded("SO-1", 501, "2026-03-02", refund="RF-2"))
            .refused("refund_exceeds_purchase", left=500, requested=501)
            .nothing_changed()
        ),
    ),
    (
        "beyond a line, though the order has more",
        lambda: (
            given(CARD_AND_FOOD)
            .when(refunded("SO-1", 50_001, "2026-03-02", lines=[refunded_line(1, 50_001)]))
            .refused("refund_exceeds_purchase", line=1, left=50_000, requested=50_001)
            .nothing_changed()
        ),
    ),
    (
        "more goods than were bought",
        lambda: (
            given(CARD_AND_FOOD)
            .when(refunded("SO-1", 1, "2026-03-02", lines=[refunded_line(1, 1, quantity=2)]))
            .refused("refund_exceeds_purchase", line=1, quantity_left_thousandths=1000)
        ),
    ),
    (
        "one line within, one beyond: neither counts",
        lambda: (
            given(CARD_AND_FOOD)
            .when(
                refunded(
                    "SO-1", 60_001, "2026-03-02", lines=[refunded_line(1, 50_000), refunded_line(2, 10_001, quantity=2)]
                )
            )
            .refused("refund_exceeds_purchase", line=2)
            .nothing_changed()
        ),
    ),
    (
        "a line after the whole went without lines",
        lambda: (
            given(CARD_AND_FOOD, refunded("SO-1", 100_000, "2026-03-02"))
            .when(refunded("SO-1", 1, "2026-03-03", refund="RF-2", lines=[refunded_line(2, 1)]))
            .refused("refund_exceeds_purchase", left=0)
        ),
    ),
)
def test_a_refund_beyond_the_purchase_is_refused(scenario):
    """Planted: the sum of earlier refunds forgotten."""
    scenario()
