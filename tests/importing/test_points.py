"""A file of points: each trap as its mapping says, in order of time, once."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from api.importing.mapping import parse_part
from api.importing.points import PointsTable
from api.importing.points_mapping import PointsMapping
from api.importing.readers import Fault
from api.importing.sources import Item
from ledger.deciding.command import Command
from ledger.errors import LedgerError
from ledger.instants import show

HEADER = "who,year,month,got,spent,worth,flights"
MAPPING: dict[str, Any] = {
    "kind": "points",
    "source": "/import/points",
    "system": "old",
    "cutover_at": "2017-01-01T00:00:00Z",
    "currency": "CAD",
    "time_zone": "UTC",
    "points_scale": 2,
    "columns": {
        "customer": "who",
        "month": {"year": "year", "month": "month"},
        "earned": "got",
        "redeemed": "spent",
        "value": "worth",
    },
    "duplicates": {"treat": "keep", "columns": ["flights"]},
    "opening": "derived",
}


def read(tmp_path: Path, *rows: str, **changed: Any) -> tuple[PointsTable, list[Item | Fault]]:
    path = tmp_path / "points.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    mapping = parse_part(PointsMapping, orjson.dumps({**MAPPING, **changed}), "map")
    table = PointsTable(path, mapping, "me")
    table.scan(lambda _: None)
    return table, list(table.items(lambda _: None))


def told(found: list[Item | Fault]) -> list[str]:
    return [f"{one.where}: {one.reason}" if isinstance(one, Fault) else sentence(one.command) for one in found]


def sentence(command: Command | LedgerError) -> str:
    assert isinstance(command, Command)
    amount = command.data.get("points") or sum(lot["amount"] for lot in command.data["lots"])
    return f"{show(command.time)[:10]} {command.id} {amount}"


def test_rows_in_any_order_become_events_in_order_of_time(tmp_path: Path):
    _, found = read(tmp_path, "b,2017,2,1.5,0,0,1", "a,2017,1,2,1,0.5,1", "a,2016,12,1,0,0,1", "a,2017,13,1,0,0,1")
    assert told(found) == [
        "row 4: it lies before the cut-over, 2017-01-01T00:00:00Z",
        "row 5: month must be in 1..12",
        "2017-01-01 earned:a:2017-01:1 200",
        "2017-01-31 redeemed:a:2017-01:1 100",
        "2017-02-01 earned:b:2017-02:1 150",
    ]


@pytest.mark.parametrize(
    ("rows", "opening"),
    [
        (["a,2017,1,1,1,0,1"], None),
        (["a,2017,1,1,3,0,1"], 200),
        (["a,2017,1,0,3,0,1", "a,2017,2,9,0,0,1", "a,2017,3,0,7.25,0,1"], 300),
        (["a,2017,1,0,3,0,1", "a,2017,2,1,0,0,1", "a,2017,3,0,7.25,0,1"], 925),
        (["a,2017,1,0,3,0,1", "a,2017,1,3,0,0,2"], None),
    ],
    ids=["enough", "too little", "only at first", "ever less", "earned in the same month by another row"],
)
def test_what_a_customer_had_is_what_it_takes(tmp_path: Path, rows: list[str], opening: int | None):
    """Against: the balance at the end taken for the lowest; what is redeemed in a month put before what is earned in it."""
    _, found = read(tmp_path, *rows)
    openings = [one.command for one in found if isinstance(one, Item) and one.where.startswith("opening")]
    assert [sentence(command) for command in openings] == (
        [] if opening is None else [f"2017-01-01 opening:a {opening}"]
    )


@pytest.mark.parametrize(("treat", "events"), [("keep", 3), ("drop", 2)])
def test_a_row_that_is_there_twice(tmp_path: Path, treat: str, events: int):
    rows = ["a,2017,1,1,0,0,1", "a,2017,1,1,0,0,1", "a,2017,1,1,0,0,2"]
    table, found = read(tmp_path, *rows, duplicates={"treat": treat, "columns": ["flights"]})
    assert [one.split()[1] for one in told(found)] == [f"earned:a:2017-01:{n + 1}" for n in range(events)]
    assert list(table.repeated.values()) == [1, events - 1]
    assert (table.tally.read, table.tally.left_out.total()) == (3, 3 - events)


def test_more_decimals_than_points_have_are_refused_and_not_rounded(tmp_path: Path):
    table, found = read(tmp_path, "a,2017,1,1.005,0,0,1", "a,2017,1,-1,0,0,1", "a,2017,1,0,0,0,1")
    assert told(found) == [
        "row 2: column 'got': 1.005 is not exact at 2 decimals",
        "row 3: column 'got': -1 is below 0",
    ]
    assert (table.tally.faulty, dict(table.tally.left_out)) == (2, {"nothing earned or redeemed": 1})


BESIDE = {
    "file": "members.csv",
    "customer": "who",
    "tier": "card",
    "tiers": {"Star": "star"},
    "signed_up": {"year": "year", "month": "month"},
}


def test_members_bring_their_tier_and_the_month_they_signed_up(tmp_path: Path):
    (tmp_path / "members.csv").write_text("who,card,year,month\na,Star,2015,7\nb,,2018,2\nc,nova,2018,2\n")
    _, found = read(tmp_path, "a,2017,1,0,1,0,1", members=BESIDE)
    openings = [one.command for one in found if isinstance(one, Item) and one.where.startswith("opening")]
    brought = {command.subject: command.data for command in openings if isinstance(command, Command)}
    assert set(brought) == {"a", "c"}, "b brings nothing"
    assert brought["a"]["history"] == {"signed_up_at": "2015-07-01T00:00:00Z"}
    assert (brought["a"]["tier"], brought["a"]["lots"][0]["amount"]) == ({"tier": "star"}, 100)
    assert ("history" in brought["c"], brought["c"]["tier"]) == (False, {"tier": "nova"})
