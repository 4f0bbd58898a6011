"""The public data sets as fleets."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from projections.twin.fleet import Fleet
from tests.metrics.fleets import fleet_of, order, texts_of

RETAIL_ENDS = "2011-12-09T12:51:00"
CDNOW_ENDS = "1998-06-30T23:59:59.999999"


@pytest.fixture(scope="session")
def oracles(real_data: Path) -> dict[tuple[str, str], Any]:
    """The published figures by data set and metric."""
    listed = json.loads((real_data / "expected" / "oracles.json").read_text())
    return {(one["dataset"], one["metric"]): one["value"] for one in listed}


@pytest.fixture(scope="session")
def retail_rows(real_data: Path) -> list[dict[str, Any]]:
    """Online Retail under filter F1, an invoice a row with its exact amount in thousandths; and its orders of 0."""
    table = pq.read_table(real_data / "online_retail_2010_2011.parquet")
    invoices: dict[str, dict[str, Any]] = {}
    for row in table.select(["InvoiceNo", "CustomerID", "Quantity", "UnitPrice", "InvoiceDate"]).to_pylist():
        if row["CustomerID"] is None or row["Quantity"] <= 0 or row["UnitPrice"] < 0:
            continue
        invoice = invoices.setdefault(
            row["InvoiceNo"],
            {"id": row["InvoiceNo"], "customer": row["CustomerID"], "at": row["InvoiceDate"], "amount": 0, "units": 0},
        )
        invoice["at"] = min(invoice["at"], row["InvoiceDate"])
        if row["UnitPrice"] > 0:
            invoice["amount"] += row["Quantity"] * round(row["UnitPrice"] * 1000)
            invoice["units"] += row["Quantity"]
    return sorted(invoices.values(), key=lambda one: one["at"])


@pytest.fixture(scope="session")
def retail(retail_rows: list[dict[str, Any]]) -> Fleet:
    """Online Retail; amounts in thousandths of a pound, so that nothing is rounded."""
    records = [
        order(str(one["customer"]), one["id"], one["at"], one["amount"], quantity=str(one["units"] or 1))
        for one in retail_rows
    ]
    return fleet_of(texts_of(records), as_of=RETAIL_ENDS)


@pytest.fixture(scope="session")
def cdnow(real_data: Path) -> Fleet:
    """The CDNOW master file, a row an order; amounts in cents."""
    table = pq.read_table(real_data / "cdnow_master.parquet").to_pylist()
    records = [
        order(
            str(row["customer_id"]),
            f"{number}",
            _moment(row["date"]),
            round(row["amount"] * 100),
            quantity=str(row["cds"]),
            currency="USD",
        )
        for number, row in enumerate(table, start=1)
    ]
    return fleet_of(texts_of(records), as_of=CDNOW_ENDS)


@pytest.fixture(scope="session")
def expected(real_data: Path) -> Any:
    """Reads a table of expected figures."""

    def read(name: str) -> list[dict[str, str]]:
        with (real_data / "expected" / name).open() as file:
            return list(csv.DictReader(file))

    return read


def _moment(day: Any) -> Any:
    from datetime import datetime  # noqa: PLC0415

    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - made UTC by `order`
