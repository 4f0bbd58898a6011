"""Tiers over HTTP: reached with the purchase, lapsed for a reader, corrected, explained, and checked whole."""

from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from api.examples import RULES
from ledger.checking import LogReport, check
from tests.api.serving import Service, Shop, event, fresh, purchase

TIERS: dict[str, Any] = {
    "window": {"kind": "calendar", "period": "year"},
    "growth": [{"id": "spent", "on": "purchase.recorded", "per_unit": "1"}],
    "levels": [
        {"name": "silver", "rank": 1, "qualifies": {"growth": 100}},
        {"name": "gold", "rank": 2, "qualifies": {"growth": 500}},
    ],
}


@pytest.fixture
def own_shop(service: Service) -> Iterator[Shop]:
    """A program with two tiers by what is spent in a calendar year."""
    program = fresh("tiered")
    with service.client() as client:
        assert client.put(f"/v1/programs/{program}/rules", json={**RULES, "tiers": TIERS}).status_code == 201
        yield Shop(service, client, program)


def read(shop: Shop, customer: str, **cut_offs: str | int) -> dict[str, Any]:
    answer = shop.client.get(shop.customer(customer), params=cut_offs)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def test_a_tier_from_its_purchase_to_its_end_and_back_again(own_shop: Shop, customer: str) -> None:
    """Against: the rules of now taken for a reader of then; growth among what is available."""
    bought = own_shop.post(purchase(customer, 120_00, time="2023-03-01T10:00:00+08:00")).json()
    assert [one["type"] for one in bought["records"]] == ["purchase.recorded", "tier.changed"]
    assert bought["balances"] == {"points": 120, "growth": 120}
    shown = read(own_shop, customer, as_of="2023-06-01")
    assert shown["available"] == {"points": 120}
    assert shown["tier"] == {
        "tier": "silver",
        "since": "2023-03-01T02:00:00Z",
        "review_at": "2023-12-31T16:00:00Z",
        "qualifies_by": ["growth"],
        "value": {"growth": 120, "orders": 1},
        "window": {"from": "2023-01-01", "to": "2023-06-01"},
        "next": {"tier": "gold", "missing": {"growth": 380}},
        "retain": {"missing": {}, "value": {"growth": 120, "orders": 1}},
    }
    assert read(own_shop, customer, as_of="2024-12-31")["tier"]["tier"] == "silver"
    assert read(own_shop, customer, as_of="2025-01-01")["tier"]["tier"] is None
    known = read(own_shop, customer)["position"]
    late = own_shop.post(purchase(customer, 400_00, time="2024-06-01T10:00:00+08:00"))
    assert late.status_code == 201, late.text
    assert read(own_shop, customer, as_of="2025-06-01")["tier"]["tier"] == "silver"
    assert read(own_shop, customer, as_of="2025-06-01", known_at=known)["tier"]["tier"] is None
    assert read(own_shop, customer)["tier"]["tier"] is None


def test_what_replay_and_explain_say_is_what_the_account_says(own_shop: Shop, customer: str) -> None:
    sale = purchase(customer, 600_00, time="2023-03-01T10:00:00+08:00")
    own_shop.post(sale)
    back = {"refund_id": fresh("RF"), "order_id": sale["data"]["order_id"], "amount": 150_00}
    own_shop.post(event("purchase.refunded", customer, back, time="2023-04-01T10:00:00+08:00"))
    given = {"tier": "gold", "reason": "guest", "until": "2099-01-01T00:00:00Z"}
    own_shop.post(event("tier.assigned", customer, given))
    shown = read(own_shop, customer)
    assert (shown["tier"]["tier"], shown["tier"]["review_at"]) == ("gold", "2099-01-01T00:00:00Z")
    told = own_shop.client.get(own_shop.customer(customer) + "/explain", params={"of": "growth"}).json()
    assert told["value"] == sum(term["remaining"] for term in told["terms"]) == shown["balances"]["growth"] == 450
    lines = own_shop.client.get(own_shop.customer(customer) + "/replay", params={"as_of": "2023-06-01"}).text
    assert '"tier":"gold","since":"2023-03-01T02:00:00Z"' in lines.splitlines()[-2]
    unknown = own_shop.post(event("tier.assigned", customer, {"tier": "lead", "reason": "guest"}))
    assert (unknown.status_code, unknown.json()["code"]) == (422, "tier_unknown")

    async def checked(conn: asyncpg.Connection) -> list[LogReport]:
        return await check(conn, programs=[own_shop.program])

    (report,) = own_shop.service.as_owner(checked)
    assert report.is_whole, report.differences
