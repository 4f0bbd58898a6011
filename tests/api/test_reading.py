"""Reading a customer at any pair of cut-offs; receipts; refusals."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from ledger.instants import show
from ledger.service import wall_clock
from tests.api.serving import event, fresh, grant, purchase, redemption

SHOWN = (
    *("program", "customer", "version", "position", "as_of", "known_at", "balances", "available", "pending", "held"),
    *("lots", "debts", "tier", "totals"),
)


@pytest.fixture
def history(shop, customer):
    """Three purchases on three days, posted in order; their receipts."""
    days = ("2026-11-01T10:00:00+08:00", "2026-11-05T10:00:00+08:00", "2026-11-10T10:00:00+08:00")
    return [shop.post(purchase(customer, 1000 * n, time=day)).json() for n, day in enumerate(days, start=1)]


def read(shop, customer, **cut_offs):
    return shop.client.get(shop.customer(customer), params=cut_offs)


def points(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["balances"]["points"]


def test_an_account_shows_balances_lots_and_totals(shop, customer, history):
    answer = read(shop, customer)
    assert answer.headers["etag"] == '"3"'
    assert answer.headers["cache-control"] == "no-store"
    account = answer.json()
    assert tuple(account) == SHOWN
    assert (account["program"], account["customer"], account["version"]) == ("shop", customer, 3)
    assert account["balances"] == account["available"] == {"points": 60}
    assert [(lot["lot"], lot["remaining"]) for lot in account["lots"]] == [("1.1", 10), ("2.1", 20), ("3.1", 30)]
    assert account["totals"] == {
        "orders": 3,
        "refunds": 0,
        "gross": {"CNY": 6000},
        "net": {"CNY": 6000},
        "first_order_at": "2026-11-01T02:00:00Z",
        "last_order_at": "2026-11-10T02:00:00Z",
    }


def test_as_of_cuts_on_when_it_happened(shop, customer, history):
    """An instant with offset, or a date, whose last microsecond in the program's zone (+08:00) it means."""
    assert points(read(shop, customer, as_of="2026-11-05T10:00:00+08:00")) == 30
    assert points(read(shop, customer, as_of="2026-11-05T09:59:59.999999+08:00")) == 10
    assert points(read(shop, customer, as_of="2026-11-05")) == 30
    assert points(read(shop, customer, as_of="2026-11-04")) == 10
    assert read(shop, customer, as_of="2026-11-04").json()["as_of"] == "2026-11-04T15:59:59.999999Z"


def test_a_plus_that_arrives_as_a_space_is_a_plus(shop, customer, history):
    """Planted: the space left as it is; seen (400)."""
    url = f"{shop.customer(customer)}?as_of=2026-11-05T10:00:00+08:00"
    assert points(shop.client.get(url)) == 30
    assert points(shop.client.get(url.replace("+", "%2B"))) == 30


def test_an_as_of_before_the_first_record_is_an_account_of_zeros(shop, customer, history):
    account = read(shop, customer, as_of="2020-01-01").json()
    assert (account["balances"], account["lots"], account["totals"]["orders"]) == ({"points": 0}, [], 0)


def test_known_at_cuts_on_when_it_was_written(shop, customer, history):
    """A position, or an instant that is resolved to one; the answer names it and it reproduces the answer."""
    second = history[1]
    by_position = read(shop, customer, known_at=second["position"])
    assert points(by_position) == 30
    by_instant = read(shop, customer, known_at=second["recorded_at"])
    assert points(by_instant) == 30
    again = read(shop, customer, known_at=by_instant.json()["position"], as_of=by_instant.json()["as_of"])
    assert again.json()["lots"] == by_instant.json()["lots"]
    assert again.headers["etag"] == '"2"'


def test_a_customer_not_yet_known_is_404(shop, customer, history):
    unknown = read(shop, customer, known_at=history[0]["position"] - 1)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "customer_unknown")
    for path in ("", "/events", "/replay", "/explain"):
        answer = shop.client.get(shop.customer("nobody") + path)
        assert (answer.status_code, answer.json()["code"]) == (404, "customer_unknown")


@pytest.mark.parametrize("path", ["", "/events", "/replay", "/explain"])
def test_every_read_of_a_customer_takes_both_cut_offs(shop, customer, history, path):
    """Malformed and future ones are 400 on each; a future one by its name.

    Planted: the cut-offs left out of one read; seen.
    """
    url = shop.customer(customer) + path
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    bad = [
        ({"as_of": "yesterday"}, "cut_off_malformed"),
        ({"as_of": "2026-13-01"}, "cut_off_malformed"),
        ({"as_of": "2026-11-05T10:00:00"}, "cut_off_malformed"),
        ({"as_of": ""}, "cut_off_malformed"),
        ({"as_of": "0394-11-05"}, "cut_off_malformed"),
        ({"as_of": "2026-W47-6"}, "cut_off_malformed"),
        ({"known_at": "2026-11-05"}, "cut_off_malformed"),
        ({"known_at": "-1"}, "cut_off_malformed"),
        ({"known_at": "1" * 17}, "parameter_malformed"),
        ({"known_at": "1" * 900}, "parameter_malformed"),
        ({"as_of": tomorrow}, "cut_off_in_future"),
        ({"as_of": "2999-01-01"}, "cut_off_in_future"),
        ({"known_at": tomorrow}, "cut_off_in_future"),
        ({"known_at": "9007199254740991"}, "cut_off_in_future"),
        ({"as_off": "2026-11-05"}, "parameter_malformed"),
    ]
    for cut_offs, code in bad:
        answer = shop.client.get(url, params=cut_offs)
        assert (answer.status_code, answer.json()["code"]) == (400, code), cut_offs
    twice = shop.client.get(f"{url}?as_of=2026-11-05&as_of=2026-11-06")
    assert twice.json()["code"] == "parameter_malformed"
    assert shop.client.get(f"{url}?as_of=%FF").status_code == 400
    good = shop.client.get(url, params={"as_of": "2026-11-05", "known_at": history[-1]["position"]})
    assert good.status_code == 200


def test_the_records_of_a_customer_are_paged(shop, customer, history):
    url = f"{shop.customer(customer)}/events"
    whole = shop.client.get(url).json()
    assert [line["position"] for line in whole["records"]] == [receipt["position"] for receipt in history]
    assert whole["next"] is None
    assert whole["records"][0]["record"]["actor"] == "root"
    first = shop.client.get(url, params={"limit": 2}).json()
    assert first["next"] == 2
    rest = shop.client.get(url, params={"after": first["next"], "limit": 2}).json()
    assert first["records"] + rest["records"] == whole["records"]
    assert rest["next"] is None
    for limit in ("0", "1001", "x", "-1", "1.0"):
        assert shop.client.get(url, params={"limit": limit}).status_code == 400
    assert shop.client.get(url, params={"after": "x"}).status_code == 400


def test_records_are_paged_at_cut_offs(shop, customer, history):
    url = f"{shop.customer(customer)}/events"

    def versions(**params):
        return [line["record"]["version"] for line in shop.client.get(url, params=params).json()["records"]]

    assert versions(as_of="2026-11-05") == [1, 2]
    assert versions(known_at=history[0]["position"]) == [1]
    assert versions(as_of="2026-11-01", known_at=history[2]["position"]) == [1]
    assert versions(as_of="2026-10-01") == []


def test_a_replay_shows_the_state_after_every_record(shop, customer, history):
    answer = shop.client.get(f"{shop.customer(customer)}/replay")
    assert answer.headers["content-type"] == "application/x-ndjson"
    *steps, last = [json.loads(line) for line in answer.text.splitlines()]
    assert [step["state"]["balances"]["points"] for step in steps] == [10, 30, 60]
    assert last["summary"]["records"] == 3
    now = read(shop, customer).json()
    assert {**steps[-1]["state"], **dict.fromkeys(("as_of", "known_at", "position"))} == {
        **now,
        **dict.fromkeys(("as_of", "known_at", "position")),
    }


def test_an_explanation_adds_up(shop, customer, history):
    assert shop.post(redemption(customer, 25)).status_code == 201
    url = f"{shop.customer(customer)}/explain"
    explained = shop.client.get(url, params={"of": "points"}).json()
    assert explained["value"] == 35 == sum(term["remaining"] for term in explained["terms"])
    for term in explained["terms"]:
        assert term["amount"] == term["remaining"] + sum(taken["amount"] for taken in term["taken"])
    assert explained == {**shop.client.get(url).json(), "as_of": explained["as_of"], "known_at": explained["known_at"]}
    assert shop.client.get(url, params={"of": "growth"}).json()["value"] == 0
    assert shop.client.get(url, params={"of": "gold"}).status_code == 400


# --- Receipts ---------------------------------------------------------------------------------------------------------


def test_a_receipt_is_found_by_source_and_id(shop, customer):
    sent = purchase(customer, source="/a?b&c", id="5 %2F ü")
    receipt = shop.post(sent).json()
    found = shop.client.get(
        f"/v1/programs/shop/receipts?source={quote(sent['source'], safe='')}&id={quote(sent['id'])}"
    )
    assert (found.status_code, found.json()) == (200, receipt)
    assert found.headers["cache-control"] == "no-store"


def test_what_was_not_recorded_has_no_receipt(shop, customer):
    declined = redemption(customer, 10**6)
    shop.post(declined)
    for named in (declined, {"source": "/nobody", "id": "1"}):
        answer = shop.client.get("/v1/programs/shop/receipts", params={"source": named["source"], "id": named["id"]})
        assert (answer.status_code, answer.json()["code"]) == (404, "receipt_unknown")


@pytest.mark.parametrize(
    "params", [{}, {"source": "/a"}, {"id": "1"}, {"source": "", "id": "1"}, {"source": "/a", "id": ""}]
)
def test_a_receipt_is_named_by_both(shop, params):
    answer = shop.client.get("/v1/programs/shop/receipts", params=params)
    assert (answer.status_code, answer.json()["code"]) == (400, "parameter_malformed")


# --- Refusals ---------------------------------------------------------------------------------------------------------


def test_refusals_are_kept_and_paged_by_status(own_shop, customer):
    """Planted: the page's end taken as the next cursor's record; seen (one was skipped)."""
    declined = [redemption(customer, 10**6) for _ in range(3)]
    waiting = event("purchase.refunded", customer, {"refund_id": fresh("RF"), "order_id": "none", "amount": 5})
    for sent in (*declined, waiting):
        assert own_shop.post(sent).status_code == 422
    url = f"/v1/programs/{own_shop.program}/refusals"
    final = own_shop.client.get(url, params={"status": "final"}).json()
    assert [refusal["id"] for refusal in final["refusals"]] == [sent["id"] for sent in declined]
    assert final["next"] is None
    (kept,) = own_shop.client.get(url, params={"status": "waiting"}).json()["refusals"]
    assert (kept["problem"]["code"], kept["problem"]["retryable"], kept["type"]) == (
        "purchase_unknown",
        True,
        "purchase.refunded",
    )

    paged, after = [], None
    while True:
        page = own_shop.client.get(url, params={"limit": 1} | ({"after": after} if after else {})).json()
        paged += page["refusals"]
        after = page["next"]
        if after is None:
            break
    assert [refusal["id"] for refusal in paged] == [sent["id"] for sent in (*declined, waiting)]
    assert own_shop.client.get(url, params={"customer": "nobody"}).json() == {"refusals": [], "next": None}


@pytest.mark.parametrize(
    "params", [{"status": "open"}, {"after": "5"}, {"limit": "0"}, {"customer": "a b"}, {"x": "1"}]
)
def test_a_malformed_question_about_refusals_is_400(shop, params):
    assert shop.client.get("/v1/programs/shop/refusals", params=params).status_code == 400


def test_what_is_due_is_gone_for_a_reader_whether_or_not_the_clock_has_run(shop, customer):
    soon = show(wall_clock() + 200_000)
    assert (
        shop.post(grant(customer, 5) | {"data": {"points": 5, "reason": "game", "expires_at": soon}}).status_code == 201
    )
    while (account := read(shop, customer).json())["as_of"] <= soon:
        pass
    assert account["balances"] == {"points": 0}
