"""`explain=true`: the records behind a cell, all of them, page by page, and by name where there are none."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from ledger.errors import FormError
from projections.metrics.answering import answer
from projections.metrics.asking import ask
from projections.metrics.definition import Definition
from projections.metrics.definitions import DEFINITIONS
from projections.metrics.explaining import keys_of
from projections.twin.fleet import Fleet
from tests.metrics import naive
from tests.metrics.fleets import fleet_of, texts_of
from tests.metrics.naive import Plain
from tests.metrics.test_recomputed import END, IN_ZONE, look
from tests.metrics.town import ZONE, town

EXPLAINED = [one for one in DEFINITIONS if not isinstance(one.explain, str)]
OFTEN = {"revenue", "aov/order", "repurchase_rate/window", "points", "tiers", "cohort"}
"""Asked in every full run; all of them together take minutes."""
WHOLE = {"records_limit": "1000"}
GIVEN = {
    "top_percent": {"top": "5,100"},
    "referrer": {"limit": "4"},
    "customer": {"limit": "3", "of": "all"},
    "second": {"limit": "2"},
    "k": {"from": "2025-11-01"},
}


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return look(1, END - timedelta(hours=8))[0]


def explained(fleet: Fleet, name: str, **given: str) -> dict[str, Any]:
    return answer(fleet, name, {**WHOLE, **given, "explain": "true"})


def positions(found: dict[str, Any]) -> set[int]:
    return {one["position"] for one in found["explained"]["records"]}


def asked_by(one: Definition) -> dict[str, str]:
    """By store where it can be, else by a unit of time; few rows, since each is asked for."""
    by = next((name for name in ("store", "quarter", "month") if name in one.by), None)
    given = {"by": by} if by else {}
    for key in one.keys:
        given |= GIVEN.get(key, {})
    return given


def cell_of(keys: tuple[str, ...], row: dict[str, Any]) -> str:
    values = ["" if row[key] is None else str(row[key]) for key in keys]
    if len(values) == 1:
        return values[0]
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    "one",
    [one if one.name in OFTEN else pytest.param(one, marks=pytest.mark.campaign) for one in EXPLAINED],
    ids=lambda one: one.id,
)
def test_the_cells_of_an_answer_have_all_its_records_and_no_other(fleet: Fleet, one: Definition):
    """Against: a cell whose records are those of its neighbour, or of none."""
    given = asked_by(one)
    keys = keys_of(one, ask(one, given, fleet.book.zone))
    whole = explained(fleet, one.name, **given)
    assert whole["explained"]["count"] == len(positions(whole)) > 0
    assert whole["explained"]["next"] is None
    if not keys:
        return
    seen: set[int] = set()
    for row in whole["rows"]:
        found = explained(fleet, one.name, **given, cell=cell_of(keys, row))
        assert found["rows"] == [pytest.approx(row)]  # means add up in another order where the rest is left out
        assert found["explained"]["count"] == len(positions(found))
        seen |= positions(found)
    assert seen == positions(whole)


def test_what_is_behind_a_cell_adds_up_to_it(fleet: Fleet):
    """Against: refunds of an order left out of its cell."""
    plain = Plain(town(1).records, END - timedelta(hours=8), IN_ZONE)
    by_position = {one["position"]: one for one in plain.records}
    for row in answer(fleet, "aov/order", {"by": "quarter,store"})["rows"]:
        cell = cell_of(("period", "store"), row)
        found = explained(fleet, "aov/order", by="quarter,store", cell=cell)
        amount = 0
        for position in positions(found):
            one = by_position[position]
            if one["type"] == "purchase.recorded":
                amount += one["data"]["total"]
            else:
                own = [
                    part for part in one["derived"]["orders"] if order_of(plain, part)["position"] in positions(found)
                ]
                amount -= sum(undone for part in own for _, undone, _ in part["lines"])
        assert amount == row["amount"]


def order_of(plain: Plain, part: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = plain.by_reference[part["order"]]
    return found


def test_records_are_given_a_page_at_a_time_in_order(fleet: Fleet):
    whole = explained(fleet, "orders")["explained"]["records"]
    after, pages = 0, []
    while after is not None:
        page = explained(fleet, "orders", records_after=str(after), records_limit="7")["explained"]
        assert page["count"] == len(whole)
        pages += page["records"]
        after = page["next"]
    assert pages == whole
    first = by_hand(whole[0]["position"])
    assert whole[0] == {
        "position": whole[0]["position"],
        "customer": first.subject,
        "version": first.version,
        "type": "purchase.recorded",
        "at": first.to_json()["derived"].get("at") or first.to_json()["time"],
    }
    assert [one["position"] for one in whole] == sorted(one["position"] for one in whole)


def by_hand(position: int) -> Any:
    return town(1).records[position - 1]


def test_what_is_not_written_yet_is_explained_by_the_lot_that_lapsed():
    """Against: points that expired by themselves counted in a cell with no record behind them."""
    from tests.builders import MemoryLedger, earns, purchase, rules  # noqa: PLC0415

    document = rules(earns(), expiry={"kind": "after_months", "n": 1}, program={"time_zone": ZONE})
    ledger = MemoryLedger(document)
    ledger.post(purchase("SO-1", 10_000, "2026-01-31T20:00"))
    fleet = fleet_of(texts_of(ledger.records), as_of="2026-06-01T00:00:00", zone=ZONE)
    rows = {row["period"]: row for row in answer(fleet, "points", {"by": "month"})["rows"]}
    (expired,) = [period for period, row in rows.items() if row["expired"]]
    found = explained(fleet, "points", by="month", cell=expired)
    assert positions(found) == {1}


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("clv", {"explain": "true"}, "cannot be explained"),
        ("burn_rate/ultimate", {"explain": "true"}, "cannot be explained"),
        ("pool", {"explain": "true"}, "cannot be explained"),
        ("orders", {"explain": "yes"}, "true or false"),
        ("orders", {"cell": "2026-01"}, "only with explain=true"),
        ("orders", {"explain": "true", "cell": "2026-01"}, "one row"),
        ("orders", {"explain": "true", "by": "month,store", "cell": "2026-01"}, "period, store"),
        ("orders", {"explain": "true", "by": "month", "cell": "January"}, "no month"),
        ("orders", {"explain": "true", "by": "week", "cell": "2026-W99"}, "no week"),
        ("orders", {"explain": "true", "by": "month", "cell": "1999-01"}, "no row of the answer"),
        ("orders", {"explain": "true", "by": "store", "cell": "S7"}, "no row of the answer"),
        ("orders", {"explain": "true", "records_limit": "0"}, "from 1 to 1000"),
        ("orders", {"explain": "true", "records_after": "-1"}, "from 0"),
        ("cohort", {"explain": "true", "cell": "2026-01,one"}, "no row of the answer"),
    ],
)
def test_what_cannot_be_explained_is_refused_by_name(fleet: Fleet, name: str, given: dict[str, str], reason: str):
    with pytest.raises(FormError) as refused:
        answer(fleet, name, given)
    assert reason in refused.value.errors[0]["reason"]


def test_cells_of_every_unit_of_time(fleet: Fleet):
    for unit in ("day", "week", "month", "quarter"):
        rows = [row for row in answer(fleet, "orders", {"by": unit})["rows"] if row["orders"]]
        found = explained(fleet, "orders", by=unit, cell=rows[0]["period"])
        types = [one["type"] for one in found["explained"]["records"]]
        assert types.count("purchase.recorded") == rows[0]["orders"]


def test_a_tier_nobody_is_at_is_an_empty_cell(fleet: Fleet):
    found = explained(fleet, "tiers", cell="")
    plain = Plain(town(1).records, END - timedelta(hours=8), IN_ZONE)
    without = plain.present() - plain.tiers().keys()
    assert {one["customer"] for one in found["explained"]["records"]} == without
    assert naive.microseconds(plain.as_of) == fleet.cut.as_of
