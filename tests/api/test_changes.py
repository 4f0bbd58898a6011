"""Two people over HTTP: what one proposes another approves, and a second key of the same person does not help."""

import json

import pytest

from api.auth import Scope
from api.examples import RULES
from tests.api.serving import fresh, grant

TWO = {**RULES, "approvals": {"rules": True, "adjustments_over": 100}}


@pytest.fixture
def two(service):
    """A program that needs two, its URL, and three keys: ann's two and bob's."""
    program = fresh("two")
    ann, again, bob = (service.client(service.key(Scope.ADMIN, principal=name)) for name in ("ann", "ann", "bob"))
    assert ann.put(f"/v1/programs/{program}/rules", json=TWO).status_code == 201
    return f"/v1/programs/{program}", ann, again, bob


def proposal(change):
    return {"kind": "rules", "content": {**TWO, "refunds": change}}


def test_rules_take_two(two):
    """Planted: keys compared instead of principals; ann's second key then approves."""
    url, ann, again, bob = two
    document = proposal("allow_negative")
    alone = ann.put(f"{url}/rules", json=document["content"])
    assert (alone.status_code, alone.json()["code"]) == (403, "approval_needed")
    proposed = ann.post(f"{url}/changes", json=document)
    assert (proposed.status_code, proposed.json()["status"]) == (201, "proposed")
    approve, content_hash = f"{url}/changes/{proposed.json()['change']}/approve", {"hash": proposed.json()["hash"]}
    for client in (ann, again):
        answer = client.post(approve, json=content_hash)
        assert (answer.status_code, answer.json()["code"]) == (403, "same_principal")
    wrong = bob.post(approve, json={"hash": "0" * 64})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "change_differs")
    assert ann.get(f"{url}/rules").json()["version"] == 1
    first, second = bob.post(approve, json=content_hash), bob.post(approve, json=content_hash)
    assert (first.status_code, first.json()["approved_by"]) == (200, "bob")
    assert second.json() == first.json()
    now = ann.get(f"{url}/rules").json()
    assert (now["version"], now["rules"]["refunds"]) == (2, "allow_negative")
    assert ann.get(f"{url}/changes").json()["changes"] == [first.json()]
    types = [json.loads(line)["record"]["type"] for line in ann.get(f"{url}/feed").text.splitlines()]
    assert types == ["program.published", "change.proposed", "change.approved", "program.published"]


def test_an_adjustment_takes_two_and_happens_once(two):
    url, ann, _, bob = two
    structured = {"Content-Type": "application/cloudevents+json"}
    bob.post(f"{url}/events", json=grant("c-1", 500), headers=structured)
    content = {"customer": "c-1", "points": -400, "reason": "credited twice"}
    alone = {**grant("c-1", 1), "type": "points.adjusted", "data": {"points": -400, "reason": "credited twice"}}
    refused = ann.post(f"{url}/events", json=alone, headers=structured)
    assert (refused.status_code, refused.json()["code"]) == (403, "approval_needed")
    change = ann.post(f"{url}/changes", json={"kind": "adjustment", "content": content}).json()
    for _ in range(2):
        done = bob.post(f"{url}/changes/{change['change']}/approve", json={"hash": change["hash"]})
        assert done.status_code == 200, done.text
    assert ann.get(f"{url}/customers/c-1").json()["balances"] == {"points": 100}
    last = ann.get(f"{url}/customers/c-1/events").json()["records"][-1]["record"]
    assert (last["actor"], last["cause"]["id"]) == ("bob", change["change"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "malformed"),
        ({"kind": "rules", "content": {"unknown": 1}}, "malformed"),
        ({"kind": "song", "content": {}}, "malformed"),
        ({"kind": 1, "content": {}}, "malformed"),
        ({"kind": "adjustment", "content": {"points": 1, "reason": "x"}}, "malformed"),
        (
            {"kind": "adjustment", "content": {"customer": "13800138000", "points": 1, "reason": "x"}},
            "personal_identifier",
        ),
        ({"kind": "adjustment", "content": {"customer": "c-1", "points": 0, "reason": "x"}}, "malformed"),
    ],
)
def test_what_is_malformed_is_not_proposed(two, body, code):
    url, ann, _, _ = two
    answer = ann.post(f"{url}/changes", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert ann.get(f"{url}/changes").json() == {"changes": []}


def test_a_change_nobody_proposed(two):
    url, _, _, bob = two
    answer = bob.post(f"{url}/changes/1b4e28ba-2fa1-41d2-883f-0016d3cca427/approve", json={"hash": "0" * 64})
    assert (answer.status_code, answer.json()["code"]) == (404, "change_unknown")
