"""Posting one event whose form is at fault: 400, the place named, nothing in the log."""

import json

import pytest

from tests.api.serving import STRUCTURED, code_of, event, fresh, grant, purchase

GOOD = {
    "specversion": "1.0",
    "id": "e",
    "source": "/s",
    "type": "points.granted",
    "subject": "c-1",
    "time": "2026-11-01T00:00:00Z",
    "data": {"points": 5, "reason": "goodwill"},
}

FAULTS = [
    ("specversion", "0.3"),
    ("specversion", None),
    ("id", None),
    ("id", ""),
    ("id", 7),
    ("id", "x" * 257),
    ("id", "a\x00b"),
    ("source", None),
    ("source", ""),
    ("source", "ledger:due"),
    ("source", "x" * 257),
    ("type", None),
    ("type", "points.invented"),
    ("type", "points.expired"),
    ("type", "program.published"),
    ("type", 1),
    ("subject", None),
    ("subject", "a b"),
    ("subject", "c-1\n"),
    ("subject", "x" * 129),
    ("subject", {"id": "c-1"}),
    ("time", None),
    ("time", "2026-11-01T00:00:00"),
    ("time", "2026-11-01"),
    ("time", 1_700_000_000),
    ("time", "9999-12-31T23:59:59Z"),
    ("datacontenttype", "text/xml"),
    ("dataschema", 5),
    ("data_base64", "e30="),
    ("Extension", "x"),
    ("under_score", "x"),
    ("x" * 21, "x"),
    ("nested", {"a": 1}),
    ("listed", [1]),
    ("fraction", 1.5),
    ("large", 2**31),
    ("small", -(2**31) - 1),
    ("expectedversion", -1),
    ("expectedversion", True),
    ("expectedversion", 2**53 + 1),
    ("data", None),
    ("data", []),
    ("data", "{}"),
    ("data/points", None),
    ("data/points", 0),
    ("data/points", 5.0),
    ("data/points", "5"),
    ("data/points", True),
    ("data/points", 2**53),
    ("data/points", 2**70),
    ("data/unknown", 1),
    ("data/reason", "purchase"),
    ("data/campaign", "a\x00b"),
]


@pytest.mark.parametrize(("place", "value"), FAULTS, ids=[f"{place}={str(value)[:24]!r}" for place, value in FAULTS])
def test_a_fault_of_form_is_400_and_names_its_place(shop, place, value):
    """Nothing is spent: the same key with the fault repaired is recorded.

    Planted: the check of extension names skipped; seen for `Extension` and the like.
    """
    sent = json.loads(json.dumps(GOOD)) | {"id": fresh("f")}
    good = json.loads(json.dumps(sent))
    target = sent["data"] if place.startswith("data/") else sent
    name = place.removeprefix("data/")
    target[name] = value
    answer = shop.post(sent)
    assert answer.status_code == 400, answer.text
    assert code_of(answer) in ("malformed", "type_unknown")
    assert "/" + place in [error["pointer"] for error in answer.json()["errors"]]
    if place != "id":
        assert shop.post(good).status_code == 201


def test_a_missing_member_is_named(shop):
    for name in ("specversion", "id", "source", "type", "subject", "time"):
        answer = shop.post({other: value for other, value in GOOD.items() if other != name})
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]


def test_every_fault_of_the_envelope_is_told_at_once(shop):
    answer = shop.post({"specversion": "1.0", "id": "", "Bad": 1})
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/id", "/source", "/type", "/subject", "/time", "/Bad"}


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        ("13800138000", "personal_identifier"),
        ("8613800138000", "personal_identifier"),
        ("ann@example.com", "personal_identifier"),
        ("oABCDEFGHIJKLMNOPQRSTUVWXYZ1", "personal_identifier"),
    ],
)
def test_a_personal_identifier_is_no_customer_id(shop, subject, code):
    answer = shop.post(grant(subject, 5))
    assert (answer.status_code, code_of(answer)) == (400, code)
    assert subject not in answer.text


def test_lawful_extensions_are_accepted_and_dropped(shop, customer):
    extensions = {
        "traceparent": "00-ab",
        "partitionkey": None,
        "sampledrate": 10,
        "x" * 20: True,
        "datacontenttype": None,
    }
    receipt = shop.post(purchase(customer, **{name: value for name, value in extensions.items() if value is not None}))
    assert receipt.status_code == 201, receipt.text
    record = shop.client.get(f"{shop.customer(customer)}/events").json()["records"][0]["record"]
    assert not set(extensions) & record.keys()


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"])
def test_data_declared_as_json_is_taken(shop, customer, content_type):
    assert shop.post(purchase(customer, datacontenttype=content_type)).status_code == 201


def test_data_may_be_left_out_where_nothing_is_needed(shop, customer):
    assert shop.post(event("customer.signed_up", customer, None)).status_code == 201
    assert shop.post(event("points.redeemed", customer, None)).status_code == 400


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nul", b"{}{}", b'{"a":1,}', b"\xff\xfe{}", b'{"id":"\\ud800"}', b"[" * 2000, b"NaN", b'"\x01"'],
)
def test_what_is_not_json_is_a_problem_that_says_where(shop, body):
    answer = shop.client.post(shop.events, content=body, headers=STRUCTURED)
    assert (answer.status_code, code_of(answer)) == (400, "malformed_json")
    assert "line" in answer.json()["errors"][0]["reason"]


@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"null"])
def test_what_is_no_object_is_no_event(shop, body):
    answer = shop.client.post(shop.events, content=body, headers=STRUCTURED)
    assert (answer.status_code, code_of(answer)) == (400, "malformed")


def test_of_two_members_of_one_name_the_last_counts(shop, customer):
    sent = json.dumps(grant(customer, 5))
    doubled = sent.replace('"points": 5', '"points": 1, "points": 5')
    assert shop.client.post(shop.events, content=doubled, headers=STRUCTURED).json()["balances"] == {"points": 5}
    assert shop.client.post(shop.events, content=sent, headers=STRUCTURED).status_code == 200
