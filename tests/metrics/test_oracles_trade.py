"""Published figures of Online Retail and CDNOW that the definitions of trade give, each with its parameters.

Source: expected/oracles.json beside the data. Where published figures conflict, the test says which parameters give which.
"""

import pytest

from tests.metrics.fleets import rows

pytestmark = pytest.mark.needs_data

RETAIL = "online_retail_2010_2011"
THOUSANDTHS = 1_000


def test_online_retail_customers_orders_revenue_and_averages(retail, oracles):
    wanted = {metric: value for (data, metric), value in oracles.items() if data == RETAIL}
    (orders,) = rows(retail, "orders", amount="gross")
    assert (orders["orders"], orders["buyers"]) == (wanted["F1_invoices"], wanted["F1_customers"])
    (aov,) = rows(retail, "aov/order", amount="gross")
    assert aov["amount"] / THOUSANDTHS == pytest.approx(wanted["F1_revenue"], abs=0.0005)
    assert aov["value"] / THOUSANDTHS == pytest.approx(wanted["F1_aov"], abs=0.005)
    (spend,) = rows(retail, "spend_per_buyer", amount="gross")
    assert spend["value"] / THOUSANDTHS == pytest.approx(wanted["F1_revenue_per_customer"], abs=0.005)
    (mean,) = rows(retail, "aov/customer", amount="gross")
    assert round(mean["value"] / THOUSANDTHS, 2) == 419.17
    (units,) = rows(retail, "units_per_order", amount="gross")
    assert units["units"] == wanted["F1_units"]


def test_orders_of_nothing_give_the_other_published_average(retail):
    """480.76 is revenue ÷ 18,536 orders"""
    (aov,) = rows(retail, "aov/order", amount="gross", zero_value="include")
    assert (aov["orders"], round(aov["value"] / THOUSANDTHS, 2)) == (18_536, 480.76)


def test_online_retail_months(retail, expected):
    found = {row["period"]: row for row in rows(retail, "aov/order", by="month", amount="gross")}
    buyers = {row["period"]: row["buyers"] for row in rows(retail, "buyers", by="month", amount="gross")}
    table = expected("or_2010_2011_monthly_F1.csv")
    assert len(table) == len(found) == 13
    for row in table:
        assert found[row["month"]]["amount"] / THOUSANDTHS == pytest.approx(float(row["revenue"]), abs=0.01)
        assert buyers[row["month"]] == int(row["active_customers"])
    assert [period for period, row in found.items() if row["incomplete"]] == ["2011-12"]


@pytest.mark.parametrize(("unit", "repeaters"), [("order", 2_845), ("day", 2_790)])
def test_repurchase_is_another_number_by_order_and_by_day(retail, unit, repeaters):
    (row,) = rows(retail, "repurchase_rate/window", amount="gross", unit=unit)
    assert (row["repeaters"], row["buyers"]) == (repeaters, 4_338)


@pytest.mark.parametrize(
    ("n", "immature", "repeated", "customers"),
    [
        (30, "exclude", 900, 4_070),
        (90, "exclude", 1_601, 3_370),
        (180, "exclude", 1_877, 2_815),
        (90, "include", 1_921, 4_338),
    ],
)
def test_repurchase_within_days_of_the_first_order(retail, n, immature, repeated, customers):
    (row,) = rows(retail, "repurchase_rate/cohort", amount="gross", n=str(n), immature=immature)
    assert (row["repeated"], row["customers"]) == (repeated, customers)


def test_online_retail_cohorts(retail, expected):
    """Every cell of the published table."""
    found = {(row["cohort"], row["k"]): row for row in rows(retail, "cohort", amount="gross")}
    cells = 0
    for row in expected("or_2010_2011_cohort_counts_F1.csv"):
        for k in range(13):
            if row[str(k)]:
                cell = found[row["cohort"], k]
                assert (cell["customers"], cell["size"]) == (int(row[str(k)]), int(row["0"]))
                cells += 1
    assert cells == len(found) == 91
    assert found["2010-12", 12]["incomplete"]
    assert not found["2010-12", 11]["incomplete"]


def test_cdnow_repurchase_and_buy_back_by_month(cdnow, expected):
    """Its 80 orders of 0 count"""
    given = {"by": "month", "amount": "gross", "zero_value": "include"}
    window = {row["period"]: row for row in rows(cdnow, "repurchase_rate/window", **given)}
    period = {row["period"]: row for row in rows(cdnow, "repurchase_rate/period", **given)}
    table = expected("cdnow_lifecycle_and_repurchase_by_month.csv")
    assert len(table) == 18
    for row in table:
        month = row["month"]
        assert (window[month]["repeaters"], window[month]["buyers"]) == (int(row["multi_buyers"]), int(row["buyers"]))
        if row["buyback_rate"]:
            assert period[month]["value"] == pytest.approx(float(row["buyback_rate"]), abs=5e-7)
    assert period["1998-06"]["value"] is None
    by_day = rows(cdnow, "repurchase_rate/window", unit="day", **given)
    assert [row["repeaters"] for row in by_day if row["period"] == "1997-05"] == [413]


def test_cdnow_totals(cdnow, oracles):
    given = {"amount": "gross", "zero_value": "include"}
    orders, customers, units, spend = oracles["cdnow_master", "rows/customers/units/spend"]
    (counted,) = rows(cdnow, "orders", **given)
    assert (counted["orders"], counted["buyers"]) == (orders, customers)
    (sold,) = rows(cdnow, "units_per_order", **given)
    assert sold["units"] == units
    assert sold["value"] == pytest.approx(oracles["cdnow_master", "units_per_order_mean"], abs=1e-5)
    (aov,) = rows(cdnow, "aov/order", **given)
    assert aov["amount"] / 100 == pytest.approx(spend, abs=0.001)
    assert aov["value"] / 100 == pytest.approx(oracles["cdnow_master", "spend_per_row_mean (AOV by row)"], abs=1e-6)
    (without,) = rows(cdnow, "buyers", amount="gross")
    assert without["buyers"] == 23_502
    (twice,) = rows(cdnow, "repurchase_rate/window", unit="day", **given)
    assert customers - twice["repeaters"] == oracles["cdnow_master", "no_repeat_customers_78wk"]
