"""Declarations over HTTP: a till that lost nine of 412 orders is found the next morning."""

import hashlib
from typing import Any

import httpx
import pytest

from api.auth import Scope
from ledger.declaring import differences, missing_and_extra
from tests.api.serving import Shop, event, fresh, purchase

DAY = "2026-11-20"
PLACE = {"store": "SZ-001", "channel": "till"}
TILL = {"source": "/pos/sz-001", "store": "SZ-001", "business_day": DAY, "currency": "CNY"}
ORDERS = [f"SO-{number:03}" for number in range(412)]


def sale(order: str) -> dict[str, Any]:
    sold = purchase(f"c-{order}", 1000, time=f"{DAY}T12:00:00+08:00")
    sold["data"] |= {"order_id": order, "place": PLACE}
    return sold


def declared(shop: Shop, **data: Any) -> dict[str, Any]:
    total = 1000 * len(ORDERS)
    whole = {**TILL, "orders": len(ORDERS), "gross": total, "refunds": 0, "net": total, **data}
    return event("source.declared", shop.program, {name: value for name, value in whole.items() if value is not None})


def read(shop: Shop, **query: str) -> httpx.Response:
    return shop.client.get(f"/v1/programs/{shop.program}/declarations", params={"business_day": DAY, **query})


def the_one(shop: Shop) -> dict[str, Any]:
    (one,) = read(shop).json()["declarations"]
    found: dict[str, Any] = one
    return found


def hash_of(orders: list[str]) -> str:
    return hashlib.sha256("".join(f"{order}\n" for order in sorted(orders)).encode()).hexdigest()


@pytest.fixture
def till(own_shop: Shop) -> Shop:
    """All but nine of the day's orders have arrived."""
    kept = [order for number, order in enumerate(ORDERS) if number % 45 != 7 or number // 45 == 9]
    assert len(kept) == len(ORDERS) - 9
    assert {one["status"] for one in own_shop.post_batch([sale(order) for order in kept]).json()} == {"recorded"}
    return own_shop


def test_the_orders_a_till_lost_are_named_when_it_sends_its_own(till: Shop) -> None:
    """Planted bug: orders compared by their number only."""
    assert till.post(declared(till, order_ids=ORDERS, hash=hash_of(ORDERS))).status_code == 201
    found = the_one(till)
    assert found["status"] == "open"
    assert found["missing"] == [ORDERS[number] for number in range(7, 405, 45)][:9]
    assert found["extra"] == []
    assert [one["field"] for one in found["differences"]] == ["orders", "gross", "net", "hash"]
    assert found["differences"][0] == {"field": "orders", "declared": 412, "found": 403}
    till.post_batch([sale(order) for order in found["missing"]])
    assert the_one(till)["status"] == "agrees"
    assert read(till, status="open").json()["declarations"] == []


def test_without_its_orders_the_numbers_tell(till: Shop) -> None:
    till.post(declared(till))
    found = the_one(till)
    assert (found["status"], found["missing"]) == ("open", None)
    till.post(declared(till, orders=403, gross=403_000, net=403_000))
    assert the_one(till)["status"] == "agrees"


def test_an_order_nobody_declared_is_extra(till: Shop) -> None:
    till.post(declared(till, order_ids=ORDERS[:2], orders=2, gross=2000, net=2000))
    found = the_one(till)
    assert (found["missing"], len(found["extra"])) == ([], 401)


def test_refunds_count_on_their_own_day(own_shop: Shop) -> None:
    own_shop.post(sale("SO-1"))
    refund = event(
        "purchase.refunded", "c-SO-1", {"refund_id": "RF-1", "order_id": "SO-1", "amount": 400, "place": PLACE}
    )
    own_shop.post({**refund, "time": f"{DAY}T13:00:00+08:00"})
    own_shop.post(declared(own_shop, orders=1, gross=1000, refunds=400, net=600))
    assert the_one(own_shop)["status"] == "agrees"


def test_a_till_that_declares_nothing_is_listed(till: Shop) -> None:
    found = the_one(till)
    assert (found["status"], found["declared"], found["found"]["orders"]) == ("undeclared", None, 403)


def test_a_till_of_which_nothing_came_is_open(own_shop: Shop) -> None:
    own_shop.post(declared(own_shop, hash=hash_of([])))
    found = the_one(own_shop)
    assert (found["status"], found["found"]["orders"]) == ("open", 0)
    assert [one["field"] for one in found["differences"]] == ["orders", "gross", "net"]


def test_a_difference_is_waived_with_a_reason_until_it_is_declared_anew(till: Shop) -> None:
    """Planted bug: a waiver that outlived the declaration it was of."""
    till.post(declared(till))
    waived = event("declaration.waived", till.program, {**TILL, "reason": "till drowned, the receipts are gone"})
    assert till.post(waived).status_code == 201
    found = the_one(till)
    assert (found["status"], found["waived"]["reason"]) == ("waived", "till drowned, the receipts are gone")
    till.post(declared(till))
    assert the_one(till)["status"] == "open"


def test_who_may_declare_and_who_may_waive(till: Shop) -> None:
    with till.with_key(till.service.key(Scope.POST, programs=[till.program])).client as client:
        poster = Shop(till.service, client, till.program)
        assert poster.post(declared(till)).status_code == 201
        waived = event("declaration.waived", till.program, {**TILL, "reason": "no"})
        assert poster.post(waived).status_code == 403


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        ({"net": 1}, "/data/net"),
        ({"order_ids": ["SO-1"]}, "/data/order_ids"),
        ({"order_ids": ["SO-1", "SO-1"], "orders": 2}, "/data/order_ids"),
        ({"hash": "?"}, "/data/hash"),
        ({"business_day": "yesterday"}, "/data/business_day"),
    ],
)
def test_a_declaration_that_cannot_be_is_malformed(own_shop: Shop, data: dict[str, Any], pointer: str) -> None:
    answer = own_shop.post(declared(own_shop, **data))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("day", [fresh("day"), "0001-01-01", "1899-12-31", "9999-01-01"])
def test_a_day_is_asked_for(own_shop: Shop, day: str) -> None:
    assert read(own_shop, business_day=day).status_code == 400


def test_what_was_not_declared_differs_in_nothing() -> None:
    found = {"orders": 1, "gross": 10, "refunds": 0, "net": 10, "hash": "a"}
    assert differences({"orders": 1, "gross": 10, "refunds": 0, "net": 10}, found) == []
    assert differences({**found, "hash": "b"}, found) == [{"field": "hash", "declared": "b", "found": "a"}]
    assert missing_and_extra(["b", "a"], ["b", "c"]) == (["a"], ["c"])
