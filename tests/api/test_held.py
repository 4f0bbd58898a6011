"""Coupons, packages and membership over HTTP: posted, replayed, refused by name, read and explained."""

from collections.abc import Iterator
from typing import Any

import pytest

from api import examples, examples_held
from tests.api.serving import Service, Shop, code_of, event, fresh


@pytest.fixture
def own_shop(service: Service) -> Iterator[Shop]:
    """A program with kinds of coupons and packages, and a plan of membership, from its beginning."""
    program = fresh("held")
    with service.client() as client:
        rules = {**examples.RULES, **examples_held.RULES, "earning": []}
        assert client.put(f"/v1/programs/{program}/rules", json=rules).status_code == 201
        yield Shop(service, client, program)


def shown(shop: Shop, customer: str) -> dict[str, Any]:
    answer: dict[str, Any] = shop.client.get(shop.customer(customer)).json()
    return answer


def explained(shop: Shop, customer: str, asset: str) -> dict[str, Any]:
    answer = shop.client.get(shop.customer(customer) + "/explain", params={"of": asset})
    assert answer.status_code == 200, answer.text
    whole: dict[str, Any] = answer.json()
    return whole


def test_every_example_is_recorded_in_their_order_and_then_replayed(own_shop: Shop) -> None:
    """But for their time, which may lie ahead of a machine's clock."""
    for posted in examples_held.EVENTS.values():
        sent = {**posted, "time": posted["time"].replace("2026-11-21", "2026-01-01")}
        first, again = own_shop.post(sent), own_shop.post(sent)
        assert (first.status_code, again.status_code) == (201, 200), first.text
        assert again.json() == {**first.json(), "status": "replayed"}


def test_a_coupon_is_used_once_and_the_number_is_explained(own_shop: Shop, customer: str) -> None:
    coupon, use = fresh("C"), fresh("U")
    issued = own_shop.post(event("coupon.issued", customer, {"coupon_id": coupon, "kind": "tea_10"})).json()
    assert [posting["asset"] for posting in issued["postings"]] == ["coupon:tea_10"]
    (there,) = shown(own_shop, customer)["coupons"]
    assert (there["coupon_id"], there["left"]) == (coupon, 1)
    assert shown(own_shop, customer)["balances"]["coupon:tea_10"] == 1

    data = {"coupon_id": coupon, "redemption_id": use, "spend": 4000}
    assert code_of(own_shop.post(event("coupon.redeemed", customer, data))) == "minimum_spend_not_met"
    data["spend"] = 5000
    assert own_shop.post(event("coupon.redeemed", customer, data)).status_code == 201
    second = own_shop.post(event("coupon.redeemed", customer, {**data, "redemption_id": fresh("U")}))
    assert (code_of(second), second.json()["facts"]["left"]) == ("coupon_used", 0)
    assert shown(own_shop, customer)["coupons"] == []

    why = explained(own_shop, customer, "coupon:tea_10")
    (term,) = why["terms"]
    assert (why["value"], term["amount"], term["remaining"]) == (0, 1, 0)
    assert [(taken["record"]["type"], taken["amount"]) for taken in term["taken"]] == [("coupon.redeemed", 1)]


def test_one_coupon_is_issued_to_one_customer(own_shop: Shop, customer: str) -> None:
    """Against: the business key left out of the record."""
    data = {"coupon_id": fresh("C"), "kind": "tea_10"}
    assert own_shop.post(event("coupon.issued", customer, data)).status_code == 201
    assert code_of(own_shop.post(event("coupon.issued", fresh("c"), data))) == "key_reused"


def test_a_package_and_a_membership_are_read(own_shop: Shop, customer: str) -> None:
    data = {"package_id": fresh("P"), "kind": "wash", "uses": 10, "price": 99_900, "currency": "CNY"}
    assert own_shop.post(event("package.sold", customer, data)).status_code == 201
    plan = {"membership_id": fresh("M"), "plan": "vip"}
    assert own_shop.post(event("membership.purchased", customer, plan)).status_code == 201
    account = shown(own_shop, customer)
    assert [(one["kind"], one["left"]) for one in account["packages"]] == [("wash", 10)]
    assert account["membership"]["status"] == "active"
    assert account["membership"]["benefit"] == {"percent_off": "12"}
    assert len(account["membership"]["periods"]) == 1
    assert len(account["coupons"]) == 3
    assert account["balances"] == {"points": 500, "coupon:tea_10": 3, "package:wash": 10}
    assert explained(own_shop, customer, "package:wash")["value"] == 10
    again = own_shop.post(event("membership.purchased", customer, {**plan, "membership_id": fresh("M")}))
    assert code_of(again) == "membership_active"
