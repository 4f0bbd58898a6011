"""What a file takes over is tied out at the end of its import: old = new, and the customers behind every difference are named."""

import json
from typing import Any

import pytest

from ledger import store
from ledger.checking import check
from ledger.leasing import lent
from tests.importing.conftest import RULES, Imported

PROGRAM = "migrated"
TEN_OFF = {"kind": "amount", "amount": 1000, "currency": "GBP"}
DOCUMENT = {
    **RULES,
    "refunds": "allow_negative",
    "coupons": [{"id": "tea", "value": TEN_OFF}],
    "membership": [{"id": "vip", "price": 36500, "currency": "GBP", "months": 12}],
    "tiers": {"window": {"kind": "lifetime"}, "levels": [{"name": "silver", "rank": 1}, {"name": "gold", "rank": 2}]},
}
CUTOVER = "2011-02-01T00:00:00Z"
JULY, AUGUST = "2012-07-01T00:00:00+01:00", "2012-08-01T00:00:00+01:00"
MEMBERSHIP = {"membership_id": "M-1", "plan": "vip", "start": "2010-06-01T00:00:00Z", "end": "2011-06-01T00:00:00Z"}


def lot(asset: str, amount: int, expires_at: str | None = None) -> dict[str, Any]:
    ends = {} if expires_at is None else {"expires_at": expires_at}
    return {"asset": asset, "amount": amount, "granted_at": "2010-05-01T00:00:00Z", "reason": "purchase", **ends}


def opening(customer: str, *lots: dict[str, Any], part: int = 1, **more: Any) -> str:
    data = {"system": "old", "cutover_at": CUTOVER, "part": part, "lots": lots, **more}
    return event(f"{customer}-{part}", "account.opened_from", CUTOVER, customer, **data)


def event(name: str, kind: str, time: str, customer: str, **data: Any) -> str:
    head = {"specversion": "1.0", "id": name, "source": "/migration", "type": kind, "subject": customer, "time": time}
    return json.dumps({**head, "data": data})


@pytest.fixture
async def migrating(importing: Imported) -> Imported:
    await importing.ledger.publish(PROGRAM, DOCUMENT, actor="me")
    return importing


async def tied_out(migrating: Imported, *lines: str) -> dict[str, Any]:
    summary = await migrating.run(migrating.events(*lines), PROGRAM)
    shown = summary.to_json()
    assert shown["agrees"] == (shown["tie_out"] is None or shown["tie_out"]["agrees"])
    found: dict[str, Any] = shown["tie_out"]
    return found


def figures(tie_out: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {f"{one['what']} {one['of']}".strip(): (one["old"], one["new"]) for one in tie_out["figures"]}


def differing(tie_out: dict[str, Any]) -> list[tuple[str, str, int, int]]:
    return [(one["customer"], f"{one['what']} {one['of']}", one["old"], one["new"]) for one in tie_out["differing"]]


async def test_all_that_is_taken_over_is_the_same_in_both(migrating: Imported):
    tie_out = await tied_out(
        migrating,
        opening("a", lot("points", 100, JULY), lot("points", 20, AUGUST), lot("stored.principal:GBP", 900)),
        opening("a", lot("points", 7), lot("growth", 40), part=2, tier={"tier": "gold"}),
        opening("b", lot("stored.bonus:GBP", 50, JULY), tier={"tier": "silver"}, membership=MEMBERSHIP),
        opening("c", coupons=[{"coupon_id": "T", "kind": "tea", "issued_at": "2010-12-01T00:00:00Z"}]),
        event("p", "purchase.recorded", "2011-02-02T00:00:00Z", "a", order_id="1", currency="GBP", total=500),
    )
    assert (tie_out["customers"], tie_out["agrees"], tie_out["differing"]) == ({"old": 3, "new": 3}, True, [])
    assert figures(tie_out) == {
        "coupon:tea coupons": (1, 1),
        "growth never": (40, 40),
        "membership vip": (1, 1),
        "points": (127, 127),
        "points 2012-07": (100, 100),
        "points 2012-08": (20, 20),
        "points never": (7, 7),
        "stored.bonus:GBP 2012-07": (50, 50),
        "stored.principal:GBP never": (900, 900),
        "tier gold": (1, 1),
        "tier silver": (1, 1),
    }
    async with lent(migrating.ledger.pool) as conn:
        reports = await check(conn)
        counters = await store.read_counters(conn, migrating.ledger.program(PROGRAM).log_id)
    assert all(report.is_whole for report in reports)
    assert {name: counter.used for name, counter in counters.items()} == {"coupon:tea:total": 1}


async def test_a_customer_who_was_refused_is_named(migrating: Imported):
    tie_out = await tied_out(
        migrating,
        opening("a", lot("points", 100, JULY)),
        opening("b", lot("points", 30, JULY), tier={"tier": "platinum"}),
    )
    assert (tie_out["customers"], tie_out["agrees"]) == ({"old": 2, "new": 1}, False)
    assert figures(tie_out) == {"points 2012-07": (130, 100), "tier platinum": (1, 0)}
    assert differing(tie_out) == [("b", "points 2012-07", 30, 0), ("b", "tier platinum", 1, 0)]


async def test_what_paid_for_a_debt_is_there_no_more(migrating: Imported):
    """The customer owes 60 of before; the ledger holds 40 of the 100 that came. Against: postings compared, not lots."""
    tie_out = await tied_out(
        migrating,
        event("p", "purchase.recorded", "2011-01-02T00:00:00Z", "a", order_id="1", currency="GBP", total=6000),
        event("s", "points.redeemed", "2011-01-03T00:00:00Z", "a", redemption_id="R", points=60),
        event("r", "purchase.refunded", "2011-01-04T00:00:00Z", "a", refund_id="F", order_id="1", amount=6000),
        opening("a", lot("points", 100, JULY)),
    )
    assert differing(tie_out) == [("a", "points 2012-07", 100, 40)]


async def test_imported_again_in_another_order_of_parts_it_ties_out_the_same(migrating: Imported):
    lines = [
        opening("a", lot("points", 1), tier={"tier": "silver"}),
        opening("a", lot("points", 2, JULY), lot("growth", 9), part=2),
    ]
    first = await tied_out(migrating, *lines)
    assert await tied_out(migrating, *reversed(lines)) == first
    assert first["agrees"]


async def test_a_file_that_takes_nothing_over_has_no_tie_out(migrating: Imported):
    purchase = event("p", "purchase.recorded", "2011-01-02T00:00:00Z", "a", order_id="1", currency="GBP", total=6000)
    assert (await migrating.run(migrating.events(purchase), PROGRAM)).tie_out is None
