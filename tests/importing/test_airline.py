"""The airline file under the mapping that ships: points of 16,737 members, whose control totals are what the ledger holds.

Source of the figures: expected/oracles.json beside the data. Nothing was published for this release; these totals were counted
twice, by other tools. A sample of the members is of every day, the whole file is not.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from api.documents import read_yaml
from api.importing.mapping import shipped_or_file
from api.importing.mappings import read_any
from api.importing.points import PointsTable, lowest
from api.importing.points_mapping import PointsMapping
from ledger import account as accounts
from ledger.checking import check
from ledger.leasing import lent
from ledger.parts.tiers import tier_of
from ledger.records import Record
from tests.importing.conftest import Imported

pytestmark = pytest.mark.needs_data

FILE, MEMBERS = "airline_activity.parquet", "airline_members.parquet"
EVERY = 200
"""One member in so many is in the sample."""


@pytest.fixture
def oracles(real_data: Path) -> dict[str, Any]:
    entries = json.loads((real_data / "expected" / "oracles.json").read_text())
    return {entry["metric"]: entry["value"] for entry in entries if entry["dataset"].startswith("airline")}


@pytest.fixture
async def airline(importing: Imported) -> Imported:
    """A ledger with a program under the rules that ship."""
    await importing.ledger.publish("airline", read_yaml(shipped_or_file(Path("airline_rules"))), actor="me")
    return importing


def shipped() -> PointsMapping:
    mapping = read_any(Path("airline"))
    assert isinstance(mapping, PointsMapping)
    return mapping


def sampled(real_data: Path, directory: Path) -> Path:
    """The rows of some members, in the file's order, beside the file of members."""
    rows = pq.read_table(real_data / FILE)
    chosen = pc.equal(
        pc.subtract(rows["Loyalty Number"], pc.multiply(pc.divide(rows["Loyalty Number"], EVERY), EVERY)), 0
    )
    path = directory / FILE
    pq.write_table(rows.filter(chosen), path)
    members = pq.read_table(real_data / MEMBERS)
    kept = pc.is_in(members["Loyalty Number"], pc.unique(rows.filter(chosen)["Loyalty Number"].cast("int64")))
    pq.write_table(members.filter(kept), directory / MEMBERS)
    return path


def counted(path: Path) -> dict[str, Any]:
    """The same by hand: sums of hundredths, months that end below nothing, rows that are there already."""
    rows = pq.read_table(path).to_pylist()
    months: dict[int, Counter[tuple[int, int]]] = {}
    for row in rows:
        net = round(row["Points Accumulated"] * 100) - row["Points Redeemed"] * 100
        months.setdefault(row["Loyalty Number"], Counter())[row["Year"], row["Month"]] += net
    lowest = {}
    for member, by_month in months.items():
        balance = low = 0
        for month in sorted(by_month):
            balance += by_month[month]
            low = min(low, balance)
        lowest[member] = -low
    cards = Counter(row["Loyalty Card"].lower() for row in pq.read_table(path.with_name(MEMBERS)).to_pylist())
    return {
        "members": len(months),
        "granted": sum(round(row["Points Accumulated"] * 100) for row in rows),
        "redeemed": sum(row["Points Redeemed"] * 100 for row in rows),
        "value": sum(row["Dollar Cost Points Redeemed"] * 100 for row in rows),
        "opening": sum(lowest.values()),
        "with_opening": sum(low > 0 for low in lowest.values()),
        "balances": {str(member): sum(net.values()) + lowest[member] for member, net in months.items()},
        "repeated": len(rows) - len({tuple(row.values()) for row in rows}),
        "more": len(rows) - len({(row["Loyalty Number"], row["Year"], row["Month"]) for row in rows}),
        "cards": dict(cards),
    }


async def test_a_sample_of_the_members_is_what_a_count_by_hand_says(airline: Imported, real_data: Path):
    """Against: what is redeemed in a month put before what is earned in it, so that the openings are too large."""
    path = sampled(real_data, airline.directory)
    wanted = counted(path)
    summary = await airline.run(PointsTable(path, shipped(), "me"), "airline")
    shown = summary.to_json()
    assert (airline.faults, shown["events"]["refused"], summary.agrees) == ([], {}, True)
    said = {one["kind"]: one for one in shown["points_said"]}
    assert {kind: one["ledger"] for kind, one in said.items()} == {kind: wanted[kind] for kind in said}
    assert shown["money"][0]["ledger"] == wanted["value"]
    assert list(shown["repeated"].values()) == [wanted["repeated"], wanted["more"]]
    tie_out = shown["tie_out"]
    assert tie_out["customers"] == {"old": wanted["members"], "new": wanted["members"]}
    assert _figure(tie_out, "points") == {"never": (wanted["opening"], wanted["opening"])}
    assert _figure(tie_out, "tier") == {card: (count, count) for card, count in wanted["cards"].items()}
    accounts_now = _folded(await airline.records("airline"))
    assert {name: state.balances()["points"] for name, state in accounts_now.items()} == wanted["balances"]
    assert Counter(tier_of(state.parts["tiers"]) for state in accounts_now.values()) == wanted["cards"]
    again = await airline.run(PointsTable(path, shipped(), "me"), "airline")
    assert (again.recorded, again.replayed, again.points_said) == (0, summary.recorded, summary.points_said)
    assert again.tie_out == summary.tie_out
    async with lent(airline.ledger.pool) as conn:
        reports = await check(conn)
    assert all(report.is_whole for report in reports)


@pytest.mark.slow
async def test_the_whole_file_gives_the_control_totals(airline: Imported, real_data: Path, oracles: dict[str, Any]):
    table = PointsTable(real_data / FILE, shipped(), "me")
    summary = await airline.run(table, "airline")
    shown = summary.to_json()
    said = {one["kind"]: one["ledger"] for one in shown["points_said"]}
    tie_out = shown["tie_out"]
    assert (airline.faults, summary.agrees, shown["rows"]["read"]) == ([], True, oracles["activity_rows"])
    assert said["granted"] == oracles["points accumulated total"] * 100
    assert said["redeemed"] == oracles["points redeemed total"] * 100
    assert shown["money"][0]["ledger"] == oracles["redemption cost total"] * 100
    repeated = [oracles["exact_duplicate_rows"], oracles["extra rows on an existing (member,year,month) key"]]
    assert list(shown["repeated"].values()) == repeated
    assert tie_out["customers"] == {"old": oracles["members"], "new": oracles["members"]}
    cards = oracles["members by card Star/Nova/Aurora"]
    assert _figure(tie_out, "tier") == {
        card: (count, count) for card, count in zip(("star", "nova", "aurora"), cards, strict=True)
    }
    assert _figure(tie_out, "points") == {"never": (83_295_040, 83_295_040)}
    negative = oracles["members whose balance from a zero opening goes negative"]
    assert (len(lowest(table.movements)), sum(lowest(table.movements).values())) == (negative, 83_295_040)


def _figure(tie_out: dict[str, Any], what: str) -> dict[str, tuple[int, int]]:
    return {one["of"]: (one["old"], one["new"]) for one in tie_out["figures"] if one["what"] == what}


def _folded(records: list[Record]) -> dict[str, accounts.Account]:
    found: dict[str, accounts.Account] = {}
    for record in records:
        accounts.apply(found.setdefault(record.subject, accounts.empty()), record)
    return found
