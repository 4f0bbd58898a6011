"""`ledger twin`, `ledger metric` and the tie-out of `ledger check`, one after the other on one imported shop."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.cli.conftest import Run
from tests.postgres import Database, query

pytestmark = pytest.mark.slow

ORDERS = """order,customer,time,sku,quantity,price
1,c-1,2011-01-04 10:00,A,2,2.50
2,c-1,2011-02-05 10:00,A,1,1.00
3,c-2,2011-01-05 10:00,A,10,1.00
"""
MAPPING = """
source: /import/shop
currency: GBP
time_zone: Europe/London
columns: {customer: customer, order: order, time: time, sku: sku, quantity: quantity, unit_price: price}
"""


@pytest.fixture
def shop(ledger: Run, tmp_path: Path) -> Iterator[Run]:
    """Three orders of two customers in program `shop`, and the read models built."""
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "map.yaml").write_text(MAPPING)
    ledger("migrate")
    ledger(
        "import", tmp_path / "orders.csv", "-p", "shop", "-m", tmp_path / "map.yaml", "--rules", "online_retail_rules"
    )
    ledger("rebuild", "all")
    return ledger


def test_a_twin_is_built_verified_and_removed(shop: Run, tmp_path: Path):
    built = shop("twin", "build", "-p", "shop").stdout
    assert "shop: 0 ranges of 100,000 sealed, 0 were before; sealed through position 0, 4 records behind it" in built
    shown = json.loads(shop("twin", "build", "-p", "shop", "--json").stdout)
    assert shown == {"ranges": 0, "before": 0, "sealed_through": 0, "tail": 4}
    assert "shop: nothing differs" in shop("twin", "verify", "-p", "shop").stdout
    aborted = shop("twin", "remove", "-p", "shop", status=1)
    assert "Remove " in aborted.stdout
    assert "shop: 0 ranges removed" in shop("twin", "remove", "-p", "shop", "--yes").stdout
    assert not (tmp_path / "data" / "twin" / "shop").exists()
    for command in ("build", "verify"):
        assert "no program of this name" in shop("twin", command, "-p", "nobody", status=1).stderr


def test_metrics_are_listed_answered_and_refused(shop: Run):
    assert "repurchase_rate/window" in shop("metric").stdout
    listed = json.loads(shop("metric", "--json").stdout)
    assert {"metric", "sentence"} <= listed[0].keys()

    answered = shop("metric", "orders", "by=month", "-p", "shop")
    assert re.search(r"2011-01 +2", answered.stdout)
    assert "known at position 4" in answered.stderr
    shown = json.loads(shop("metric", "repurchase_rate/window", "-p", "shop", "--json").stdout)
    assert shown["rows"] == [{"repeaters": 1, "buyers": 2, "value": 0.5}]
    earlier = ("metric", "orders", "-p", "shop", "--as-of", "2011-01-31", "--json")
    assert json.loads(shop(*earlier).stdout)["rows"][0]["orders"] == 2
    assert json.loads(shop(*earlier, "--known-at", "2").stdout)["rows"][0]["orders"] == 1

    assert "there is no metric" in shop("metric", "turnover", "-p", "shop", status=1).stderr.lower()
    assert "KEY=VALUE" in shop("metric", "orders", "month", "-p", "shop", status=1).stderr
    assert "can be asked by" in shop("metric", "orders", "by=weather", "-p", "shop", status=1).stderr
    assert "no such parameter" in shop("metric", "orders", "colour=red", "-p", "shop", status=1).stderr
    assert "lies in the future" in shop("metric", "orders", "-p", "shop", "--as-of", "2200-01-01", status=1).stderr


def test_check_ties_out_and_names_the_customer_behind_a_difference(shop: Run, database: Database):
    said = shop("check").stdout
    assert "tied out: 2 customers; as the streams say: heads at 4, customers at 4, orders at 4, twin at 4" in said
    assert "not there, so not compared" not in said
    ((build,),) = query(
        database.superuser_url,
        "SELECT build FROM read_models.live JOIN logs USING (log_id) WHERE program = 'shop' AND model = 'customers'",
    )
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(f"UPDATE read_models.customers_{build} SET points = points + 1 WHERE customer = 'c-2'")
    differs = shop("check", status=1).stdout
    assert re.search(r"DIFFERS  c-2: customers: balance:points is 11, the fold of the stream says 10", differs)
    assert "1 of 2 customers differ" in differs
    lines = [json.loads(line) for line in shop("check", "--json", status=1).stdout.splitlines()]
    (tied,) = [line["tie_out"] for line in lines if line["program"] == "shop"]
    assert [(one["customer"], one["side"]) for one in tied["differences"]] == [("c-2", "customers")]
