"""For those who run the service: alive, ready, measured, logged; and nothing personal in any of it."""

import io
import json
import logging
import os
import re
import subprocess
import sys

import pytest

import api.telemetry
from ledger.migrating import migrate
from tests.api.serving import Service, await_that, event, fresh, grant, purchase
from tests.postgres import NEWEST, create_database


def test_the_process_says_that_it_lives(service):
    answer = service.client("").get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.slow
def test_it_is_ready_on_a_durable_database_only(own_postgres, clusters):
    """The tests' own clusters do not flush, which is a reason not to be ready.

    Planted: the answer always ready; seen.
    """
    with clusters.database(NEWEST, template=clusters.migrated(NEWEST).name) as forgetful:
        running = Service(forgetful)
        answer = running.client("").get("/readyz")
        running.stop()
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.json()["facts"] == {"failed": ["durable"]}
    assert answer.headers["retry-after"]

    durable = create_database(own_postgres, "durable")
    migrate(durable.owner_url)
    running = Service(durable)
    client = running.client("")
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert set(ready.json()["checks"]) == {"migrated", "encoding", "durable", "primary", "writers"}
    own_postgres.stop()
    assert client.get("/readyz").json()["facts"]["failed"] == ["durable", "encoding", "migrated", "primary", "writers"]
    assert client.get("/healthz").status_code == 200
    running.stop()


def test_metrics_count_requests_by_route_and_events_by_outcome(service, shop, customer):
    sent = grant(customer, 5)
    statuses = [shop.post(one).status_code for one in (sent, sent, grant(customer, 0), event("x", customer, {}))]
    assert statuses == [201, 200, 400, 400]
    answer = service.client("").get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    text = answer.text
    assert re.search(r'ledger_events_total\{code="",outcome="recorded"\} [1-9]', text)
    assert re.search(r'ledger_events_total\{code="",outcome="replayed"\} [1-9]', text)
    route = 'route="/v1/programs/{program}/events"'
    assert re.search(
        rf'ledger_http_request_seconds_count\{{method="POST",{re.escape(route)},status="201"\}} [1-9]', text
    )
    assert customer not in text
    assert "ledger_feed_followers 0" in text


def test_metrics_show_what_programs_have_still_to_do(service, own_shop):
    """A refund that waits for its purchase, nothing in the queue, and how far the clock has come."""
    refund = event("purchase.refunded", "c-1", {"refund_id": fresh("R"), "order_id": fresh("SO"), "amount": 5})
    assert own_shop.post(refund).json()["retryable"]
    label = f'program="{own_shop.program}"'
    await_that(lambda: f"ledger_due_seconds{{{label}}}" in service.client("").get("/metrics").text)
    text = service.client("").get("/metrics").text
    assert f"ledger_refusals_waiting{{{label}}} 1.0" in text
    assert f"ledger_commands_waiting{{{label}}} 0.0" in text


def test_an_unknown_method_or_path_makes_no_series_of_its_own(service):
    """Planted: the path as the label; seen (a client could fill the memory)."""
    client = service.client()
    for number, method in enumerate(("PROPFIND", "LOCK", "SEARCH")):
        client.request(method, f"/nowhere/{number}")
    text = client.get("/metrics").text
    assert "nowhere" not in text
    assert "PROPFIND" not in text
    assert 'method="other",route="unknown"' in text


@pytest.fixture
def logged():
    """The log lines of requests, as they are written."""
    out = io.BytesIO()
    api.telemetry.requests.configure(logging.INFO, out)
    yield lambda: out.getvalue().decode()
    api.telemetry.requests.configure(logging.WARNING, out)


def test_a_request_is_logged_by_route_with_its_id_and_nobodys_name(service, shop, customer, logged):
    """Planted: the path logged; seen."""
    secret = fresh("secret")
    sent = purchase(customer)
    shop.post(sent, headers={"X-Request-Id": "mine.1"})
    answer = shop.client.get(shop.customer(customer), params={"as_of": secret})
    shop.client.get("/nowhere/" + secret)
    await_that(lambda: logged().count("\n") == 3)
    lines = [json.loads(line) for line in logged().splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [("request", "info")] * 3
    assert (lines[0]["request_id"], lines[0]["status"], lines[0]["method"]) == ("mine.1", 201, "POST")
    assert lines[0]["route"] == "/v1/programs/{program}/events"
    assert lines[0]["timestamp"].endswith("Z")
    assert lines[1]["request_id"] == answer.headers["x-request-id"]
    for private in (customer, secret, shop.service.admin_key, sent["data"]["order_id"], "root"):
        assert private not in logged()


@pytest.mark.parametrize("sent", ["a b", "x" * 65, "ü", ""])
def test_an_unlawful_request_id_is_replaced(service, sent):
    answer = service.client().get("/healthz", headers={"X-Request-Id": sent.encode()})
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", answer.headers["x-request-id"])


def run_python(program, **environment):
    return subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )


def test_logs_are_lines_of_json_from_the_level_on():
    """Also those of libraries, and with the trace of what went wrong."""
    program = (
        "import logging, structlog\n"
        "from api.telemetry import configure_logging\n"
        "configure_logging('info')\n"
        "structlog.get_logger('test').debug('unseen')\n"
        "structlog.get_logger('test').info('seen', customers=3)\n"
        "try:\n    1 / 0\n"
        "except ZeroDivisionError:\n    logging.getLogger('library').exception('went %s', 'wrong')\n"
    )
    lines = [json.loads(line) for line in run_python(program).stderr.splitlines()]
    assert [line["event"] for line in lines] == ["seen", "went wrong"]
    assert (lines[0]["level"], lines[0]["customers"]) == ("info", 3)
    assert (lines[1]["logger"], lines[1]["level"]) == ("library", "error")
    assert "ZeroDivisionError" in lines[1]["exception"]


def test_metrics_of_several_processes_are_added_up(tmp_path):
    """With PROMETHEUS_MULTIPROC_DIR every process answers for all.

    Planted: the process's own registry shown; seen.
    """
    program = (
        "from api import telemetry\n"
        "from ledger.answers import Answer\n"
        "telemetry.count_event(Answer({'position': 1}))\n"
        "print(telemetry.exposition().decode())"
    )
    run_python(program, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    second = run_python(program, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    assert 'ledger_events_total{code="",outcome="recorded"} 2.0' in second.stdout
