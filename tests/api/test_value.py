"""Stored value, tenders that pay, and holds over HTTP: posted twice, read, explained, refused by name."""

from collections.abc import Iterator
from typing import Any

import pytest

from api import examples
from ledger.instants import DAY, show
from ledger.service import wall_clock
from tests.api.serving import Service, Shop, code_of, event, fresh

P, B = "stored.principal:CNY", "stored.bonus:CNY"


@pytest.fixture
def till(service: Service) -> Iterator[Shop]:
    """A program in which a point pays ten cents, and stored value is spent in proportion."""
    program = fresh("till")
    value = {"stored_value": {"consumption": "proportional"}, "tenders": {"points": {"value": {"CNY": "0.10"}}}}
    with service.client() as client:
        assert client.put(f"/v1/programs/{program}/rules", json={**examples.RULES, **value}).status_code == 201
        yield Shop(service, client, program)


def post(shop: Shop, customer: str, event_type: str, **data: Any) -> dict[str, Any]:
    """Post an event twice: recorded, then replayed with the same receipt."""
    sent = event(event_type, customer, data)
    first, second = shop.post(sent), shop.post(sent)
    assert (first.status_code, second.status_code) == (201, 200), first.text
    receipt: dict[str, Any] = first.json()
    assert second.json() == {**receipt, "status": "replayed"}
    return receipt


def load(shop: Shop, customer: str) -> None:
    money = {"currency": "CNY", "principal": 1000, "bonus": 200}
    post(shop, customer, "stored_value.loaded", load_id=fresh("L"), payment_reference="wx-1", **money)


def test_a_load_pays_for_a_purchase_and_comes_back_with_its_refund(till, customer):
    load(till, customer)
    order = fresh("SO")
    tenders = [{"kind": "stored_value", "amount": 600}]
    paid = post(till, customer, "purchase.recorded", order_id=order, currency="CNY", total=600, tenders=tenders)
    assert paid["balances"] == {"points": 6, P: 500, B: 100}
    refund = fresh("RF")
    back = post(till, customer, "purchase.refunded", refund_id=refund, order_id=order, amount=600)
    assert back["balances"] == {"points": 0, P: 1000, B: 200}
    for asset, value in ((P, 1000), (B, 200)):
        answer = till.client.get(till.customer(customer) + "/explain", params={"of": asset}).json()
        assert answer["value"] == value
        assert sum(term["remaining"] for term in answer["terms"]) == value


def test_what_is_held_shows_apart_and_is_captured_once(till, customer):
    load(till, customer)
    hold = fresh("H")
    until = show(wall_clock() + DAY)
    post(till, customer, "hold.placed", hold_id=hold, asset="stored_value", currency="CNY", amount=600, until=until)
    shown = till.client.get(till.customer(customer)).json()
    assert (shown["balances"][P], shown["available"][P], shown["held"][P]) == (1000, 500, 500)
    assert [one["hold_id"] for one in shown["holds"]] == [hold]
    explained = till.client.get(till.customer(customer) + "/explain", params={"of": P}).json()
    assert explained["value"] == 1000
    assert post(till, customer, "hold.captured", hold_id=hold, amount=300)["balances"] == {"points": 0, P: 750, B: 150}
    again = event("hold.captured", customer, {"hold_id": hold, "amount": 1})
    assert (till.post(again).status_code, code_of(till.post(again))) == (409, "key_reused")
    freed = event("hold.released", customer, {"hold_id": hold})
    assert (till.post(freed).status_code, code_of(till.post(freed))) == (422, "hold_ended")


@pytest.mark.parametrize(
    ("tender", "code"),
    [
        ({"kind": "stored_value", "amount": 1201}, "insufficient_stored_value"),
        ({"kind": "points", "amount": 1200}, "insufficient_points"),
        ({"kind": "points", "amount": 1201}, "tender_not_whole_points"),
    ],
)
def test_what_cannot_pay_is_refused_by_name_and_takes_nothing(till, customer, tender, code):
    load(till, customer)
    data = {"order_id": fresh("SO"), "currency": "CNY", "total": tender["amount"], "tenders": [tender]}
    answer = till.post(event("purchase.recorded", customer, data))
    assert (answer.status_code, code_of(answer)) == (422, code)
    assert till.client.get(till.customer(customer)).json()["balances"] == {"points": 0, P: 1000, B: 200}
