"""The OpenAPI document is whole: every route, every status, an example on every body, and the examples are true."""

import json

import jsonschema_rs
import pytest

from api import examples
from api.app import create_app
from api.routes import OPERATIONS
from api.routing import access_of
from api.schemas import components
from ledger.events import SHAPES
from ledger.rules import read_document
from tests.api.serving import STRUCTURED, fresh


@pytest.fixture(scope="module")
def document():
    return create_app(lambda: None).openapi()


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_the_document_is_served_without_a_key(service, document):
    answer = service.client("").get("/openapi.json")
    assert answer.json() == json.loads(json.dumps(document))
    assert document["openapi"].startswith("3.1")


def test_every_route_is_documented_and_nothing_else(document):
    assert {name for name, _ in operations(document)} == {f"{one.method} {one.path}" for one in OPERATIONS}
    served = {(method, route.path) for route in create_app(lambda: None).routes for method in route.methods}
    assert served == {(one.method, one.path) for one in OPERATIONS}


def test_every_operation_says_what_it_may_answer(document):
    """Planted: 412 left out of posting; seen."""
    for name, operation in operations(document):
        statuses = set(operation["responses"])
        assert "500" in statuses, name
        if operation["security"]:
            assert {"401", "403", "503"} <= statuses, name
        if "requestBody" in operation:
            assert {"400", "413", "415", "429"} <= statuses, name
        if "{customer}" in name:
            assert {"400", "404"} <= statuses, name
    posting = document["paths"]["/v1/programs/{program}/events"]["post"]["responses"]
    assert set(posting) == {
        *("200", "201", "400", "401", "403", "404", "408", "409", "412", "413", "415", "422", "429", "500", "503")
    }


def test_every_problem_is_a_problem_document_with_an_example(document):
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) < 400:
                continue
            content = answer["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, (name, status)
            assert content["example"]["status"] == int(status), (name, status)


def bodies(document):
    for name, operation in operations(document):
        for media_type, content in operation.get("requestBody", {"content": {}})["content"].items():
            yield f"{name} {media_type}", content
        for status, answer in operation["responses"].items():
            for media_type, content in answer["content"].items():
                yield f"{name} {status} {media_type}", content


def examples_of(content):
    if "example" in content:
        return [content["example"]]
    return [one["value"] for one in content["examples"].values()]


def test_every_body_has_an_example_that_keeps_to_its_schema(document):
    """Planted: `balances` left out of the example of a receipt; seen."""
    for name, content in bodies(document):
        shown = examples_of(content)
        assert shown, name
        if name.endswith("yaml"):
            continue
        for example in shown:
            schema = {**content["schema"], "components": document["components"]}
            jsonschema_rs.validate(schema, example)


def test_every_reference_leads_somewhere(document):
    text = json.dumps(document)
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named - {"Event"} <= set(document["components"]["schemas"])
    unused = set(components()) - named
    assert not unused, f"nothing refers to {unused}"


def test_the_union_of_events_tells_them_apart_by_type(document):
    union = document["components"]["schemas"]["Event"]
    assert set(union["discriminator"]["mapping"]) == set(SHAPES)
    for event_type, reference in union["discriminator"]["mapping"].items():
        schema = document["components"]["schemas"][reference.rsplit("/", 1)[1]]
        assert schema["properties"]["type"] == {"const": event_type}


def test_the_examples_of_events_are_recorded_as_they_stand(own_shop):
    """But for their time, which may lie ahead of a machine's clock."""
    for event in (examples.SIGN_UP, examples.PURCHASE, examples.REDEMPTION):
        sent = {**event, "time": "2026-01-01T10:00:00+08:00", "subject": f"c-{fresh('x')}", "id": fresh("e")}
        if event is examples.REDEMPTION:
            assert own_shop.post(sent).status_code == 422
        else:
            assert own_shop.post(sent).status_code == 201
    data = examples.PURCHASE["data"] | {"order_id": fresh("SO")}
    headers = examples.BINARY_HEADERS | {"ce-time": "2026-01-01T10:00:00+08:00"}
    assert own_shop.client.post(own_shop.events, json=data, headers=headers).status_code == 201
    assert STRUCTURED["Content-Type"] in document_types()


def document_types():
    return OPERATIONS[0].body


def test_the_examples_of_rules_are_rules():
    assert read_document(examples.RULES)


def test_the_scopes_of_an_operation_are_named(document):
    for operation in OPERATIONS:
        shown = document["paths"][operation.path][operation.method.lower()]
        any_of = access_of(operation.endpoint)
        assert bool(shown["security"]) == (any_of is not None)
        for scope in any_of or ():
            assert scope in shown["description"]
