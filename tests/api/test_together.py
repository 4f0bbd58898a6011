"""Events that concern two customers over HTTP: posted, replayed, refused by name, read on both sides, in the feed."""

from collections.abc import Iterator

import pytest

from api import examples, examples_together
from tests.api.serving import Service, Shop, code_of, event, fresh, grant


@pytest.fixture
def own_shop(service: Service) -> Iterator[Shop]:
    """A program whose customers may transfer points to each other."""
    program = fresh("together")
    with service.client() as client:
        rules = {**examples.RULES, **examples_together.RULES}
        assert client.put(f"/v1/programs/{program}/rules", json=rules).status_code == 201
        yield Shop(service, client, program)


def test_every_example_is_recorded_in_their_order_and_then_replayed(own_shop: Shop) -> None:
    """But for their time, which may lie ahead of a machine's clock."""
    early = "2026-01-01T00:00:00+08:00"
    for name in ("c-1001", "c-1002"):
        assert own_shop.post(grant(name, 100, time=early)).status_code == 201
    for posted in examples_together.EVENTS.values():
        sent = {**posted, "time": posted["time"].replace("2026-11-21", "2026-01-01")}
        first, again = own_shop.post(sent), own_shop.post(sent)
        assert (first.status_code, again.status_code) == (201, 200), first.text
        assert again.json() == {**first.json(), "status": "replayed"}


def test_a_transfer_is_seen_by_both_explained_and_in_the_feed(own_shop: Shop, customer: str) -> None:
    """Against: one customer's half missing from a read, or the unit torn in the feed."""
    friend, transfer = fresh("c"), fresh("T")
    own_shop.post(grant(customer, 100))
    own_shop.post(grant(friend, 1))
    sent = event("points.transferred", customer, {"transfer_id": transfer, "points": 30, "to": friend})
    dry = own_shop.client.post(
        own_shop.events + "?dry_run=true", json=sent, headers={"content-type": "application/cloudevents+json"}
    ).json()
    receipt = own_shop.post(sent).json()
    assert dry["others"] == receipt["others"]
    named = {"source": sent["source"], "id": sent["id"]}
    assert own_shop.client.get(f"/v1/programs/{own_shop.program}/receipts", params=named).json() == receipt
    for name, points in ((customer, 70), (friend, 31)):
        assert own_shop.client.get(own_shop.customer(name)).json()["balances"]["points"] == points
        replay = own_shop.client.get(own_shop.customer(name) + "/replay").text
        assert transfer in replay
    why = own_shop.client.get(own_shop.customer(friend) + "/explain", params={"of": "points"}).json()
    assert (why["value"], sorted(term["remaining"] for term in why["terms"])) == (31, [1, 30])
    assert {term["record"]["type"] for term in why["terms"]} == {"points.granted", "points.transferred"}
    after = receipt["position"] - 1
    lines = own_shop.client.get(f"/v1/programs/{own_shop.program}/feed", params={"after": after}).text.splitlines()
    assert len(lines) == 2
    assert all(transfer in line for line in lines)


def test_a_no_is_final_and_given_again(own_shop: Shop, customer: str) -> None:
    sent = event("points.transferred", customer, {"transfer_id": fresh("T"), "points": 30, "to": fresh("c")})
    first, again = own_shop.post(sent), own_shop.post(sent)
    assert (first.status_code, code_of(first)) == (422, "receiver_unknown")
    assert again.headers["idempotency-replayed"] == "true"


def test_a_member_of_the_family_pays_with_the_owners_points(own_shop: Shop, customer: str) -> None:
    """Posted, read on both sides, refused by name. Against: the spender's read or the owner's not telling."""
    spender = fresh("c")
    own_shop.post(grant(customer, 100))
    own_shop.post(grant(spender, 1))
    lending = event("account.authorised", customer, {"spender": spender, "asset": "points", "limit": 40})
    assert own_shop.post(lending).status_code == 201
    taken = event("points.redeemed", spender, {"redemption_id": fresh("R"), "points": 30, "on_behalf_of": customer})
    receipt = own_shop.post(taken).json()
    assert receipt["balances"] == {"points": 1}
    assert [(one["type"], one["balances"]) for one in receipt["others"]] == [("account.charged", {"points": 70})]
    (given,) = own_shop.client.get(own_shop.customer(customer)).json()["authorisations"]["given"]
    assert (given["spender"], given["limit"], given["left"]) == (spender, 40, 10)
    (held,) = own_shop.client.get(own_shop.customer(spender)).json()["authorisations"]["held"]
    assert (held["owner"], held["limit"]) == (customer, 40)
    more = event("points.redeemed", spender, {"redemption_id": fresh("R"), "points": 11, "on_behalf_of": customer})
    refused = own_shop.post(more)
    assert (code_of(refused), refused.json()["facts"]["left"]) == ("authorisation_limit_exceeded", 10)
