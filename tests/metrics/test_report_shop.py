"""The report of a shop: what it says is what the metrics give, to the same bytes, and nothing where there is nothing."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape

import pytest

from ledger.instants import parse
from projections.metrics.answering import answer
from projections.reports.shop.asking import ask
from projections.reports.shop.contents import sections
from projections.reports.shop.page import html
from projections.reports.shop.verdicts import findings
from projections.reports.shop.words import money, number, percent
from tests.metrics.fleets import fleet_of, order, texts_of

pytestmark = pytest.mark.slow

AS_OF = "2026-07-10T12:00:00"


def story(spent=(1_000, 1_000), buyers=(4, 4), again=(0, 0), currency="GBP"):
    """Two customers a month from January 2026; then so many buyers in March … May and in June, some of whom buy twice."""
    made = [("2026-01-05", "old-1", 1_000), ("2026-02-05", "old-2", 1_000)]
    for month, amount, count, twice in zip(("03", "06"), spent, buyers, again, strict=True):
        made += [(f"2026-{month}-{3 + n:02d}", f"c{month}{n}", amount) for n in range(count)]
        made += [(f"2026-{month}-20", f"c{month}{n}", amount) for n in range(twice)]
    records = [
        order(customer, f"SO-{n}", datetime.fromisoformat(day), amount, currency=currency)
        for n, (day, customer, amount) in enumerate(made)
    ]
    return fleet_of(texts_of(records), as_of=AS_OF)


def text_of(page):
    return unescape(re.sub(r"<[^>]+>", " ", page))


@pytest.fixture(scope="module")
def report():
    return ask(story())


def verdicts(fleet):
    return {one.key: one.verdict for one in findings(ask(fleet))}


def test_the_page_holds_the_numbers_the_metrics_give():
    """Planted: the row of the month before shown beside each month; seen."""
    fleet = story(again=(1, 2))
    page = html(ask(fleet))
    tables = [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", page)]
    for row in answer(fleet, "customers", {"by": "month"})["rows"]:
        assert any(cells[0].startswith(row["period"]) and cells[-1] == number(row["customers"]) for cells in tables)
    for row in answer(fleet, "repurchase_rate/window", {"by": "month"})["rows"]:
        assert any(cells[0].startswith(row["period"]) and cells[2] == percent(row["value"]) for cells in tables)
    for row in answer(fleet, "aov/order", {"by": "month"})["rows"]:
        assert any(cells[0].startswith(row["period"]) and cells[2] == money(row["value"], "GBP") for cells in tables)


def test_the_same_position_and_cut_offs_give_the_same_bytes():
    """Also when more of it was sealed meanwhile. Planted: `sealed_through` on the page; seen."""
    first, second = story(), story()
    assert html(ask(first)) == html(ask(replace(second, sealed_through=5)))


def test_the_page_fetches_and_runs_nothing(report):
    page = html(report)
    assert not re.search(r"https?:|<script|<link|<img|@import|url\(|\bon\w+=", page)


def test_every_chart_has_a_name_and_words_for_who_cannot_see_it(report):
    page = html(report)
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    named = re.findall(r'<svg[^>]*role="img" aria-labelledby="([^"]+) ([^"]+)"', page)
    assert len(named) == len([one for one in sections(report) if one.chart])
    assert all(title in ids and told in ids for title, told in named)


def test_every_chart_says_its_definition_its_parameters_and_both_cut_offs(report):
    page = text_of(html(report))
    for section in sections(report):
        for one in section.answers:
            assert one["metric"] in page
            assert one["sentence"] in page
    assert page.count(f"as of {report.as_of}, known at {report.known_at}, position {report.position}") >= 5


def test_where_there_is_no_order_it_says_so_and_draws_nothing():
    """Planted: axes without a line; seen."""
    report = ask(fleet_of([], as_of=AS_OF))
    page = html(report)
    assert "<svg" not in page
    assert all(one.chart is None for one in sections(report))
    assert page.count("No data") == len(sections(report))
    assert {one.verdict for one in findings(report)} == {"unknown"}


@pytest.mark.parametrize(
    ("told", "repurchase", "aov"),
    [
        ({"spent": (1_000, 1_200), "buyers": (4, 8), "again": (1, 4)}, "up", "up"),
        ({"spent": (1_000, 900), "again": (2, 0)}, "down", "down"),
        ({"spent": (1_000, 1_005)}, "steady", "steady"),
    ],
)
def test_the_answers_at_the_top(told, repurchase, aov):
    """April to June against January to March. Planted: the spans the wrong way round; seen."""
    found = verdicts(story(**told))
    assert (found["pool"], found["repurchase"], found["aov"]) == ("up", repurchase, aov)


def test_a_year_of_records_is_compared_with_the_same_months_a_year_earlier():
    records = [
        order("a", "1", datetime(2025, 3, 1), 100),  # noqa: DTZ001
        order("b", "2", datetime(2025, 4, 5), 2_000),  # noqa: DTZ001
        order("c", "3", datetime(2026, 1, 5), 900),  # noqa: DTZ001
        order("a", "4", datetime(2026, 5, 5), 1_000),  # noqa: DTZ001
    ]
    report = ask(fleet_of(texts_of(records), as_of=AS_OF))
    assert report.against == report.year_ago
    (aov,) = [one for one in findings(report) if one.key == "aov"]
    assert (aov.verdict, aov.figure) == ("down", "10.00 GBP")
    assert "20.00 GBP in 2025-04 … 2025-06" in aov.said.en
    assert "season" not in aov.said.en


def test_too_short_a_history_is_no_trend():
    records = [order("a", "1", datetime(2026, 6, 5), 100)]  # noqa: DTZ001
    found = verdicts(fleet_of(texts_of(records), as_of=AS_OF))
    assert found["repurchase"] == found["aov"] == "unknown"


def test_who_is_leaving_is_named_with_the_last_order_and_the_worth():
    """Silent from the 60th day, dormant from the 120th, lost from the 365th; planted: `>` for `>=` at the 60th; seen."""
    days = {"gone": 365, "dormant": 364, "late": 120, "silent": 60, "here": 59}
    last = datetime.fromisoformat(AS_OF)
    records = [
        order(customer, customer, last - timedelta(days=ago), 100 * (n + 1))
        for n, (customer, ago) in enumerate(days.items())
    ]
    fleet = fleet_of(texts_of(records), as_of=AS_OF)
    rows = answer(fleet, "leaving", {})["rows"]
    assert [(row["customer"], row["stage"], row["days_since"], row["amount"]) for row in rows] == [
        ("silent", "silent", 60, 400),
        ("late", "dormant", 120, 300),
        ("dormant", "dormant", 364, 200),
    ]
    assert [row["customer"] for row in answer(fleet, "leaving", {"of": "gone"})["rows"]] == ["gone"]
    page = text_of(html(ask(fleet)))
    assert (
        "3 of 5 customers who ever ordered (60.0 %) have placed no order for 60 to 364 days; 1 more are lost." in page
    )
    assert "Worth most, with last order: silent (2026-05-11, 4.00 GBP), late (2026-03-12, 3.00 GBP)" in page


def test_flows_between_stages_account_for_every_customer():
    """Rows add up to the stages before, columns to the stages now."""
    fleet = story(again=(1, 2))
    given = {"from": "2026-05-01"}
    flows = answer(fleet, "stage/flows", given)["rows"]
    earlier = replace(fleet, cut=replace(fleet.cut, as_of=parse("2026-05-01T00:00:00Z") - 1))
    for side, at in (("before", earlier), ("after", fleet)):
        for row in answer(at, "stage", {})["rows"]:
            assert sum(one["customers"] for one in flows if one[side] == row["stage"]) == row["customers"]


@pytest.mark.needs_data
def test_online_retail_is_answered(retail):
    """No returns are imported here, and one customer more than the 4,338 buyers has an order of nothing."""
    found = {one.key: one for one in findings(ask(retail))}
    assert found["pool"].figure == "4,339"
    assert {key: one.verdict for key, one in found.items()} == {
        **dict.fromkeys(("pool", "repurchase", "aov"), "up"),
        "leaving": "down",
    }
