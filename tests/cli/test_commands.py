"""The commands one after the other, as someone would use them on a fresh database."""

import json
import re
import stat
from pathlib import Path

import psycopg
import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow

ORDERS = """order,customer,time,sku,quantity,price
1,c-1,2011-01-04 10:00,A,2,2.55
1,c-1,2011-01-04 10:00,B,1,10.00
C2,c-1,2011-01-06 10:00,A,-1,2.55
3,c-2,2011-01-05 10:00,A,10,1.00
"""
MAPPING = """
source: /import/shop
currency: GBP
time_zone: Europe/London
columns: {customer: customer, order: order, time: time, sku: sku, quantity: quantity, unit_price: price}
cancellation: {column: order, starts_with: C}
"""
TOO_EARLY = {
    "specversion": "1.0",
    "id": "r-1",
    "source": "/till",
    "type": "purchase.refunded",
    "subject": "c-9",
    "time": "2011-01-01T00:00:00Z",
    "data": {"refund_id": "R-1", "order_id": "SO-9", "amount": 100},
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "map.yaml").write_text(MAPPING)
    (tmp_path / "early.ndjson").write_text(json.dumps(TOO_EARLY) + "\n")
    (tmp_path / "bad.yaml").write_text("earning: [{id: base, on: purchase.recorded}]\n")
    return tmp_path


@pytest.mark.slow
def test_from_an_empty_database_to_a_checked_import(ledger: Run, files: Path):
    assert "run `ledger migrate`" in ledger("check", status=2).stderr
    migrated = ledger("migrate")
    assert "migrated to revision" in migrated.stdout
    key_file = files / "data" / "admin.key"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert "admin key" not in ledger("migrate").stdout

    orders, mapping = files / "orders.csv", files / "map.yaml"
    arguments = ("import", orders, "--program", "shop", "--mapping", mapping)
    assert "no program of this name" in ledger(*arguments, status=1).stderr
    first = json.loads(ledger(*arguments, "--rules", "online_retail_rules", "--json").stdout)
    assert (first["events"]["recorded"], first["agrees"]) == (3, True)
    second = ledger(*arguments)
    assert re.search(r"replayed +3\n", second.stdout)
    assert "money agrees" in second.stdout

    (files / "yen.yaml").write_text(MAPPING.replace("GBP", "JPY"))
    refused = ledger("import", orders, "-p", "shop", "-m", files / "yen.yaml", status=1).stderr
    assert "ledger: the mapping's currency is JPY, program shop takes GBP" in refused

    replayed = ledger("replay", "c-1", "--program", "shop", "--as-of", "2011-02-01").stdout
    assert "15 points  program:issued:purchase → customer:points  (lot 1.1 until 2012-02-01T00:00:00Z)" in replayed
    assert "as of 2011-02-01T23:59:59.999999Z: points 13" in replayed
    assert "gross 15.10, net 12.55 GBP" in replayed
    lines = [
        json.loads(line)
        for line in ledger("replay", "c-1", "-p", "shop", "--as-of", "2011-02-01", "--json").stdout.splitlines()
    ]
    assert [line["state"]["balances"] for line in lines[:-1]] == [{"points": 15}, {"points": 13}]
    assert lines[-1]["summary"]["records"] == 2

    for said in ("; nothing to compare them with", ", equal to those replaced, row for row"):
        built = ledger("rebuild", "all").stdout
        assert f"shop: customers: 2 rows from 4 records{said}" in built
        assert f"shop: orders: 2 rows from 4 records{said}" in built
    owed = ledger("report", "points", "-p", "shop", "--from", "2011-01-06", "--as-of", "2011-02-01").stdout
    assert re.search(r"^closing +23$", owed, re.MULTILINE)
    assert "checks hold" in owed
    book = files / "points.xlsx"
    ledger("report", "points", "-p", "shop", "--as-of", "2011-02-01", "--out", book)
    assert book.read_bytes().startswith(b"PK")

    checked = ledger("check").stdout
    assert "shop: 4 records in 3 streams" in checked
    assert checked.count("nothing differs") == 2


@pytest.mark.slow
def test_rules_are_published_shown_and_compared(ledger: Run, files: Path):
    ledger("migrate")
    assert "default: version 2, in force from" in ledger("rules", "publish", _rules(files, points="2")).stdout
    assert "nothing has changed since version 2" in ledger("rules", "publish", _rules(files, points="2")).stdout
    shown = ledger("rules", "show")
    assert "points_per_unit: '2'" in shown.stdout
    assert "version 2" in shown.stderr
    (files / "again.yaml").write_text(shown.stdout)
    assert ledger("rules", "diff", files / "again.yaml").stdout == ""
    in_words = ledger("rules", "diff", status=1).stdout
    assert "rule 'base': points per unit 1 → 2" in in_words
    assert "customers who buy earn more" in in_words
    changed = ledger("rules", "diff", "1", "2", "--text", status=1).stdout
    assert "-  points_per_unit: '1'" in changed
    assert "+  points_per_unit: '2'" in changed
    assert (
        json.loads(ledger("rules", "show", "--version", "1", "--json").stdout)["earning"][0]["points_per_unit"] == "1"
    )
    refused = ledger("rules", "publish", files / "bad.yaml", status=1)
    assert "/earning/0 give either points_per_unit or points" in refused.stderr
    assert "There is no version 7" in ledger("rules", "show", "--version", "7", status=1).stderr
    assert "shop" in ledger("rules", "publish", _rules(files, points="3"), "--program", "shop").stdout
    programs = json.loads(ledger("programs", "list", "--json").stdout)
    assert [(program["program"], program["records"], program["rules"]) for program in programs] == [
        ("default", 2, 2),
        ("shop", 1, 1),
    ]


@pytest.mark.slow
def test_keys_are_made_listed_and_revoked(ledger: Run):
    ledger("migrate")
    made = ledger(
        "keys",
        "create",
        "till-1",
        "-s",
        "post",
        "-s",
        "read",
        "-p",
        "default",
        "--source",
        "/till/1",
        "--label",
        "the first till",
    )
    key = made.stdout.strip()
    assert key.startswith("ledger_")
    assert key not in made.stderr
    admin, till = json.loads(ledger("keys", "list", "--json").stdout)
    assert (admin["principal"], admin["programs"], admin["scopes"]) == ("admin", ["*"], ["admin"])
    assert (till["principal"], till["programs"], till["scopes"]) == ("till-1", ["default"], ["post", "read"])
    assert (till["sources"], till["label"], till["revoked_at"]) == (["/till/1"], "the first till", None)
    assert "till-1" in ledger("keys", "list").stdout
    assert "revoked" in ledger("keys", "revoke", till["id"]).stdout
    assert "No such key lives" in ledger("keys", "revoke", key, status=1).stderr
    assert json.loads(ledger("keys", "list", "--json").stdout)[1]["revoked_at"] is not None
    assert "Invalid value" in ledger("keys", "create", "x", "-s", "everything", status=2).stderr


@pytest.mark.slow
def test_refusals_are_listed_retried_and_waived(ledger: Run, files: Path):
    ledger("migrate")
    imported = ledger("import", files / "early.ndjson")
    assert "not imported: line 1: purchase_unknown: kept until what it waits for arrives" in imported.stderr
    (refusal,) = [
        json.loads(line) for line in ledger("refusals", "list", "--status", "waiting", "--json").stdout.splitlines()
    ]
    assert (refusal["event"]["id"], refusal["problem"]["code"]) == ("r-1", "purchase_unknown")
    assert "order_id SO-9" in ledger("refusals", "list").stdout
    assert "/till r-1: refused: The purchase has not been recorded" in ledger("refusals", "retry").stdout
    assert "/till r-1: waived" in ledger("refusals", "waive", "/till", "r-1").stdout
    assert "does not wait: it is waived" in ledger("refusals", "waive", "/till", "r-1", status=1).stderr
    assert "No refusal of this event is kept" in ledger("refusals", "waive", "/till", "r-2", status=1).stderr
    assert ledger("refusals", "list", "--status", "waiting", "--json").stdout == ""
    assert "there are final, waiting" in ledger("refusals", "list", "--status", "odd", status=2).stderr


@pytest.mark.slow
def test_heads_are_folded_again_and_the_check_names_the_first_difference(ledger: Run, files: Path, database):
    ledger("migrate")
    ledger("import", files / "orders.csv", "-m", files / "map.yaml")
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("UPDATE streams SET state_schema = 0, state = NULL WHERE customer_id = 'c-1'")
    assert "1 heads carry no state of ours" in ledger("check").stdout
    assert "default: 1 heads folded again, 0 had moved on" in ledger("heads", "rebuild").stdout
    assert "default: 2 heads folded again" in ledger("heads", "rebuild", "--all").stdout
    assert "carry no state" not in ledger("check").stdout
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("UPDATE events SET reference = NULL WHERE position = 3")
    differs = ledger("check", status=1).stdout
    assert "DIFFERS at position 3: column reference: is None, must be" in differs
    found = json.loads(ledger("check", "--json", status=1).stdout)
    assert found["first"]["position"] == 3
    assert "there is no program odd" in ledger("check", "--program", "odd", status=2).stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("import", "nowhere.csv", "-m", "online_retail"), "nowhere.csv cannot be read"),
        (("import", "nowhere.csv"), "nowhere.csv is a table: --mapping says what its columns mean"),
        (("import", "nowhere.txt"), "files that end in .csv, .parquet, .ndjson, .jsonl can be imported"),
        (
            ("import", "nowhere.csv", "-m", "odd"),
            "there is no file odd; shipped with the ledger are airline.yaml, airline_rules.yaml, online_retail.yaml",
        ),
        (("replay", "nobody"), "no embedded database in"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(ledger: Run, tmp_path: Path, arguments, line):
    done = ledger(*arguments, status=1, database_url="", data_dir=tmp_path / "none")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("ledger: ")


def test_a_database_that_is_not_there_is_said_in_one_line_without_its_password(ledger: Run):
    done = ledger("check", status=2, database_url="postgresql://me:secret@127.0.0.1:1/none")
    assert done.stderr.startswith("ledger: could not check: ")
    assert "secret" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_check_that_cannot_be_done_has_a_status_of_its_own(ledger: Run, tmp_path: Path):
    done = ledger("check", status=2, database_url="", data_dir=tmp_path / "none")
    assert done.stderr.startswith("ledger: could not check: no embedded database in")


def test_a_misspelt_setting_is_refused(ledger: Run):
    assert "unknown setting LEDGER_PROT: did you mean LEDGER_PORT?" in ledger("check", status=2, prot=1).stderr


@pytest.mark.parametrize("command", [(), ("serve",), ("import",), ("check",), ("keys", "create"), ("rules", "diff")])
def test_help_reads_well(ledger: Run, command):
    shown = ledger(*command, "--help").stdout
    assert "Usage: " in shown
    assert "Traceback" not in shown


def _rules(directory: Path, *, points: str) -> Path:
    file = directory / f"rules-{points}.yaml"
    file.write_text(f"earning:\n  - {{id: base, on: purchase.recorded, points_per_unit: '{points}'}}\n")
    return file
