"""A batch: every event on its own feet, answered in the order sent; every batch is sent twice."""

import json

from api.auth import Scope
from api.intake import EVENT_BYTES_MAX
from tests.api.serving import BATCH, fresh, grant, purchase, redemption


def test_a_batch_is_answered_in_order_each_event_on_its_own_feet(shop, customer):
    """Planted: the answers in order of outcome; seen."""
    bad = {**purchase(customer), "subject": "a b"}
    batch = [purchase(customer, 1000), bad, redemption(customer, 10**6), "x", purchase(customer, 2000)]
    first = shop.post_batch(batch).json()
    assert [item["status"] for item in first] == ["recorded", "refused", "refused", "refused", "recorded"]
    assert [item.get("problem", {}).get("status") for item in first] == [None, 400, 422, 400, None]
    assert [item["id"] for item in first] == [batch[0]["id"], bad["id"], batch[2]["id"], None, batch[4]["id"]]
    assert first[1].keys() == {"status", "id", "source", "subject", "problem"}
    assert first[4]["balances"] == {"points": 30}

    second = shop.post_batch(batch).json()
    assert [item["status"] for item in second] == ["replayed", "refused", "refused", "refused", "replayed"]
    assert second[0] == {**first[0], "status": "replayed"}
    assert second[1:4] == first[1:4]


def test_the_answer_to_a_batch_is_200_even_where_all_is_refused(shop):
    for _ in range(2):
        answer = shop.post_batch([1, None, {}])
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert [item["problem"]["code"] for item in answer.json()] == ["malformed"] * 3


def test_an_empty_batch_is_an_empty_answer(shop):
    answer = shop.post_batch([])
    assert (answer.status_code, answer.json()) == (200, [])


def test_one_event_twice_in_a_batch_counts_once(shop, customer):
    event = purchase(customer, 1000)
    statuses = [item["status"] for item in shop.post_batch([event, event, event]).json()]
    assert statuses == ["recorded", "replayed", "replayed"]
    assert shop.client.get(shop.customer(customer)).json()["balances"] == {"points": 10}


def test_expectedversion_is_the_precondition_of_one_event(shop, customer):
    first, second = purchase(customer, expectedversion=0), purchase(customer, expectedversion=0)
    third = purchase(customer, expectedversion="1")
    answers = shop.post_batch([first, second, third]).json()
    assert [item["status"] for item in answers] == ["recorded", "refused", "recorded"]
    assert (answers[1]["problem"]["status"], answers[1]["problem"]["code"]) == (412, "version_conflict")


def test_if_match_does_not_go_with_a_batch(shop, customer):
    answer = shop.client.post(shop.events, json=[purchase(customer)], headers={**BATCH, "If-Match": '"0"'})
    assert (answer.status_code, answer.json()["code"]) == (400, "if_match_malformed")


def test_a_batch_may_have_1000_events_and_not_one_more(shop, customer):
    """Planted: `>=` for `>`; seen."""
    assert len(shop.post_batch([None] * 1000).json()) == 1000
    answer = shop.post_batch([None] * 1001)
    assert (answer.status_code, answer.json()["code"]) == (413, "batch_too_large")
    assert answer.json()["facts"] == {"events": 1001, "events_max": 1000}


def test_a_batch_may_have_8_mib_and_not_a_byte_more(shop):
    whole = b"[" + b" " * (8 * 1024 * 1024 - 2) + b"]"
    assert shop.client.post(shop.events, content=whole, headers=BATCH).status_code == 200
    for body in (b" " + whole, iter([b" ", whole])):
        answer = shop.client.post(shop.events, content=body, headers=BATCH)
        assert (answer.status_code, answer.json()["code"]) == (413, "batch_too_large")


def test_an_event_of_a_batch_may_have_48_kib(shop, customer):
    """Planted: the size of an event in a batch not looked at; seen."""
    event = grant(customer, 5)
    event["padding"] = "x" * (EVENT_BYTES_MAX - len(json.dumps({**event, "padding": ""}, separators=(",", ":"))))
    longer = {**event, "id": fresh("e"), "padding": event["padding"] + "yyyyy"}
    fits, too_long = shop.post_batch([event, longer]).json()
    assert fits["status"] == "recorded"
    assert (too_long["problem"]["status"], too_long["problem"]["code"]) == (413, "event_too_large")


def test_an_event_nested_too_deeply_is_refused_alone(shop, customer):
    """Planted: its size taken without care; seen (500 for the whole batch)."""
    deep = b"[" * 300 + b"]" * 300
    body = b'[{"id":"x","data":%s},%s]' % (deep, json.dumps(purchase(customer)).encode())
    refused, recorded = shop.client.post(shop.events, content=body, headers=BATCH).json()
    assert (refused["status"], refused["problem"]["status"], recorded["status"]) == ("refused", 400, "recorded")
    single = shop.client.post(shop.events, content=deep, headers={"Content-Type": "application/cloudevents+json"})
    assert single.status_code == 400


def test_what_is_no_array_is_no_batch(shop, customer):
    for body in (purchase(customer), None, 5):
        answer = shop.client.post(shop.events, content=json.dumps(body), headers=BATCH)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), answer.text
    assert shop.client.post(shop.events, content=b"[", headers=BATCH).json()["code"] == "malformed_json"


def test_rights_are_asked_for_each_event(shop, customer):
    poster = shop.with_key(shop.service.key(Scope.POST, sources=["/mine"]))
    place = grant(shop.program, 5, type="place.registered", source="/mine")
    items = poster.post_batch([purchase(customer), purchase(customer, source="/mine"), place]).json()
    assert [item.get("problem", {}).get("status") for item in items] == [403, None, 403]


def test_a_place_is_registered_on_the_programs_own_stream(shop):
    data = {"store": "SZ-1", "brand": "b", "entity": "e", "effective_from": "2026-01-01T00:00:00Z"}
    event = {**grant("x", 1), "type": "place.registered", "subject": shop.program, "data": data}
    elsewhere = {**event, "id": fresh("e"), "subject": "another"}
    first, refused = shop.post_batch([event, elsewhere]).json()
    assert (first["status"], first["subject"]) == ("recorded", shop.program)
    assert refused["problem"]["errors"][0]["pointer"] == "/subject"
    assert shop.post_batch([event]).json()[0]["status"] == "replayed"
