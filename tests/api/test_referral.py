"""Referrals over HTTP: within a moment of a sale both sides have their points, and a read shows two generations."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.examples import RULES
from tests.api.serving import Service, Shop, await_that, event, fresh, purchase

REFERRAL = {"referrer": [{"from_count": 1, "points": 100}], "referred": 50}


@pytest.fixture
def own_shop(service: Service) -> Iterator[Shop]:
    """A program that rewards referrals from its beginning, and gives no points for anything else."""
    program = fresh("bring")
    with service.client() as client:
        rules = {**RULES, "earning": [], "referral": REFERRAL}
        assert client.put(f"/v1/programs/{program}/rules", json=rules).status_code == 201
        yield Shop(service, client, program)


def test_both_sides_have_their_points_and_a_read_shows_two_generations(own_shop: Shop) -> None:
    """Planted bug: one generation read."""
    eldest, middle, youngest = (fresh("c") for _ in range(3))
    own_shop.post(event("customer.signed_up", eldest, {}))
    own_shop.post(event("customer.signed_up", middle, {"referred_by": eldest}))
    sale = purchase(youngest, 1000)
    sale["data"]["referred_by"] = middle
    receipt = own_shop.post(sale).json()
    assert [one["type"] for one in receipt["records"]] == ["purchase.recorded", "referral.made", "referral.qualified"]

    def shown(customer: str) -> dict[str, Any]:
        answer: dict[str, Any] = own_shop.client.get(own_shop.customer(customer)).json()
        return answer

    await_that(lambda: shown(middle)["balances"]["points"] == 100)
    await_that(lambda: shown(youngest)["balances"]["points"] == 50)
    assert shown(youngest)["referral"]["referred_by"]["customer"] == middle
    (brought,) = shown(eldest)["referral"]["referred"]
    assert (brought["customer"], brought["status"]) == (middle, "made")
    assert [one["customer"] for one in brought["referred"]] == [youngest]
    assert shown(middle)["referral"]["earned"] == 100


def test_a_sender_cannot_post_what_the_policy_posts(own_shop: Shop, customer: str) -> None:
    data = {"role": "referrer", "referrer": customer, "referred": "c-2"}
    answer = own_shop.post(event("referral.rewarded", customer, data))
    assert (answer.status_code, answer.json()["code"]) == (400, "type_unknown")
