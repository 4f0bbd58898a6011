"""Corrections over HTTP: tried, ordered, carried out; opening balances by two; and the registers."""

import pytest

from api.auth import Scope
from api.examples import RULES
from ledger.instants import show
from ledger.service import wall_clock
from tests.api.serving import Shop, await_that, code_of, event, fresh, grant, purchase, redemption

MINUTE = 60_000_000
TWO = {**RULES, "approvals": {"corrections": True, "openings": True}}


@pytest.fixture
def wrong(own_shop: Shop):
    """A program in which c-1 and c-2 were given too much; c-1 has spent some of it."""
    for customer in ("c-1", "c-2"):
        assert own_shop.post(purchase(customer, 100_00)).status_code == 201
        assert own_shop.post(grant(customer, 50)).status_code == 201
    assert own_shop.post(redemption("c-1", 140)).status_code == 201
    return own_shop


def ordered(**more):
    """A tenth of what purchases of the last hour gave."""
    now = wall_clock()
    window = {"from": show(now - 60 * MINUTE), "until": show(now), "types": ["purchase.recorded"]}
    return {**window, "factor": "1/10", "reason": "a hundred for ten", "ticket": "T-1", **more}


def points(shop, customer):
    return shop.client.get(shop.customer(customer)).json()["balances"]["points"]


def test_a_dry_run_says_what_the_order_then_does(wrong: Shop):
    url = f"/v1/programs/{wrong.program}"
    order = ordered()
    said = wrong.client.post(f"{url}/corrections?dry_run=true", json=order)
    assert said.status_code == 200, said.text
    assert said.json()["totals"] == {
        "customers": 2,
        "records": 2,
        "due": 180,
        "own": 90,
        "others": 10,
        "expired": 0,
        "dropped": 80,
        "debt": 0,
        "given": 0,
        "forgone": 0,
        "spent": 90,
        "change": -100,
        "refused": 0,
        "customers_spent": 1,
    }
    assert [one["customer"] for one in said.json()["customers"]] == ["c-1", "c-2"]
    assert (points(wrong, "c-1"), points(wrong, "c-2")) == (10, 150)
    assert wrong.client.get(f"{url}/corrections").json() == {"corrections": []}
    given = wrong.client.post(f"{url}/corrections", json=order)
    assert given.status_code == 201, given.text
    await_that(lambda: wrong.client.get(f"{url}/corrections").json()["corrections"][0]["status"] == "done")
    assert (points(wrong, "c-1"), points(wrong, "c-2")) == (0, 60)
    number = given.json()["correction"]
    register = wrong.client.get(f"{url}/adjustments?correction={number}").json()["adjustments"]
    told = sorted((one["customer"], one["points"], one["actor"], one["ticket"]) for one in register)
    assert told == [("c-1", -10, "root", "T-1"), ("c-2", -90, "root", "T-1")]
    again = wrong.client.post(f"{url}/corrections?dry_run=true", json=order).json()
    assert again["totals"]["customers"] == 0


@pytest.fixture
def two(wrong: Shop):
    """The same where it takes two; its URL, ann's two clients and bob's."""
    ann, again, bob = (
        wrong.service.client(wrong.service.key(Scope.ADMIN, principal=name)) for name in ("ann", "ann", "bob")
    )
    url = f"/v1/programs/{wrong.program}"
    assert ann.put(f"{url}/rules", json=TWO).status_code == 200
    return wrong, url, ann, again, bob


def test_a_correction_takes_two(two):
    """Planted: an order decided without asking how many it takes."""
    shop, url, ann, again, bob = two
    order = ordered()
    assert code_of(ann.post(f"{url}/corrections", json=order)) == "approval_needed"
    assert ann.post(f"{url}/corrections?dry_run=true", json=order).status_code == 200
    change = ann.post(f"{url}/changes", json={"kind": "correction", "content": order}).json()
    approve = f"{url}/changes/{change['change']}/approve"
    assert code_of(again.post(approve, json={"hash": change["hash"]})) == "same_principal"
    assert code_of(bob.post(approve, json={"hash": "0" * 64})) == "change_differs"
    assert bob.post(approve, json={"hash": change["hash"]}).status_code == 200
    await_that(lambda: ann.get(f"{url}/corrections").json()["corrections"][0]["status"] == "done")
    correction = ann.get(f"{url}/corrections").json()["corrections"][0]
    assert (correction["hash"], correction["change"], correction["ordered_by"]) == (
        change["hash"],
        change["change"],
        "bob",
    )
    assert points(shop, "c-2") == 60
    adjustment = ann.get(f"{url}/adjustments?customer=c-2").json()["adjustments"][0]
    assert (adjustment["proposed_by"], adjustment["approved_by"]) == ("ann", "bob")


def test_opening_balances_take_two(two):
    """Against: one of several approved openings posted for another customer."""
    shop, url, ann, again, bob = two
    lots = [{"asset": "points", "amount": 500, "granted_at": "2025-01-01T00:00:00Z", "reason": "earned"}]
    data = {"system": "old", "cutover_at": "2026-01-01T00:00:00Z", "lots": lots}
    assert code_of(shop.post(event("account.opened_from", "c-8", data))) == "approval_needed"
    content = {"openings": [{"customer": name, **data} for name in ("c-8", "c-9")]}
    change = ann.post(f"{url}/changes", json={"kind": "opening", "content": content}).json()
    approve = f"{url}/changes/{change['change']}/approve"
    assert code_of(again.post(approve, json={"hash": change["hash"]})) == "same_principal"
    for _ in range(2):
        assert bob.post(approve, json={"hash": change["hash"]}).status_code == 200
    assert (points(shop, "c-8"), points(shop, "c-9")) == (500, 500)
    record = ann.get(f"{shop.customer('c-8')}/events").json()["records"][-1]["record"]
    assert (record["actor"], record["cause"]["id"]) == ("bob", change["change"])


@pytest.mark.parametrize(
    ("kind", "content", "pointer"),
    [
        ("correction", {}, "/content/from"),
        ("opening", {}, "/content/openings"),
        ("opening", {"openings": []}, "/content/openings"),
        ("opening", {"openings": [{"system": "old"}]}, "/content/openings/0/customer"),
    ],
)
def test_what_is_malformed_is_not_proposed(two, kind, content, pointer):
    _, url, ann, _, _ = two
    answer = ann.post(f"{url}/changes", json={"kind": kind, "content": content})
    assert code_of(answer) == "malformed"
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_nobody_orders_a_correction_as_an_event(own_shop: Shop):
    sent = event("correction.ordered", own_shop.program, {"order": ordered()})
    assert code_of(own_shop.post(sent)) == "type_unknown"


def test_the_register_of_adjustments_is_read_a_page_at_a_time(own_shop: Shop):
    for number in range(3):
        data = {"points": 10 + number, "reason": f"reason {number}"}
        assert own_shop.post(event("points.adjusted", f"c-{number}", data)).status_code == 201
    url = f"/v1/programs/{own_shop.program}/adjustments"
    first = own_shop.client.get(f"{url}?limit=2").json()
    second = own_shop.client.get(f"{url}?limit=2&after={first['next']}").json()
    found = first["adjustments"] + second["adjustments"]
    assert [(one["customer"], one["points"], one["reason"], one["approved_by"]) for one in found] == [
        ("c-0", 10, "reason 0", None),
        ("c-1", 11, "reason 1", None),
        ("c-2", 12, "reason 2", None),
    ]
    assert second["next"] is None
    assert own_shop.client.get(f"{url}?customer=c-1").json()["adjustments"] == [found[1]]


def test_the_register_of_scopes_names_who_may_what(own_shop: Shop):
    """Only keys that reach the program. Planted: those of other programs listed too."""
    service, here, elsewhere = own_shop.service, [own_shop.program], [fresh("other")]
    name = fresh("till")
    service.key(Scope.POST, principal=name, programs=here)
    service.key(Scope.READ, Scope.BACKDATE, principal=name, programs=here, sources=["/pos"])
    service.key(Scope.ADMIN, principal=name, programs=elsewhere)
    answer = own_shop.client.get(f"/v1/programs/{own_shop.program}/scopes").json()
    holder = next(one for one in answer["principals"] if one["principal"] == name)
    assert holder["scopes"] == ["backdate", "post", "read"]
    assert [(key["every_program"], key["sources"]) for key in holder["keys"]] == [(False, None), (False, ["/pos"])]
    till = service.client(service.key(Scope.POST, Scope.READ, Scope.FINANCE, programs=here))
    assert code_of(till.get(f"/v1/programs/{own_shop.program}/scopes")) == "forbidden"
