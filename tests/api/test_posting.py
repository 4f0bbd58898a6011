"""Posting one event, structured or binary: recorded, replayed, refused. Every write is sent twice."""

import json

import pytest

from api.auth import Scope
from api.examples import BINARY_HEADERS
from api.intake import EVENT_BYTES_MAX
from ledger.instants import DAY, MINUTE, show
from ledger.service import wall_clock
from tests.api.serving import STRUCTURED, await_that, code_of, event, fresh, grant, purchase, redemption


def test_an_event_is_recorded_once_and_then_replayed(shop, customer):
    """Planted: the header of a replay left out, and 201 for both; seen."""
    sent = purchase(customer)
    first, second = shop.post(sent), shop.post(sent)
    assert (first.status_code, second.status_code) == (201, 200), first.text
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert first.json()["status"] == "recorded"
    assert second.json() == {**first.json(), "status": "replayed"}


def test_a_receipt_says_what_the_event_did(shop, customer):
    receipt = shop.post(purchase(customer, 8588)).json()
    assert receipt.keys() == {
        *("status", "id", "source", "subject", "records", "version", "position"),
        *("recorded_at", "postings", "balances", "notes"),
    }
    assert receipt["records"] == [
        {"type": "purchase.recorded", "subject": customer, "version": 1, "position": receipt["position"]}
    ]
    assert receipt["balances"] == {"points": 85}
    (posting,) = receipt["postings"]
    assert (posting["from"], posting["to"], posting["amount"]) == ("program:issued:purchase", "customer:points", 85)


def test_the_location_of_an_event_is_its_receipt(shop, customer):
    sent = purchase(customer, source="/pos/ü & co", id="a/b?c=d&e")
    first = shop.post(sent)
    assert shop.post(sent).status_code == 200
    assert shop.client.get(first.headers["location"]).json() == first.json()


def test_the_same_content_written_otherwise_is_the_same_event(shop, customer):
    """Another offset of the same instant, other white space, other extensions; nothing of the transport counts."""
    sent = purchase(customer, time="2026-11-01T10:00:00+08:00")
    assert shop.post(sent).status_code == 201
    same = {**sent, "time": "2026-11-01T02:00:00Z", "traceparent": "00-1-2-3", "dataschema": "urn:x"}
    again = shop.client.post(shop.events, content=json.dumps(same, indent=3), headers=STRUCTURED)
    assert again.status_code == 200, again.text


def test_other_content_under_a_key_is_409_and_names_the_fields(shop, customer):
    sent = purchase(customer)
    assert shop.post(sent).status_code == 201
    other = {**sent, "data": {**sent["data"], "total": 1}}
    for _ in range(2):
        answer = shop.post(other)
        assert (answer.status_code, code_of(answer)) == (409, "key_reused")
        assert answer.json()["facts"]["fields"] == ["/data/total"]


def test_a_final_refusal_is_answered_the_same_way_for_ever(shop, customer):
    """Planted: the refused key not kept, so the second try succeeded; seen."""
    declined = redemption(customer, 60)
    first = shop.post(declined)
    assert (first.status_code, code_of(first)) == (422, "insufficient_points")
    assert first.json()["facts"] == {"available": 0, "requested": 60}
    assert first.json()["retryable"] is False
    assert shop.post(grant(customer, 100)).status_code == 201
    second = shop.post(declined)
    assert second.status_code == 422
    assert second.headers["idempotency-replayed"] == "true"
    assert second.json() == first.json()


def test_a_retryable_refusal_becomes_a_receipt_when_what_it_waits_for_arrives(shop, customer):
    bought = purchase(customer, 1000)
    order = bought["data"]["order_id"]
    refund = event("purchase.refunded", customer, {"refund_id": fresh("RF"), "order_id": order, "amount": 400})
    first = shop.post(refund)
    assert (first.status_code, code_of(first), first.json()["retryable"]) == (422, "purchase_unknown", True)
    assert "idempotency-replayed" not in first.headers
    assert shop.post(bought).status_code == 201
    await_that(lambda: shop.client.get(shop.customer(customer)).json()["totals"]["net"] == {"CNY": 600})
    for _ in range(2):
        assert shop.post(refund).status_code == 200


# --- The version an event insists on ----------------------------------------------------------------------------------


def test_if_match_holds_for_the_version_it_names_and_no_other(shop, customer):
    """A replay is answered before the precondition is looked at."""
    first, second = purchase(customer), purchase(customer)
    assert shop.post(first, headers={"If-Match": '"0"'}).status_code == 201
    stale = shop.post(second, headers={"If-Match": '"0"'})
    assert (stale.status_code, code_of(stale)) == (412, "version_conflict")
    etag = shop.client.get(shop.customer(customer)).headers["etag"]
    assert shop.post(second, headers={"If-Match": etag}).status_code == 201
    assert shop.post(second, headers={"If-Match": '"0"'}).status_code == 200


@pytest.mark.parametrize("value", ['W/"1"', "*", '"1", "2"', '"a"', '"', '""', "-1", "1" * 17])
def test_an_if_match_that_names_no_version_is_400(shop, customer, value):
    answer = shop.post(purchase(customer), headers={"If-Match": value})
    assert (answer.status_code, code_of(answer)) == (400, "if_match_malformed")


def test_expectedversion_counts_in_a_single_event_too(shop, customer):
    assert shop.post(purchase(customer, expectedversion=1)).status_code == 412
    assert shop.post(purchase(customer, expectedversion="0")).status_code == 201
    both = shop.post(purchase(customer, expectedversion=1), headers={"If-Match": '"2"'})
    assert (both.status_code, code_of(both)) == (400, "if_match_malformed")


# --- Binary mode ------------------------------------------------------------------------------------------------------


def binary(sent, **headers):
    named = {f"ce-{name}": value for name, value in sent.items() if name != "data"}
    return {**named, **headers}


def test_binary_mode_is_the_same_event_as_structured_mode(shop, customer):
    sent = purchase(customer, source="/pos/sz%20001")
    headers = binary(sent, **{"ce-source": "/pos/sz%2520001", "ce-traceparent": "00-1"})
    first = shop.client.post(shop.events, json=sent["data"], headers=headers)
    assert first.status_code == 201, first.text
    assert first.json()["source"] == "/pos/sz%20001"
    assert shop.post(sent).status_code == 200
    bare = {**headers, "Content-Type": ""}
    request = shop.client.build_request("POST", shop.events, content=json.dumps(sent["data"]), headers=bare)
    del request.headers["content-type"]
    assert shop.client.send(request).status_code == 200


def test_headers_are_percent_decoded_and_unquoted(shop, customer):
    sent = purchase(customer, source="/门店/1", id='say "hi"')
    quoted = {"ce-source": "%2F%E9%97%A8%E5%BA%97%2F1", "ce-id": '"say \\"hi\\""'}
    first = shop.client.post(shop.events, json=sent["data"], headers=binary({**sent, "source": "", "id": ""}, **quoted))
    assert first.status_code == 201, first.text
    assert shop.post(sent).status_code == 200


@pytest.mark.parametrize(
    ("headers", "pointer"),
    [
        ({"ce-id": "%FF"}, "/id"),
        ({"ce-id": "%00"}, "/id"),
        ({"ce-datacontenttype": "application/json"}, "/datacontenttype"),
        ({"ce-data": "{}"}, "/data"),
        ({"ce-Under_Score": "x"}, "/under_score"),
        ({"ce-expectedversion": "one"}, "/expectedversion"),
        ({"ce-time": "yesterday"}, "/time"),
        ({"ce-specversion": "0.3"}, "/specversion"),
    ],
)
def test_a_header_that_is_no_attribute_is_400_and_named(shop, headers, pointer):
    answer = shop.client.post(shop.events, json={}, headers={**BINARY_HEADERS, **headers})
    assert (answer.status_code, code_of(answer)) == (400, "malformed")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_a_header_sent_twice_is_400(shop, customer):
    sent = purchase(customer)
    headers = [*binary(sent).items(), ("ce-id", "another")]
    answer = shop.client.post(shop.events, json=sent["data"], headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/id")


# --- Time -------------------------------------------------------------------------------------------------------------


def test_a_time_a_little_ahead_is_taken_and_one_further_ahead_is_not(shop, customer):
    """Planted: the bound at 50 minutes; seen."""
    ahead = grant(customer, 5, time=show(wall_clock() + 4 * MINUTE))
    assert [shop.post(ahead).status_code for _ in range(2)] == [201, 200]
    further = shop.post(grant(customer, 5, time=show(wall_clock() + 6 * MINUTE)))
    assert (further.status_code, code_of(further)) == (400, "time_in_future")


def test_an_old_event_needs_the_scope_backdate(shop, customer):
    """Planted: every key may backdate; seen."""
    old = grant(customer, 5, time=show(wall_clock() - 60 * DAY))
    poster = shop.with_key(shop.service.key(Scope.POST))
    for _ in range(2):
        answer = poster.post(old)
        assert (answer.status_code, code_of(answer)) == (403, "forbidden")
    assert poster.post(grant(customer, 5, time=show(wall_clock() - 40 * DAY))).status_code == 201
    backdater = shop.with_key(shop.service.key(Scope.POST, Scope.BACKDATE))
    assert backdater.post(old).status_code == 201
    assert poster.post(old).status_code == 200


# --- Sizes and media types --------------------------------------------------------------------------------------------


def padded(customer, size):
    sent = grant(customer, 5)
    sent["padding"] = ""
    sent["padding"] = "x" * (size - len(json.dumps(sent, separators=(",", ":"))))
    return json.dumps(sent, separators=(",", ":")).encode()


def test_an_event_may_have_48_kib_and_not_a_byte_more(shop, customer):
    """Planted: `<` for `<=`; seen."""
    assert (
        shop.client.post(shop.events, content=padded(customer, EVENT_BYTES_MAX), headers=STRUCTURED).status_code == 201
    )
    for body in (padded(customer, EVENT_BYTES_MAX + 1), iter([padded(customer, EVENT_BYTES_MAX + 1)])):
        answer = shop.client.post(shop.events, content=body, headers=STRUCTURED)
        assert (answer.status_code, code_of(answer)) == (413, "event_too_large")


def test_an_event_far_too_large_is_answered_and_the_connection_goes_on(shop, customer):
    body = iter([b"x" * 65536] * 64)
    answer = shop.client.post(shop.events, content=body, headers=STRUCTURED)
    assert (answer.status_code, code_of(answer)) == (413, "event_too_large")
    assert shop.post(grant(customer, 5)).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/cloudevents"},
        {"Content-Type": "application/cloudevents+xml"},
        {"Content-Type": "application/cloudevents+json; charset=gbk"},
        {**STRUCTURED, "Content-Encoding": "gzip"},
        {**STRUCTURED, "ce-specversion": "1.0"},
        {**BINARY_HEADERS, "Content-Type": "text/plain"},
    ],
)
def test_another_media_type_is_415(shop, headers):
    answer = shop.client.post(shop.events, content=b"{}", headers=headers)
    assert (answer.status_code, code_of(answer)) == (415, "media_type_unsupported")


@pytest.mark.parametrize(
    "content_type", ["application/cloudevents+json; charset=UTF-8", "Application/CloudEvents+JSON"]
)
def test_parameters_and_case_of_the_media_type_do_not_matter(shop, customer, content_type):
    assert shop.post(purchase(customer), headers={"Content-Type": content_type}).status_code == 201


def test_a_parameter_nobody_knows_is_400_so_that_no_dry_run_is_a_real_one(shop, customer):
    answer = shop.post(purchase(customer), params={"dryrun": "true"})
    assert (answer.status_code, code_of(answer)) == (400, "parameter_malformed")
    assert shop.client.get(shop.customer(customer)).status_code == 404


def test_checks_come_in_their_documented_order(service, shop, customer):
    """Each row repairs one fault of the row above: form and rights, then the key, then If-Match."""
    taken = purchase(customer)
    assert shop.post(taken).status_code == 201
    nowhere = "/v1/programs/nowhere/events"
    bound = service.key(Scope.POST, programs=[shop.program], sources=["/mine", taken["source"]])
    reader = service.key(Scope.READ)
    poster = service.key(Scope.POST)
    wrong_type = {"headers": {"Content-Type": "text/plain", "If-Match": '"9"'}, "content": b"x" * 50_000}
    too_long = {**wrong_type, "headers": {**STRUCTURED, "If-Match": '"9"'}}

    def whole(sent):
        return {"headers": {**STRUCTURED, "If-Match": '"9"'}, "content": json.dumps(sent)}

    declined = redemption(customer, 10**6, source="/other")
    reused = {**declined, "source": taken["source"], "id": taken["id"]}
    unheld = {**declined, "source": "/mine"}
    held = {"headers": {**STRUCTURED, "If-Match": '"1"'}, "content": json.dumps(unheld)}
    rows = [
        ("", nowhere, wrong_type, 401),
        (bound, nowhere, wrong_type, 403),
        (reader, nowhere, wrong_type, 403),
        (poster, nowhere, wrong_type, 404),
        (bound, shop.events, wrong_type, 415),
        (bound, shop.events, too_long, 413),
        (bound, shop.events, whole({**declined, "id": ""}), 400),
        (bound, shop.events, whole(declined), 403),
        (bound, shop.events, whole(reused), 409),
        (bound, shop.events, whole(unheld), 412),
        (bound, shop.events, held, 422),
    ]
    for key, path, sent, status in rows:
        with service.client(key) as client:
            answer = client.post(path, **sent)
        assert answer.status_code == status, (status, answer.text)
