"""Dry runs: the answer an event would get, and nothing written."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.auth import Scope
from api.examples import RULES
from tests.api.serving import BATCH, STRUCTURED, fresh, purchase, redemption


def feed(shop):
    return shop.client.get(f"/v1/programs/{shop.program}/feed").text


def dry(shop, event, **more):
    return shop.client.post(shop.events, params={"dry_run": "true"}, json=event, headers=STRUCTURED | more)


def without_log(receipt):
    """A receipt less what only the log gives."""
    kept = {name: receipt[name] for name in receipt if name not in ("status", "position", "recorded_at", "rules")}
    return kept | {"records": [{**record, "position": None} for record in receipt["records"]]}


def test_the_receipt_it_would_get_and_nothing_written(own_shop):
    """Planted: the dry run handed to the writer; the log grew."""
    customer, before = fresh("c"), feed(own_shop)
    event = purchase(customer)
    first, second = dry(own_shop, event), dry(own_shop, event)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert (first.json()["status"], first.json()["position"], first.json()["recorded_at"]) == ("dry_run", None, None)
    assert feed(own_shop) == before
    assert own_shop.client.get(f"/v1/programs/{own_shop.program}/customers/{customer}").status_code == 404
    posted = own_shop.post(event)
    assert posted.status_code == 201
    assert without_log(first.json()) == without_log(posted.json())


def test_a_no_is_the_no_it_would_get_and_spends_no_key(own_shop):
    """Planted: the refusal kept, so the real event is answered with it for ever."""
    bought = purchase(fresh("c"))
    event = redemption(bought["subject"], 60, time=bought["time"])
    refused = dry(own_shop, event)
    assert (refused.status_code, refused.json()["code"]) == (422, "insufficient_points")
    assert own_shop.client.get(f"/v1/programs/{own_shop.program}/refusals").json()["refusals"] == []
    assert own_shop.post(bought).status_code == 201
    assert own_shop.post(event).status_code == 201


def test_what_was_posted_is_answered_with_its_receipt(own_shop):
    event = purchase(fresh("c"))
    posted = own_shop.post(event)
    again = dry(own_shop, event)
    assert (again.status_code, again.json()) == (200, {**posted.json(), "status": "replayed"})
    other = dry(own_shop, {**event, "subject": fresh("c")})
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    same_order = dry(own_shop, {**event, "id": fresh("e"), "subject": fresh("c")})
    assert (same_order.status_code, same_order.json()["code"]) == (409, "key_reused")


def test_a_precondition_counts(own_shop):
    refused = dry(own_shop, purchase(fresh("c")), **{"If-Match": '"7"'})
    assert (refused.status_code, refused.json()["code"]) == (412, "version_conflict")


def test_a_refund_is_decided_from_the_history(own_shop):
    event = purchase(fresh("c"))
    own_shop.post(event)
    refund = {
        **event,
        "id": fresh("e"),
        "type": "purchase.refunded",
        "data": {"refund_id": fresh("RF"), "order_id": event["data"]["order_id"], "amount": event["data"]["total"]},
    }
    before = feed(own_shop)
    assert dry(own_shop, refund).json()["balances"] == {"points": 0}
    assert feed(own_shop) == before


@pytest.mark.parametrize("query", [{"dry_run": "yes"}, {"dry_run": ""}])
def test_a_misspelt_dry_run_records_nothing(own_shop, query):
    before = feed(own_shop)
    answer = own_shop.client.post(own_shop.events, params=query, json=purchase(fresh("c")), headers=STRUCTURED)
    assert (answer.status_code, answer.json()["code"]) == (400, "parameter_malformed")
    assert feed(own_shop) == before


def test_a_batch_is_not_run_dry(own_shop):
    before = feed(own_shop)
    answer = own_shop.client.post(
        own_shop.events, params={"dry_run": "true"}, json=[purchase(fresh("c"))], headers=BATCH
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "parameter_malformed")
    assert feed(own_shop) == before


def test_an_event_under_proposed_rules(own_shop):
    proposed = json.loads(json.dumps(RULES))
    proposed["earning"][0] |= {"points_per_unit": "3", "when": "account.totals.orders == 0"}
    url, customer, before = f"/v1/programs/{own_shop.program}/rules/dry-run", fresh("c"), feed(own_shop)
    answer = own_shop.client.post(url, json={"event": purchase(customer), "rules": proposed})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["rules"], answer.json()["balances"]) == (2, {"points": 257})
    assert feed(own_shop) == before
    assert own_shop.post(purchase(customer)).json()["balances"] == {"points": 85}
    second = own_shop.client.post(url, json={"event": purchase(customer), "rules": proposed}).json()
    assert second["notes"] == [{"code": "nothing_earned", "rule": "base", "reason": "condition"}]
    other = {**proposed, "program": {**proposed["program"], "points_scale": 2}}
    assert own_shop.client.post(url, json={"event": purchase(customer), "rules": other}).status_code == 409
    for body in ({}, [], {"event": purchase(customer)}, {"event": 1, "rules": proposed}):
        assert own_shop.client.post(url, json=body).status_code == 400


def test_who_may_only_post_may_not_try_rules(service, own_shop):
    poster = service.client(service.key(Scope.POST))
    url = f"/v1/programs/{own_shop.program}/rules/dry-run"
    assert poster.post(url, json={"event": purchase(fresh("c")), "rules": RULES}).status_code == 403
    answer = poster.post(own_shop.events, params={"dry_run": "true"}, json=purchase(fresh("c")), headers=STRUCTURED)
    assert answer.status_code == 200


def test_many_dry_runs_at_once_write_nothing(own_shop):
    before, customer = feed(own_shop), fresh("c")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: dry(own_shop, purchase(customer)), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert feed(own_shop) == before
