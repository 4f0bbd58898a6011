"""Published figures about customers: activity by month, RFM, who carries the revenue, gaps, and lifetime value.

Source: expected/oracles.json beside the data.
"""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from projections.metrics import bgnbd
from projections.metrics.asking import ask, find
from projections.metrics.definitions.clv import statistics
from projections.twin.fleet import Fleet
from tests.metrics.fleets import fleet_of, order, rows, texts_of

pytestmark = pytest.mark.needs_data

INCLUDING_ZERO = {"amount": "gross", "zero_value": "include"}
ALL = {"from_": "1997-01-01"}


@pytest.fixture(scope="module")
def sample(real_data: Path) -> Fleet:
    """The CDNOW sample of 2,357 customers, calibrated to 1997-09-30; amounts in cents."""
    table = pq.read_table(real_data / "cdnow_sample.parquet").to_pylist()
    records = [
        order(str(row["sample_id"]), str(number), moment(row["date"]), round(row["amount"] * 100), currency="USD")
        for number, row in enumerate(table, start=1)
    ]
    return fleet_of(texts_of(records), as_of="1997-09-30T23:59:59")


def moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def test_cdnow_activity_month_on_month(cdnow, expected):
    """All 18 published months."""
    found = {row["period"]: row for row in rows(cdnow, "activity/month_on_month", **INCLUDING_ZERO)}
    table = expected("cdnow_lifecycle_and_repurchase_by_month.csv")
    assert len(table) == len(found) == 18
    for row in table:
        wanted = {name: int(row[name]) for name in ("new", "active", "return", "unactive")}
        assert {name: found[row["month"]][name] for name in wanted} == wanted


def test_online_retail_rfm_segments(retail_rows, expected):
    """The published counts and means, with its POST line of 18.00."""
    records = [
        order(str(one["customer"]), one["id"], one["at"], one["amount"] + (18_000 if one["id"] == "581587" else 0))
        for one in retail_rows
    ]
    fleet = fleet_of(texts_of(records), as_of="2011-12-11T00:00:00")
    found = {row["segment"]: row for row in rows(fleet, "rfm/quantile", **INCLUDING_ZERO)}
    table = expected("or_ii_2010_2011_rfm_segments.csv")
    assert len(table) == len(found) == 10
    for row in table:
        segment = found[row["segment"]]
        assert segment["customers"] == int(row["count"])
        assert segment["recency_days_mean"] == pytest.approx(float(row["recency_mean"]), rel=1e-9)
        assert segment["frequency_mean"] == pytest.approx(float(row["frequency_mean"]), rel=1e-9)
        assert segment["amount_mean"] / 1_000 == pytest.approx(float(row["monetary_mean"]), rel=1e-9)


def test_who_carries_online_retails_revenue(retail, oracles):
    top = oracles["online_retail_2010_2011", "F1_top_customers"]
    first = rows(retail, "concentration", amount="gross", top="0.0231,0.0692,0.1153,100")
    assert [row["buyers"] for row in first] == [2, 4, 6, 4_338]
    assert first[0]["amount"] / 1_000 == pytest.approx(top["14646"] + top["18102"], abs=0.01)
    carried = sum(top[name] for name in ("14646", "18102", "17450", "16446"))
    assert first[1]["amount"] / 1_000 == pytest.approx(carried, abs=0.01)
    assert first[3]["share"] == 1


def test_cdnow_time_between_purchases(cdnow, oracles):
    count, mean, q25, median, q75 = oracles["cdnow_master", "purchase_gap_days count/mean/q25/median/q75"]
    (found,) = rows(cdnow, "purchase_interval", **INCLUDING_ZERO)
    assert found["gaps"] == count
    assert found["mean_days"] == pytest.approx(mean, abs=1e-5)
    assert (found["q25_days"], found["median_days"], found["q75_days"]) == (q25, median, q75)


def test_cdnow_probability_of_a_second_day(cdnow, oracles):
    first, *_ = rows(cdnow, "next_order_probability", unit="day", **INCLUDING_ZERO)
    assert first["customers"] - first["next"] == oracles["cdnow_master", "no_repeat_customers_78wk"]


def test_every_customer_of_cdnow_is_in_one_stage(cdnow):
    found = rows(cdnow, "stage", **INCLUDING_ZERO)
    assert sum(row["customers"] for row in found) == 23_570
    year_ago = replace(cdnow, cut=replace(cdnow.cut, as_of=cdnow.cut.as_of - 365 * 86_400 * 1_000_000))
    assert sum(row["customers"] for row in rows(year_ago, "stage", **INCLUDING_ZERO)) == 23_570


def test_cdnow_sample_statistics_are_the_published_summary(sample, expected):
    asked = ask(find("clv"), INCLUDING_ZERO, sample.book.zone)
    found = statistics(sample, asked)
    by_customer = {name: number for number, name in enumerate(found["customer"])}
    table = expected("cdnow_sample_rfm_39wk.csv")
    assert len(table) == len(by_customer) == 2_357
    for row in table:
        number = by_customer[row["sample_id"]]
        assert found["x"][number] == int(row["x"])
        assert found["t_x"][number] == pytest.approx(float(row["t_x"]), abs=0.006)
        assert found["observed"][number] == pytest.approx(float(row["T"]), abs=0.006)
        assert found["mean_amount"][number] / 100 == pytest.approx(float(row["zbar"]), abs=0.006)


def test_cdnow_sample_models_have_the_published_parameters(sample, oracles):
    (found,) = rows(sample, "clv", weeks="39", **INCLUDING_ZERO)
    r, alpha, a, b, likelihood = oracles["cdnow_sample", "bgnbd digits"]
    assert [found[name] for name in ("r", "alpha", "a", "b")] == pytest.approx([r, alpha, a, b], abs=0.001)
    assert found["log_likelihood"] == pytest.approx(likelihood, abs=0.001)
    p, q, gamma, money = oracles["cdnow_sample", "gammagamma p,q,gamma,LL"]
    assert [found["p"], found["q"], found["gamma"] / 100] == pytest.approx([p, q, gamma], abs=0.01)
    assert found["repeaters"] == oracles["cdnow_sample", "repeaters_39wk / zero class"][0]
    cents = found["gamma_gamma_log_likelihood"] + found["repeaters"] * np.log(100)
    assert cents == pytest.approx(money, abs=0.01)


def test_expectations_of_the_published_parameters(oracles: dict[Any, Any]):
    """The expectations of a new customer need more digits than were printed: those of CLVTools."""
    model = bgnbd.BgNbd(0.243, 4.414, 0.793, 2.426, 0)
    expected = bgnbd.expected_orders(model, 39, np.array([2]), np.array([30.43]), np.array([38.86]))
    assert expected[0] == pytest.approx(oracles["cdnow_sample", "bgnbd E[Y(39)|x=2,t_x=30.43,T=38.86]"], abs=0.001)
    wanted = oracles["cdnow_sample", "bgnbd E[X(t)] t=0.1429,1,3,31.8571,32,78"]
    model = bgnbd.BgNbd(*oracles["cdnow_sample", "bgnbd digits"])
    found = [bgnbd.expected_orders_of_a_new_customer(model, weeks) for weeks in (0.1429, 1, 3, 31.8571, 32, 78)]
    assert found == pytest.approx(wanted, abs=0.0005)
