"""The public Online Retail file under the mapping that ships: what is published about it is what the ledger holds.

Source of the figures: expected/oracles.json beside the data, filter F1.
"""

import csv
import json
import os
import signal
import subprocess
import time
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.documents import read_yaml
from api.importing.mapping import read_mapping, shipped_or_file
from api.importing.sources import Table
from ledger.checking import check
from ledger.leasing import lent
from tests.cli.conftest import COMMAND, environment
from tests.importing.conftest import PROGRAM, Imported
from tests.postgres import Database

pytestmark = pytest.mark.needs_data

FILE = "online_retail_2010_2011.parquet"
SLICE = 20_000
ARGUMENTS = ["--program", "shop", "--mapping", "online_retail", "--rules", "online_retail_rules"]
HALF_WAY = 8_000
SECONDS_MAX = 600


@pytest.fixture
def oracles(real_data: Path) -> dict[str, Any]:
    entries = json.loads((real_data / "expected" / "oracles.json").read_text())
    return {entry["metric"]: entry["value"] for entry in entries if entry["dataset"] == "online_retail_2010_2011"}


@pytest.fixture
async def importing_retail(importing: Imported) -> Imported:
    """A ledger with a program under the rules that ship."""
    await importing.ledger.publish("retail", read_yaml(shipped_or_file(Path("online_retail_rules"))), actor="me")
    return importing


def expected_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The same, counted by hand: rows of F1 by invoice, and cancellations with a customer."""
    kept = [row for row in rows if row["CustomerID"] is not None and row["UnitPrice"] > 0]
    money: dict[tuple[bool, str], Decimal] = defaultdict(Decimal)
    for row in kept:
        cancelled = row["InvoiceNo"].startswith("C")
        if cancelled or row["Quantity"] > 0:
            money[(cancelled, row["InvoiceNo"])] += abs(row["Quantity"]) * Decimal(str(row["UnitPrice"]))
    pence = {order: (total * 100).quantize(Decimal(1), ROUND_HALF_UP) for order, total in money.items()}
    buyers = {row["CustomerID"] for row in kept if row["Quantity"] > 0 and not row["InvoiceNo"].startswith("C")}
    return {
        "purchases": sum(not cancelled for cancelled, _ in money),
        "returns": sum(cancelled for cancelled, _ in money),
        "customers": len(buyers),
        "gross": sum(total for (cancelled, _), total in pence.items() if not cancelled),
        "returned": sum(total for (cancelled, _), total in pence.items() if cancelled),
    }


async def test_a_slice_of_the_file_is_what_a_count_by_hand_says(importing_retail: Imported, real_data: Path):
    rows = pq.read_table(real_data / FILE).slice(0, SLICE)
    path = importing_retail.directory / "slice.parquet"
    pq.write_table(rows, path, row_group_size=3_000)
    source = Table(path, read_mapping(Path("online_retail")), "me")
    summary = await importing_retail.run(source, "retail")
    expected = expected_of(rows.to_pylist())
    shown = summary.to_json()
    purchases, returns = shown["money"]
    assert (purchases["events"], returns["events"], shown["customers"]) == (
        expected["purchases"],
        expected["returns"],
        expected["customers"],
    )
    assert (purchases["ledger"], returns["ledger"]) == (expected["gross"], expected["returned"])
    assert shown["rows"]["in_events"] + sum(shown["rows"]["left_out"].values()) == SLICE
    assert (importing_retail.faults, summary.agrees) == ([], True)
    async with lent(importing_retail.ledger.pool) as conn:
        reports = {report.program: report for report in await check(conn)}
    assert reports["retail"].is_whole
    assert reports[PROGRAM].is_whole


async def test_csv_and_parquet_of_the_same_rows_make_the_same_events(importing_retail: Imported, real_data: Path):
    rows = pq.read_table(real_data / FILE).slice(0, 2_000)
    parquet, csv_file = importing_retail.directory / "part.parquet", importing_retail.directory / "part.csv"
    pq.write_table(rows, parquet)
    _write_csv(rows, csv_file)
    mapping = read_mapping(Path("online_retail"))
    first = await importing_retail.run(Table(parquet, mapping, "me"), "retail")
    second = await importing_retail.run(Table(csv_file, mapping, "me"), "retail")
    assert (second.recorded, second.replayed, second.refused) == (0, first.recorded, {})
    assert second.money == first.money


@pytest.mark.slow
def test_the_whole_file_killed_half_way_and_run_again_gives_the_published_figures(
    database: Database, real_data: Path, tmp_path: Path, oracles: dict[str, Any]
):
    given = environment(database_url=database.owner_url, data_dir=tmp_path)
    subprocess.run([*COMMAND, "migrate"], env=given, check=True, capture_output=True)
    command = [*COMMAND, "import", str(real_data / FILE), *ARGUMENTS, "--json"]
    _killed_half_way(command, given)
    again = _ran(command, given)
    third = _ran(command, given)
    purchases, returns = again["money"]
    assert again["rows"]["read"] == oracles["rows"]
    assert again["rows"]["left_out"]["no customer"] == oracles["null_customer_rows"]
    assert (again["customers"], purchases["events"]) == (oracles["F1_customers"], oracles["F1_invoices"])
    assert purchases["exact"].replace(",", "") == f"{oracles['F1_revenue']:.3f}"
    assert abs(purchases["ledger"] - oracles["F1_revenue"] * 100) < 1
    assert returns["ledger"] == 61_134_209
    assert again["events"]["replayed"] >= HALF_WAY
    assert again["events"]["recorded"] + again["events"]["replayed"] == 22_186
    assert (again["events"]["refused"], again["agrees"]) == ({}, True)
    assert (third["events"]["recorded"], third["events"]["replayed"]) == (0, 22_186)
    assert third["points"] == again["points"]
    assert again["points"]["program:issued:purchase"] == -8_902_670
    assert again["points"]["program:reversed"] == 513_687
    checked = subprocess.run([*COMMAND, "check", "--json"], env=given, check=True, capture_output=True, text=True)
    report = json.loads(checked.stdout.splitlines()[-1])
    assert (report["records"], report["differences"]) == (22_187, 0)


def _killed_half_way(command: list[str], given: dict[str, str]) -> None:
    process = subprocess.Popen(command, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + SECONDS_MAX
    with psycopg.connect(given["LEDGER_DATABASE_URL"], autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute("SELECT max(next_position) FROM logs").fetchone()
            if row and row[0] and row[0] > HALF_WAY:
                break
            time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was through before it was killed"


def _ran(command: list[str], given: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(command, env=given, check=False, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def _write_csv(rows: pa.Table, path: Path) -> None:
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(rows.schema.names)
        out.writerows(row.values() for row in rows.to_pylist())
