"""`ledger correct`, the registers, and keys with the service's URL, as users run them."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.postgres import Database

WINDOW = ("--from", "2026-01-05T10:00:00Z", "--until", "2026-01-05T13:00:00Z", "--reason", "a hundred for ten")
TWO = "earning: [{id: base, on: purchase.recorded, points_per_unit: '1'}]\napprovals: {corrections: true, openings: true}\n"
OPENINGS = """
openings:
  - {customer: c-8, system: old, cutover_at: "2026-01-01T00:00:00Z",
     lots: [{asset: points, amount: 500, granted_at: "2025-01-01T00:00:00Z", reason: earned}]}
"""


def bought(customer: str, number: int) -> str:
    return event(number, "purchase.recorded", customer, order_id=f"SO-{number}", currency="CNY", total=100_00)


def event(number: int, what: str, customer: str, **data: object) -> str:
    attributes = {"specversion": "1.0", "id": f"e-{number}", "source": "/till", "type": what, "subject": customer}
    return json.dumps({**attributes, "time": f"2026-01-05T11:0{number}:00Z", "data": data})


SPENT = event(3, "points.redeemed", "c-2", redemption_id="R-1", points=60)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "sales.ndjson").write_text("\n".join([bought("c-1", 1), bought("c-2", 2), SPENT]) + "\n")
    (tmp_path / "two.yaml").write_text(TWO)
    (tmp_path / "openings.yaml").write_text(OPENINGS)
    return tmp_path


@pytest.mark.slow
def test_from_the_mistake_to_the_register(ledger: Run, files: Path):
    ledger("migrate")
    ledger("import", files / "sales.ndjson")
    assert "say one of --dry-run, --apply and --propose" in ledger("correct", *WINDOW, status=2).stderr
    assert "/factor give either factor or as_rules" in ledger("correct", *WINDOW, "--dry-run", status=1).stderr
    tried = ledger("correct", *WINDOW, "--factor", "1/10", "--dry-run")
    assert "default: 2 customers, 1 of them with points spent; nothing is written" in tried.stdout
    rows = list(csv.DictReader(io.StringIO(ledger("correct", *WINDOW, "--factor", "0.1", "--dry-run", "--csv").stdout)))
    assert [(row["customer"], row["due"], row["change"]) for row in rows] == [
        ("c-2", "90", "-40"),
        ("c-1", "90", "-90"),
    ]
    one = ("--where", "event.data.order_id == 'SO-1'", "--factor", "1/10", "--ticket", "T-1")
    done = json.loads(ledger("correct", *WINDOW, *one, "--apply", "--json").stdout)
    assert (done["totals"]["change"], [customer["customer"] for customer in done["customers"]]) == (-90, ["c-1"])
    (entry,) = json.loads(ledger("adjustments", "list", "--json").stdout)
    assert (entry["customer"], entry["points"], entry["ticket"], entry["correction"]) == (
        "c-1",
        -90,
        "T-1",
        done["correction"],
    )
    assert "a hundred for ten" in ledger("adjustments", "list", "--customer", "c-1").stdout

    owed = ledger("correct", *WINDOW, "--factor", "1/10", "--spent", "allow_negative", "--apply")
    assert re.search(r"^c-2 +90 +40 +50 +0 +50 +0 +0", owed.stdout, re.MULTILINE)
    book = ledger("report", "points").stdout
    assert "checks hold" in book
    assert re.search(r"^closing +10$", book, re.MULTILINE)

    ledger("rules", "publish", files / "two.yaml")
    alone = ledger("correct", *WINDOW, "--factor", "1/10", "--apply", status=1).stderr
    assert "Corrections are proposed by one and approved by another" in alone
    assert "proposed by cli:" in ledger("correct", *WINDOW, "--factor", "1/10", "--propose").stdout
    assert "proposed by cli:" in ledger("changes", "propose", files / "openings.yaml", "--kind", "opening").stdout
    kinds = [change["kind"] for change in json.loads(ledger("changes", "list", "--json").stdout)]
    assert kinds == ["correction", "opening"]
    assert "nothing differs" in ledger("check").stdout


@pytest.mark.slow
def test_the_service_lists_keys_and_is_told_who_makes_them(ledger: Run, database: Database):
    ledger("migrate")
    ledger("keys", "create", "anna", "-s", "audit", "-s", "read", "-p", "default")
    holders = json.loads(ledger("keys", "scopes", "-p", "default", "--json").stdout)
    assert [(one["principal"], one["scopes"]) for one in holders] == [("admin", ["admin"]), ("anna", ["audit", "read"])]
    assert "anna" not in ledger("keys", "scopes", "-p", "shop").stdout
    service = {"database_url": database.service_url}
    assert "anna" in ledger("keys", "list", **service).stdout
    number = holders[1]["keys"][0]["key"]
    for arguments in (("create", "bob", "-s", "read"), ("revoke", number)):
        said = ledger("keys", *arguments, status=1, **service).stderr
        assert said.startswith("ledger: This database user may not make or revoke keys")
        assert "the URL of the tables' owner" in said
        assert said.count("\n") == 1
