"""Points that passed between customers, and were spent for another, in the report and in the whole program's tables."""

import random
from zoneinfo import ZoneInfo

import pytest

from projections.reports.movements import movements_of
from projections.reports.points_book import Book
from tests.builders import at, authorised, clock_runs, given_back, granted, purchase, redeemed, registered, transferred
from tests.properties.reporting import check_report
from tests.properties.test_fleet import check
from tests.several import Several, several

UTC = ZoneInfo("UTC")
FOR_A = {"on_behalf_of": "a"}


def story() -> Several:
    """A late transfer of a lot that has expired since is among it."""
    return several(
        ("a", granted(100, "2026-01-05", expires_at="2026-03-01T00:00:00Z")),
        ("a", granted(50, "2026-01-06", reason="game")),
        ("b", granted(1, "2026-01-05")),
        ("a", transferred("T-1", 60, "b", "2026-01-10")),
        ("a", authorised("b", 40, "2026-01-11")),
        ("b", redeemed("R-1", 30, "2026-01-12", **FOR_A)),
        ("b", given_back("R-1", "2026-01-13", 10)),
        ("b", purchase("SO-1", 1000, "2026-01-14", tenders=[{"kind": "points", "amount": 1000, **FOR_A}])),
        ("a", clock_runs("2026-03-02")),
        ("a", transferred("T-2", 7, "b", "2026-02-01").late("2026-03-02")),
        ("b", clock_runs("2026-03-02")),
        transfers={},
        tenders={"points": {"value": {"CNY": "1"}}},
    )


@pytest.mark.slow
@pytest.mark.parametrize("customer", ["a", "b"])
def test_the_report_and_the_tables_are_the_fold_at_every_cut_off(customer: str) -> None:
    records = story().trial.histories[customer]
    check_report(records, UTC)
    check(records, random.Random(1))


def test_a_transfer_is_a_line_of_the_roll_forward_and_comes_to_nothing_over_a_program() -> None:
    """What arrives is of no entity that is known, as docs/REPORTS.md says. Against: a line that only one side has."""
    place = registered("S-1", "red", "2026-01-01T00:00:00Z", "2026-01-02", entity="Red Ltd")
    done = several(
        ("a", place),
        ("a", granted(30, "2026-01-05", place={"store": "S-1", "channel": "pos"})),
        ("b", granted(1, "2026-01-05")),
        ("a", transferred("T-1", 20, "b", "2026-01-10")),
        transfers={},
    )
    book = Book(UTC, at("2026-01-01") - 1, at("2026-01-31"), keeps_traces=True)
    records = [record for stream in done.trial.histories.values() for record in stream]
    for position, record in enumerate(sorted(records, key=lambda one: (one.time, one.subject)), start=1):
        for movement in movements_of(position, record.to_json(), "points"):
            book.add(movement)
    book.close()
    found = {(line.line, line.detail, slice_.entity): points for (line, slice_), points in book.flows.items()}
    assert found == {
        ("granted", "goodwill", "Red Ltd"): 30,
        ("granted", "goodwill", None): 1,
        ("transferred", "out", "Red Ltd"): -20,
        ("transferred", "in", None): 20,
    }
