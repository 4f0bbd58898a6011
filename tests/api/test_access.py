"""Who may do what: a matrix made from the table of routes, so that a new route without rights cannot slip in."""

import time

import httpx
import pytest

import api.auth
import api.keys
from api.auth import KEPT_SECONDS, Scope
from api.examples import RULES
from api.routes import OPERATIONS
from api.routing import access_of
from tests.api.serving import STRUCTURED, grant, purchase

KEYED = [operation for operation in OPERATIONS if access_of(operation.endpoint) is not None]
OPEN = [operation for operation in OPERATIONS if access_of(operation.endpoint) is None]
NAMES = [f"{operation.method} {operation.path}" for operation in KEYED]

QUESTIONS = {"/receipts": {"source": "/s", "id": "1"}, "/records": {"line": "granted"}}


class Named(dict):
    """What stands in a path; anything not listed is a name that nothing has."""

    def __missing__(self, _name):
        return "none"


def call(client, operation, program):
    """The operation as somebody with every right would do it; what it names need not exist."""
    path = operation.path.format_map(Named(program=program, customer="c-matrix", metric="customers"))
    params = next((params for end, params in QUESTIONS.items() if path.endswith(end)), {})
    if operation.method == "GET":
        return client.get(path, params=params)
    if operation.method == "PUT":
        return client.put(path, json=RULES)
    return client.post(path, json=grant("c-matrix", 1), headers=STRUCTURED)


def assert_problem(answer, status, code):
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_keyed_operation_is_in_the_matrix_and_the_open_ones_are_these():
    assert {operation.path for operation in OPEN} == {"/healthz", "/readyz", "/metrics", "/openapi.json"}
    assert len(KEYED) == 27


@pytest.mark.parametrize("operation", OPEN, ids=[operation.path for operation in OPEN])
def test_an_open_operation_needs_no_key(service, operation):
    assert service.client("").get(operation.path).status_code not in (401, 403)


@pytest.mark.parametrize("operation", KEYED, ids=NAMES)
def test_without_a_key_that_lives_there_is_nothing(service, shop, operation):
    """Planted: a scheme other than Bearer let through; seen."""
    none = call(service.client(""), operation, shop.program)
    assert_problem(none, 401, "unauthenticated")
    assert none.headers["www-authenticate"] == 'Bearer realm="ledger"'
    unknown = api.auth.new_key()
    sent = (
        f"Bearer {unknown}",
        f"Basic {shop.service.admin_key}",
        shop.service.admin_key,
        f"Bearer {shop.service.admin_key}x",
        f"Bearer  ,{shop.service.admin_key}",
        "Bearer",
        "Bearer \xff",
    )
    for value in sent:
        client = service.client("")
        client.headers = httpx.Headers({b"authorization": value.encode("latin-1")})
        refused = call(client, operation, shop.program)
        assert_problem(refused, 401, "unauthenticated")
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.ADMIN])
@pytest.mark.parametrize("operation", KEYED, ids=NAMES)
def test_a_scope_opens_what_it_is_for_and_nothing_else(service, shop, operation, scope):
    """Planted: the check of scopes left out of one route; seen."""
    answer = call(service.client(service.key(scope)), operation, shop.program)
    if scope in access_of(operation.endpoint):
        assert answer.status_code not in (401, 403)
    else:
        assert_problem(answer, 403, "forbidden")
        assert scope not in answer.json()["facts"]["needs_one_of"]


@pytest.mark.parametrize("operation", KEYED, ids=NAMES)
def test_admin_opens_everything_and_a_bound_key_only_its_programs(service, shop, operation):
    """A key bound elsewhere cannot even learn whether the program exists.

    Planted: the program looked up before the key's programs; seen (404 for the one, 403 for the other).
    """
    assert call(service.client(), operation, shop.program).status_code not in (401, 403)
    bound = service.client(service.key(Scope.ADMIN, programs=[shop.program]))
    assert call(bound, operation, shop.program).status_code not in (401, 403)
    elsewhere = service.client(service.key(Scope.ADMIN, programs=["elsewhere"]))
    for program in (shop.program, "nowhere"):
        assert_problem(call(elsewhere, operation, program), 403, "forbidden")


@pytest.mark.parametrize("operation", KEYED, ids=NAMES)
def test_a_revoked_key_opens_nothing_within_seconds(service, shop, operation, monkeypatch):
    monkeypatch.setattr(api.auth, "KEPT_SECONDS", 0.0)
    key = service.key(Scope.ADMIN)
    client = service.client(key)
    assert call(client, operation, shop.program).status_code not in (401, 403)
    assert service.as_owner(lambda conn: api.keys.revoke(conn, key))
    assert_problem(call(client, operation, shop.program), 401, "unauthenticated")


def test_a_key_that_was_just_used_is_forgotten_in_time(service, shop):
    """Planted: keys remembered for ever; seen."""
    assert KEPT_SECONDS <= 5
    key = service.key(Scope.READ)
    client = service.client(key)
    url = shop.customer("c-matrix")
    assert client.get(url).status_code != 401
    assert service.as_owner(lambda conn: api.keys.revoke(conn, key))
    began = time.monotonic()
    while client.get(url).status_code != 401:
        assert time.monotonic() - began < KEPT_SECONDS + 2
    assert service.as_owner(lambda conn: api.keys.revoke(conn, key)) is False


def test_a_key_may_post_only_for_its_sources(service, shop, customer):
    """Planted: the sources of a key not looked at; seen."""
    poster = shop.with_key(service.key(Scope.POST, sources=["/mine"]))
    refused = poster.post(purchase(customer, source="/yours"))
    assert_problem(refused, 403, "forbidden")
    mine = purchase(customer, source="/mine")
    assert [poster.post(mine).status_code for _ in range(2)] == [201, 200]


def test_the_principal_is_the_actor(service, shop, customer):
    poster = shop.with_key(service.key(Scope.POST, principal="Ann at the till"))
    assert poster.post(purchase(customer)).status_code == 201
    record = shop.client.get(f"{shop.customer(customer)}/events").json()["records"][0]["record"]
    assert record["actor"] == "Ann at the till"


def test_a_place_is_registered_by_admins(service, shop):
    data = {"store": "SZ-9", "brand": "b", "entity": "e", "effective_from": "2026-01-01T00:00:00Z"}
    place = {**grant("x", 1), "type": "place.registered", "subject": shop.program, "data": data}
    poster = shop.with_key(service.key(Scope.POST, Scope.BACKDATE))
    assert_problem(poster.post(place), 403, "forbidden")
    assert [shop.post(place).status_code for _ in range(2)] == [201, 200]
