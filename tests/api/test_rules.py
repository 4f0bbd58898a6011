"""Publishing and reading rules: every publication is sent twice."""

import json

import pytest

from api.auth import Scope
from api.examples import RULES, RULES_YAML
from api.rules import DOCUMENT_BYTES_MAX
from tests.api.serving import fresh, purchase

YAML = {"Content-Type": "application/yaml"}


def rules_of(program):
    return f"/v1/programs/{program}/rules"


def test_the_first_rules_make_a_program_and_the_same_again_change_nothing(service):
    """Planted: every publication a new version; seen."""
    client, program = service.client(), fresh("made")
    first = client.put(rules_of(program), json=RULES)
    assert (first.status_code, first.json()["version"], first.json()["effective_from"]) == (201, 1, None)
    second = client.put(rules_of(program), json=RULES)
    assert (second.status_code, second.json()) == (200, first.json())
    answer = client.post(
        f"/v1/programs/{program}/events",
        json=purchase("c-1"),
        headers={"Content-Type": "application/cloudevents+json"},
    )
    assert answer.json()["balances"] == {"points": 85}


def test_versions_are_kept(own_shop):
    double = json.loads(json.dumps(RULES))
    double["earning"][0]["points_per_unit"] = "2"
    client, url = own_shop.client, rules_of(own_shop.program)
    for _ in range(2):
        published = client.put(url, json=double)
        assert (published.status_code, published.json()["version"]) == (200, 2)
    assert published.json()["rules"]["earning"][0]["points_per_unit"] == "2"
    latest = client.get(url).json()
    assert {name: latest[name] for name in published.json()} == published.json()
    assert [version["version"] for version in latest["versions"]] == [1, 2]
    first = client.get(url, params={"version": 1}).json()
    assert (first["version"], first["rules"]["earning"][0]["points_per_unit"]) == (1, "1")
    for version in ("x", "-1", "1" * 17, ""):
        answer = client.get(url, params={"version": version})
        assert (answer.status_code, answer.json()["code"]) == (400, "parameter_malformed")
    for version in ("0", "3"):
        answer = client.get(url, params={"version": version})
        assert (answer.status_code, answer.json()["code"]) == (404, "version_unknown")


def test_yaml_says_the_same_as_json(service):
    """`on` is text here, not a boolean.

    Planted: the library's own loader; seen (400: `on` is missing).
    """
    client, program = service.client(), fresh("yaml")
    first = client.put(rules_of(program), content=RULES_YAML, headers=YAML)
    assert first.status_code == 201, first.text
    assert client.put(rules_of(program), json=RULES).json() == first.json()


@pytest.mark.parametrize(
    "change", [{"time_zone": "UTC"}, {"points_scale": 2}, {"currencies": []}, {"order_scope": "store"}]
)
def test_the_block_of_the_program_is_fixed(own_shop, change):
    changed = {**RULES, "program": {**RULES["program"], **change}}
    for _ in range(2):
        answer = own_shop.client.put(rules_of(own_shop.program), json=changed)
        assert (answer.status_code, answer.json()["code"]) == (409, "fixed_at_creation")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_json"),
        (b"[1", "application/yaml", 400, "malformed_yaml"),
        (b"a: &b 1\nc: *b", "application/yaml", 400, "malformed_yaml"),
        (b"a: 1\na: 2", "application/yaml", 400, "malformed_yaml"),
        (b"a: !!python/object:os.system x", "application/yaml", 400, "malformed_yaml"),
        (b"\xff", "application/yaml", 400, "malformed_yaml"),
        (b"[" * 3000, "application/yaml", 400, "malformed_yaml"),
        (b"[]", "application/json", 400, "malformed"),
        (b"", "application/yaml", 400, "malformed"),
        (b'{"earning":[{"id":"x","on":"nothing"}]}', "application/json", 400, "malformed"),
        (b'{"program":{"time_zone":"Mars/Olympus"}}', "application/json", 400, "malformed"),
        (b'{"unknown":1}', "application/json", 400, "malformed"),
        (b'{"backdate_days":true}', "application/json", 400, "malformed"),
        (b'{"backdate_days":"5"}', "application/json", 400, "malformed"),
        (b'{"effective_from":5}', "application/json", 400, "malformed"),
        (b'{"effective_from":"0001-01-01T00:00:00Z"}', "application/json", 400, "malformed"),
        (b"{}", "text/plain", 415, "media_type_unsupported"),
        (b" " * (DOCUMENT_BYTES_MAX + 1), "application/json", 413, "document_too_large"),
    ],
)
def test_rules_that_cannot_be_read_are_named_and_change_nothing(service, body, content_type, status, code):
    client, program = service.client(), fresh("bad")
    for _ in range(2):
        answer = client.put(rules_of(program), content=body, headers={"Content-Type": content_type})
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert client.get(rules_of(program)).json()["code"] == "program_unknown"


@pytest.mark.parametrize("name", ["UPPER", "_x", "x" * 41, "a b", "a%0A", "%C3%BC", "a.b"])
def test_a_name_that_is_no_programs_is_400(service, name):
    answer = service.client().put(rules_of(name), json=RULES)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), answer.text


def test_publishing_is_for_admins_of_the_program(service, own_shop):
    auditor = service.client(service.key(Scope.AUDIT, Scope.FINANCE, Scope.READ, Scope.POST, Scope.BACKDATE))
    assert auditor.put(rules_of(own_shop.program), json=RULES).status_code == 403
    assert auditor.get(rules_of(own_shop.program)).status_code == 200
    elsewhere = service.client(service.key(Scope.ADMIN, programs=["another"]))
    assert elsewhere.put(rules_of(own_shop.program), json=RULES).status_code == 403
    assert elsewhere.put(rules_of(fresh("new")), json=RULES).status_code == 403


def test_the_record_names_who_published(own_shop):
    feed = own_shop.client.get(f"/v1/programs/{own_shop.program}/feed").text
    record = json.loads(feed.splitlines()[0])["record"]
    assert (record["type"], record["actor"]) == ("program.published", "root")
