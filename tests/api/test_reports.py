"""The points report over HTTP: figures that close, the records behind them, files of the same bytes, and every named no."""

import csv
import io
import zipfile

import pyarrow.parquet as pq
import pytest

from api.auth import Scope
from api.examples import RULES
from tests.api.serving import code_of, event, fresh

VALUED = {
    **RULES,
    "valuation": [
        {
            "effective_from": "2026-02-01T00:00:00Z",
            "currency": "CNY",
            "value_per_point": "0.015",
            "redemption_rate": "0.9",
        },
        {
            "effective_from": "2026-06-01T00:00:00Z",
            "currency": "CNY",
            "value_per_point": "0.02",
            "redemption_rate": "0.8",
        },
    ],
}

HISTORY = [
    ("points.granted", "2026-01-05T10:00:00Z", {"points": 1000, "reason": "goodwill", "grant_id": "G-1"}),
    (
        "points.granted",
        "2026-02-05T10:00:00Z",
        {"points": 200, "reason": "campaign", "grant_id": "G-2", "expires_at": "2026-04-01T00:00:00Z"},
    ),
    ("points.redeemed", "2026-03-05T10:00:00Z", {"redemption_id": "R-1", "points": 150}),
    ("points.redemption_reversed", "2026-03-06T10:00:00Z", {"redemption_id": "R-1", "points": 30}),
    ("points.adjusted", "2026-03-07T10:00:00Z", {"points": -5, "reason": "by hand"}),
]


@pytest.fixture
def valued(service, own_shop):
    """A program that values its points, with one customer's quarter in it."""
    published = own_shop.client.put(f"/v1/programs/{own_shop.program}/rules", json=VALUED)
    assert published.status_code == 200, published.text
    customer = fresh("c")
    for event_type, time, data in HISTORY:
        answer = own_shop.post(event(event_type, customer, data, time=time))
        assert answer.status_code == 201, answer.text
    own_shop.customer = customer
    return own_shop


def report(shop, **query):
    return shop.client.get(f"/v1/programs/{shop.program}/reports/points", params=query)


def lines_of(answer):
    return {(line["line"], line["detail"]): line["points"] for line in answer.json()["roll_forward"]["lines"]}


def test_a_period_rolls_forward_whether_or_not_the_clock_has_written_what_lapsed(valued):
    answer = report(valued, **{"from": "2026-03-01", "as_of": "2026-04-02"})
    assert lines_of(answer) == {
        ("opening", None): 1200,
        ("reinstated", None): 30,
        ("adjusted", "down"): -5,
        ("redeemed", None): -150,
        ("expired", None): -75,
        ("closing", None): 1000,
    }
    assert all(check["holds"] for check in answer.json()["checks"])


def test_two_periods_that_end_on_the_same_day_close_alike(valued):
    whole = report(valued, as_of="2026-03-31").json()
    month = report(valued, **{"from": "2026-03-01", "as_of": "2026-03-31"}).json()
    assert whole["totals"] == month["totals"]
    assert whole["slices"] == month["slices"]
    assert whole["roll_forward"]["lines"][-1] == month["roll_forward"]["lines"][-1]


def test_money_is_that_of_the_valuation_in_force_and_foots_in_every_dimension(valued):
    early, later = (report(valued, as_of=day).json() for day in ("2026-03-31", "2026-06-01"))
    assert [(one["value_per_point"], one["amount"]) for one in early["money"]] == [("0.015", 1451)]
    assert [(one["value_per_point"], one["amount"]) for one in later["money"]] == [("0.02", 1600)]
    for rows in early["by"].values():
        assert sum(row["money"]["CNY"] for row in rows) == 1451


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"as_of": "2026-01-31"}, 409, "valuation_missing"),
        ({"as_of": "2026-03-31", "money": "JPY"}, 409, "valuation_missing"),
        ({"as_of": "2026-03-31", "money": "yen"}, 400, "parameter_malformed"),
        ({"as_of": "2999-03-31"}, 400, "cut_off_in_future"),
        ({"as_of": "2026-03-31", "from": "2026-04-01"}, 400, "cut_off_malformed"),
        ({"as_of": "2026-03-31", "from": "spring"}, 400, "cut_off_malformed"),
        ({"form": "xlsx"}, 400, "parameter_malformed"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(valued, query, status, code):
    answer = report(valued, **query)
    assert (answer.status_code, code_of(answer)) == (status, code)


def test_points_alone_need_no_valuation(valued):
    answer = report(valued, as_of="2026-01-31", money="none").json()
    assert (answer["totals"]["outstanding"], answer["money"]) == (1000, [])


def test_the_records_behind_a_line_add_up_to_it(valued):
    query = {"from": "2026-03-01", "as_of": "2026-04-02"}
    path = f"/v1/programs/{valued.program}/reports/points/records"
    for (line, detail), points in lines_of(report(valued, **query)).items():
        asked = {**query, "line": line, **({"detail": detail} if detail else {})}
        answer = valued.client.get(path, params=asked).json()
        assert answer["points"] == points == sum(one["points"] for one in answer["records"])
        assert {one["customer"] for one in answer["records"]} == {valued.customer}
    lapsed = valued.client.get(path, params={**query, "line": "expired", "reason": "campaign"}).json()["records"]
    assert [(one["lot"], one["at"], one["points"]) for one in lapsed] == [("2.1", "2026-04-01T00:00:00Z", -75)]


def test_the_same_question_gets_the_same_bytes_in_every_format(valued):
    first = report(valued, as_of="2026-04-02").json()
    fixed = {"as_of": "2026-04-02", "known_at": str(first["position"])}
    for kind in ("json", "csv", "parquet", "xlsx"):
        once, twice = (report(valued, format=kind, **fixed) for _ in range(2))
        assert once.status_code == 200
        assert once.content == twice.content, kind
    rows = list(csv.DictReader(io.StringIO(report(valued, format="csv", **fixed).content.decode("utf-8-sig"))))
    assert [(row["reason"], row["points"], row["expiry_month"]) for row in rows] == [("goodwill", "1000", "2027-01")]
    table = pq.read_table(io.BytesIO(report(valued, format="parquet", table="checks", **fixed).content))
    assert table.column("holds").to_pylist() == [True] * table.num_rows
    names = zipfile.ZipFile(io.BytesIO(report(valued, format="xlsx", **fixed).content)).read("xl/workbook.xml").decode()
    assert 'name="checks"' in names


def test_what_was_known_then_is_answered_again_after_a_late_event(valued):
    before = report(valued, as_of="2026-03-31").json()
    late = event("points.granted", valued.customer, {"points": 7, "reason": "service"}, time="2026-03-15T10:00:00Z")
    assert valued.post(late).status_code == 201
    after = report(valued, as_of="2026-03-31").json()
    again = report(valued, as_of="2026-03-31", known_at=before["position"]).json()
    assert after["totals"]["outstanding"] == before["totals"]["outstanding"] + 7
    assert again == before


def test_reports_are_for_finance_and_audit(service, valued):

    for scope, status in ((Scope.FINANCE, 200), (Scope.AUDIT, 200), (Scope.READ, 403), (Scope.POST, 403)):
        shop = valued.with_key(service.key(scope))
        assert report(shop, as_of="2026-03-31").status_code == status
