"""Every no has its row, its status and its document; what nobody caught has them too."""

import importlib
import pkgutil
import sys

import pytest

import api.customers
import api.problems
import ledger
from api.problems import TABLE, answered, code_of, problem
from ledger import errors
from ledger.errors import FormError, LedgerError, Refused
from tests.api.serving import grant


def below(kind):
    for derived in kind.__subclasses__():
        yield derived
        yield from below(derived)


def test_every_error_has_its_own_row():
    """Also one declared far from the others; what is made while old refusals are read is no class of a module.

    Planted: a row taken out; seen.
    """
    for module in pkgutil.walk_packages(ledger.__path__, "ledger."):
        importlib.import_module(module.name)
    declared = {
        kind for kind in below(LedgerError) if getattr(sys.modules[kind.__module__], kind.__name__, None) is kind
    }
    missing = {kind.__qualname__ for kind in declared} - {kind.__qualname__ for kind in TABLE}
    assert not missing, f"give it a status and a title in api/problems.py: {missing}"


def test_a_decision_is_422_and_nothing_else_is():
    for kind, row in TABLE.items():
        assert (row.status == 422) == issubclass(kind, Refused), kind


def test_codes_are_one_word_each_and_titles_are_short():
    for kind, row in TABLE.items():
        assert kind.code.replace("_", "").isalpha(), kind
        assert len(row.title) < 40


@pytest.mark.parametrize("kind", list(TABLE), ids=lambda kind: kind.__name__)
def test_a_problem_document_has_its_members(kind):
    error = kind.__new__(kind)
    LedgerError.__init__(error, "It is so.", fact=1)
    if isinstance(error, FormError):
        error.form_code, error.errors = "malformed", [{"pointer": "/id", "reason": "x"}]
    document = problem(error)
    assert list(document)[:5] == ["type", "title", "status", "code", "detail"]
    assert list(document)[-1] == "retryable"
    assert document["type"] == f"urn:ledger:problem:{code_of(error)}"
    assert ("facts" in document) == (document["status"] < 500 or kind is api.problems.NotReady)


def test_a_refusal_of_a_later_version_is_answered_as_a_refusal():
    kind = type("Refused", (Refused,), {"code": "invented_later"})
    assert answered(kind("No.")).status == 422


# --- What the router and nobody else answers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/programs/shop",
        "/v1/programs/shop/events/",
        "/docs",
        "/redoc",
        "/v1/programs/shop/weather",
        "/x%00",
    ],
)
def test_a_path_nobody_knows_is_a_404_problem(service, path):
    answer = service.client().get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "path_unknown")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "GET", "HEAD", "TRACE", "PROPFIND"])
def test_a_method_nobody_answers_is_a_405_problem_naming_those_that_are(service, method):
    answer = service.client().request(method, "/v1/programs/shop/events")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    if method != "HEAD":
        assert answer.json()["code"] == "method_not_allowed"


def test_the_methods_of_a_path_are_named_together(service):
    answer = service.client().delete("/v1/programs/shop/rules")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "PUT"}


def test_what_nobody_caught_is_a_500_problem_without_a_word_of_it(service, shop, customer, monkeypatch):
    """The log has it under the request's id.

    Planted: the exception's text as the detail; seen.
    """

    async def broken(*_):
        raise RuntimeError("secret in the stack")

    monkeypatch.setattr(type(service.app.state.ledger), "post", broken)
    answer = shop.post(grant(customer, 5), headers={"X-Request-Id": "find-me"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-request-id"] == "find-me"


def test_a_full_queue_is_429_with_retry_after(service, shop, customer, monkeypatch):
    async def full(*_):
        raise errors.QueueFull(waiting=5)

    monkeypatch.setattr(type(service.app.state.ledger), "post", full)
    answer = shop.post(grant(customer, 5))
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (429, "queue_full", True)
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "raised", [ConnectionRefusedError("10.0.0.7"), TimeoutError(), errors.DatabaseUnavailable(reason="10.0.0.7")]
)
def test_a_database_away_is_503_with_retry_after_and_no_word_of_where_it_is(service, shop, monkeypatch, raised):
    async def away(*_, **__):
        raise raised

    monkeypatch.setattr(api.customers.reading, "customer", away)
    answer = shop.client.get(shop.customer("c-1"))
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["retry-after"]
    assert "10.0.0.7" not in answer.text
