"""Metrics over HTTP: listed with their sentences, asked at any pair of cut-offs, and refused by name."""

from typing import Any

import pytest

from api.auth import Scope
from projections.metrics.definitions import DEFINITIONS
from tests.api.serving import Service, Shop, fresh

AT = "2026-01-{:02d}T10:00:00+08:00"


def buys(shop: Shop, customer: str, total: int, day: int, *, currency: str = "CNY") -> None:
    data = {"order_id": fresh("SO"), "currency": currency, "total": total, "place": {"store": "S1", "channel": "wx"}}
    event = {
        "specversion": "1.0",
        "id": fresh("e"),
        "source": "/till",
        "type": "purchase.recorded",
        "subject": customer,
        "time": AT.format(day),
        "data": data,
    }
    answer = shop.post(event)
    assert answer.status_code == 201, answer.text


def asked(shop: Shop, name: str, **query: str) -> dict[str, Any]:
    answer = shop.client.get(f"/v1/programs/{shop.program}/metrics/{name}", params=query)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


REFUSED = {"pool": "no_connections_recorded", "burn_rate/ultimate": "valuation_missing"}


@pytest.fixture
def trading(own_shop: Shop) -> Shop:
    buys(own_shop, "c-1", 1_000, 1)
    buys(own_shop, "c-1", 3_000, 2)
    buys(own_shop, "c-2", 500, 2)
    return own_shop


def test_every_metric_is_listed_with_its_sentence(trading: Shop):
    shown = trading.client.get(f"/v1/programs/{trading.program}/metrics").json()
    assert [one["metric"] for one in shown["metrics"]] == [one.id for one in DEFINITIONS]
    assert all(one["sentence"] and one["formula"] for one in shown["metrics"])


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda one: one.id)
def test_every_metric_answers_with_what_says_which_number_it_is(trading: Shop, definition):
    if definition.name in REFUSED:
        answer = trading.client.get(f"/v1/programs/{trading.program}/metrics/{definition.name}")
        assert (answer.status_code, answer.json()["code"]) == (409, REFUSED[definition.name])
        return
    for name in (definition.name, definition.id):
        shown = asked(trading, name)
        assert (shown["metric"], shown["sentence"]) == (definition.id, definition.sentence)
        assert shown["position"] == 4
        assert shown["counts"]["orders"] == 3


def test_a_metric_is_current_to_the_last_position_and_can_be_asked_as_it_was_known(trading: Shop):
    (row,) = asked(trading, "repurchase_rate/window")["rows"]
    assert row == {"repeaters": 1, "buyers": 2, "value": 0.5}
    buys(trading, "c-2", 700, 3)
    after = asked(trading, "repurchase_rate/window")
    assert (after["rows"][0]["value"], after["position"]) == (1.0, 5)
    before = asked(trading, "repurchase_rate/window", known_at="4")
    assert (before["rows"][0]["value"], before["position"]) == (0.5, 4)
    as_of = asked(trading, "orders", as_of="2026-01-01")
    assert (as_of["rows"][0]["orders"], as_of["as_of"]) == (1, "2026-01-01T15:59:59.999999Z")


def test_periods_and_places(trading: Shop):
    shown = asked(trading, "revenue", by="day,store", **{"from": "2026-01-01", "to": "2026-01-04"})
    assert [(row["period"], row["store"], row["gross"]) for row in shown["rows"]] == [
        ("2026-01-01", "S1", 1_000),
        ("2026-01-02", "S1", 3_500),
    ]
    filled = asked(trading, "orders", by="day", **{"from": "2026-01-01", "to": "2026-01-05"})
    assert [row["orders"] for row in filled["rows"]] == [1, 2, 0, 0]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("metrics/turnover", 404, "metric_unknown"),
        ("metrics/repurchase_rate/often", 404, "metric_unknown"),
        ("metrics/orders?unit=week", 400, "parameter_malformed"),
        ("metrics/orders?by=weather", 400, "parameter_malformed"),
        ("metrics/orders?by=day,week", 400, "parameter_malformed"),
        ("metrics/orders?amount=much", 400, "parameter_malformed"),
        ("metrics/orders?explain=yes", 400, "parameter_malformed"),
        ("metrics/orders?cell=2026-01", 400, "parameter_malformed"),
        ("metrics/clv?explain=true", 400, "parameter_malformed"),
        ("metrics/super_members?rule=tier&tier=gold", 400, "parameter_malformed"),
        ("metrics/orders?from=yesterday", 400, "parameter_malformed"),
        ("metrics/orders?from=2026-02-01&to=2026-02-01", 400, "parameter_malformed"),
        ("metrics/repurchase_rate/cohort?n=0", 400, "parameter_malformed"),
        ("metrics/aov/order?currency=yuan", 400, "parameter_malformed"),
        ("metrics/orders?as_of=2200-01-01", 400, "cut_off_in_future"),
        ("metrics/orders?known_at=999", 400, "cut_off_in_future"),
        ("metrics?by=day", 400, "parameter_malformed"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(trading: Shop, path: str, status: int, code: str):
    answer = trading.client.get(f"/v1/programs/{trading.program}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_refusal_lists_what_there_is(trading: Shop):
    unknown = trading.client.get(f"/v1/programs/{trading.program}/metrics/turnover").json()
    assert "revenue@1" in unknown["facts"]["metrics"]
    wrong = trading.client.get(f"/v1/programs/{trading.program}/metrics/orders?by=weather").json()
    assert "month" in wrong["errors"][0]["reason"]


def test_the_records_behind_a_cell(trading: Shop):
    shown = asked(trading, "revenue", by="day,store", explain="true", cell="2026-01-02,S1")
    assert [row["gross"] for row in shown["rows"]] == [3_500]
    explained = shown["explained"]
    assert explained["cell"] == {"period": "2026-01-02", "store": "S1"}
    assert (explained["count"], explained["next"]) == (2, None)
    assert [(one["customer"], one["type"]) for one in explained["records"]] == [
        ("c-1", "purchase.recorded"),
        ("c-2", "purchase.recorded"),
    ]
    page = asked(trading, "revenue", explain="true", records_limit="1")["explained"]
    assert (page["count"], len(page["records"]), page["next"]) == (3, 1, page["records"][0]["position"])


def test_metrics_that_look_at_the_rules_read_them_as_they_were_known(own_shop: Shop):
    """Against: a process apart that has no rules, and rules of today in an answer of before."""
    path = f"/v1/programs/{own_shop.program}/rules"
    valuation = {"effective_from": "2026-01-01T00:00:00Z", "currency": "CNY", "value_per_point": "0.01"}
    for rate in ("0.7", "0.8"):
        document = {**own_shop.client.get(path).json()["rules"], "valuation": [{**valuation, "redemption_rate": rate}]}
        assert own_shop.client.put(path, json=document).status_code == 200
    latest = asked(own_shop, "burn_rate/ultimate")
    assert [row["value"] for row in latest["rows"]] == [0.8]
    before = asked(own_shop, "burn_rate/ultimate", known_at=str(latest["position"] - 1))
    assert [row["value"] for row in before["rows"]] == [0.7]


def test_mixed_currencies_are_refused_until_one_is_chosen(service: Service):
    own_shop = Shop(service, service.client(), fresh("mixed"))
    assert own_shop.client.put(f"/v1/programs/{own_shop.program}/rules", json={}).status_code == 201
    buys(own_shop, "c-1", 1_000, 1)
    buys(own_shop, "c-1", 300, 1, currency="USD")
    path = f"/v1/programs/{own_shop.program}/metrics/aov/order"
    refused = own_shop.client.get(path)
    assert (refused.status_code, refused.json()["code"]) == (400, "currencies_mixed")
    chosen = own_shop.client.get(path, params={"currency": "USD"}).json()
    assert (chosen["rows"][0]["amount"], chosen["currency"]) == (300, "USD")


def test_a_key_that_only_posts_may_not_ask(trading: Shop):
    client = trading.service.client(trading.service.key(Scope.POST))
    assert client.get(f"/v1/programs/{trading.program}/metrics/orders").status_code == 403
