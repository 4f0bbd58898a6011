"""A stream holds at most 2,000 open lots an asset; beyond it those that agree are joined by a posting."""

from collections import Counter

import pytest

from ledger.account import OPEN_LOTS_MAX
from tests.builders import (
    MemoryLedger,
    at,
    delivered,
    given_back,
    granted,
    line,
    opened,
    purchase,
    redeemed,
    refunded,
    rules,
)
from tests.given import given, lots_of

MONTHLY = {"kind": "end_of_month", "n": 0}
FEW = 4


@pytest.fixture
def few_lots(monkeypatch):
    """The bound lowered to four, so that a scenario fits on a page."""
    monkeypatch.setattr("ledger.deciding.unit.OPEN_LOTS_MAX", FEW)


def lots(count, asset="points", granted_at="2025-06-01T00:00:00Z", **more):
    return [{"asset": asset, "amount": 1, "granted_at": granted_at, "reason": "opening", **more} for _ in range(count)]


def test_two_that_agree_are_joined_at_two_thousand():
    """Planted: the bound tested after the record instead of with it (2,001 lots)."""
    ledger = MemoryLedger(rules())
    for part in range(10):
        ledger.post(opened("2026-01-01", lots(200, granted_at=f"2025-{part + 1:02}-01T00:00:00Z"), part=part + 1))
    assert len(ledger.account.lots) == OPEN_LOTS_MAX
    assert all(len(record.postings) == 200 for record in ledger.records)
    decision = ledger.post(granted(7, "2026-01-02"))
    assert [posting.amount for posting in decision.records[-1].postings] == [7, 200]
    assert len(ledger.account.lots) == OPEN_LOTS_MAX - 200 + 2
    assert ledger.account.balances() == {"points": 2007}


def test_they_agree_in_expiry_reason_and_grant_month(few_lots):
    """Planted: lots of two months joined, so a vintage is lost."""
    given(
        granted(1, "2026-01-10"),
        granted(2, "2026-02-10"),
        granted(4, "2026-02-11"),
        granted(8, "2026-02-12", reason="checkin"),
    ).when(granted(16, "2026-02-13")).then(
        "16 points program:issued:goodwill -> customer:points opens 5.1",
        "6 points customer:points -> customer:points opens 5.2 of 2.1:2 3.1:4",
    ).lots("1.1 1/1", "5.2 6/6", "4.1 8/8", "5.1 16/16")


def test_the_joined_lot_keeps_the_terms_and_the_eldest_grant(few_lots):
    until = {"expires_at": "2026-12-01T00:00:00Z"}
    when = given(*(granted(1, f"2026-01-{day}", **until) for day in (12, 11, 10, 13))).when(granted(1, "2026-01-14"))
    when.lots("5.2 4/4 until 2026-12-01", "5.1 1/1")
    assert when.ledger.account.lots["5.2"].granted_at == at("2026-01-10")
    when.seen("2026-01-13T12:00", points=4).seen("2026-01-14", points=5)


def test_where_none_agree_the_event_is_refused(few_lots):
    given(*(granted(1, f"2026-0{month}-10") for month in (1, 2, 3, 4))).when(granted(1, "2026-05-10")).refused(
        "too_many_lots", open=5, limit=4
    ).nothing_changed()


def test_each_asset_has_its_own_bound(few_lots):
    """Planted: lots of all assets counted together, so a customer with many growth lots earns no points."""
    growth = [lots(1, "growth", f"2025-0{month}-01T00:00:00Z")[0] for month in (1, 2, 3, 4)]
    given(opened("2026-01-01", growth)).when(granted(1, "2026-01-02")).then(
        "1 points program:issued:goodwill -> customer:points opens 2.1"
    )


def test_every_asset_of_an_opening_is_kept_within_its_bound(few_lots):
    when = given(opened("2026-01-01", lots(4, "growth"))).when(
        opened("2026-01-02", lots(2, "growth") + lots(3), system="older")
    )
    assert count(when) == {"growth": 3, "points": 3}


def test_several_groups_are_joined_where_one_is_not_enough(few_lots):
    """Planted: only the largest group joined, so the bound is passed by what an opening brings."""
    steps = [granted(1, "2026-01-10"), granted(1, "2026-01-11"), granted(1, "2026-02-10"), granted(1, "2026-02-11")]
    when = given(*steps).when(opened("2026-03-01", lots(2)))
    assert count(when) == {"points": FEW}
    assert when.own.balances == {"points": 6}


def test_what_lapsed_does_not_count(few_lots):
    """Late grants, gone before the head's instant, wait for the clock: they are no reason to join others."""
    gone = {"expires_at": "2026-01-05T00:00:00Z"}
    steps = [granted(1, "2026-01-10"), *(granted(1, "2026-01-02", **gone) for _ in range(3))]
    given(*steps).when(granted(1, "2026-01-11T00:00")).then(
        "1 points program:issued:goodwill -> customer:points opens 6.1"
    )


def test_a_lot_that_waits_for_its_delivery_stays_apart(few_lots):
    """Planted: two orders' waiting points joined, so a delivery finds nothing to release."""
    waiting = {"kind": "after_delivery"}
    orders = [purchase(f"SO-{number}", 100, "2026-01-10") for number in range(2)]
    grants = [granted(1, "2026-01-20") for _ in range(3)]
    given(*orders, *grants, availability=waiting).lots(
        "1.1 1/1 from delivery", "2.1 1/1 from delivery", "5.1 1/1", "5.2 2/2"
    ).when(delivered("SO-0", "2026-01-21")).then(
        "1 points customer:points -> customer:points opens 6.1 of 1.1:1 from 2026-01-21",
    )


def test_a_lot_that_the_event_itself_uses_up_makes_room(few_lots):
    """Planted: what a debt takes of the new lot left out of account."""
    spent = [purchase("SO-1", 100, "2026-01-10"), redeemed("R", 1, "2026-01-11"), refunded("SO-1", 100, "2026-01-12")]
    four = [granted(1, f"2026-0{month}-13") for month in (1, 2, 3, 4)]
    owing = given(*spent, refunds="allow_negative")
    owing.when(granted(1, "2026-01-13")).lots()
    given(*four, refunds="allow_negative").when(redeemed("R", 1, "2026-05-01")).lots("2.1 1/1", "3.1 1/1", "4.1 1/1")


def test_lots_that_a_reversal_reopens_count(few_lots):
    """Planted: only new lots counted, so a redemption given back passes the bound."""
    steps = [*(granted(1, f"2026-01-1{day}") for day in range(4)), redeemed("R", 4, "2026-01-20")]
    more = [granted(1, f"2026-02-1{day}") for day in range(4)]
    when = given(*steps, *more).when(given_back("R", "2026-02-20"))
    when.refused("too_many_lots", open=5, limit=4)


def test_a_delivery_keeps_the_bound(few_lots):
    bought = purchase("SO-1", 1000, "2026-01-10", lines=[line(1, 600), line(2, 400)])
    steps = [bought, granted(1, "2026-01-11"), granted(2, "2026-01-12"), granted(4, "2026-01-13")]
    when = given(*steps, availability={"kind": "after_delivery"}).when(delivered("SO-1", "2026-01-20", {1: 1}))
    assert count(when) == {"points": 3}


JOINED = [purchase(f"SO-{number}", 1000 * (number + 1), f"2026-01-{10 + number}") for number in range(4)]


def test_a_refund_follows_its_points_into_the_joined_lot(few_lots):
    """Planted: only the last of the joined orders followed, so the others' refunds find nothing under pending_only."""
    together = [purchase(f"SO-{number}", 1000 * (number + 1), "2026-01-10") for number in range(4)]
    given(
        *together,
        granted(1, "2026-01-20"),
        refunds="pending_only",
        availability={"kind": "after_days", "days": 60},
    ).lots("5.2 100/100 from 2026-03-11", "5.1 1/1").when(refunded("SO-0", 1000, "2026-01-21")).then(
        "10 points customer:points -> program:reversed of 5.2:10"
    )


def test_orders_whose_points_were_joined_are_refunded_one_after_the_other(few_lots):
    before = given(*JOINED, granted(1, "2026-01-20"))
    ledger = before.ledger
    assert lots_of(ledger) == ["5.2 100/100", "5.1 1/1"]
    for number in range(4):
        ledger.post(refunded(f"SO-{number}", 1000 * (number + 1), "2026-01-21", refund=f"RF-{number}"))
    assert lots_of(ledger) == ["5.1 1/1"]


def test_two_parts_of_one_order_joined_again_are_taken_once(few_lots):
    """Planted: the joined lot listed twice among the order's own, so a refund takes from it twice."""
    bought = purchase("SO-1", 1000, "2026-01-10", lines=[line(1, 500), line(2, 500)])
    before = given(
        bought,
        delivered("SO-1", "2026-01-11", {1: 1}),
        delivered("SO-1", "2026-01-11", {2: 1}),
        granted(1, "2026-02-12"),
        granted(2, "2026-03-13"),
        granted(4, "2026-04-14"),
        availability={"kind": "after_delivery"},
    )
    assert lots_of(before.ledger)[0] == "6.2 10/10"
    before.ledger.post(redeemed("R", 4, "2026-04-14"))
    before.when(refunded("SO-1", 1000, "2026-04-15")).then(
        "6 points customer:points -> program:reversed of 6.2:6",
        "4 points customer:points -> program:reversed of 4.1:1 5.1:2 6.1:1",
    )


def test_what_expired_of_a_joined_lot_counts_once(few_lots):
    """Planted: each of the joined orders counts all that expired of the lot as its own."""
    before = given(
        *JOINED, granted(1, "2026-01-20"), redeemed("R", 95, "2026-01-21"), granted(500, "2026-02-01"), expiry=MONTHLY
    )
    ledger = before.ledger
    for number in range(4):
        ledger.post(refunded(f"SO-{number}", 1000 * (number + 1), "2026-02-02", refund=f"RF-{number}"))
    found = [
        record.derived["orders"][0]["clawback"][0] for record in ledger.records if record.type == "purchase.refunded"
    ]
    expired = sum(
        posting.amount for record in ledger.records for posting in record.postings if posting.to == "program:expired"
    )
    assert sum(one["due"] for one in found) == 100
    assert sum(one["expired"] for one in found) <= expired


def count(when):
    assert when.error is None
    return dict(Counter(lot.asset for lot in when.ledger.account.lots.values()))
