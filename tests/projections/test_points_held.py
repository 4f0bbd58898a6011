"""Points that holds set aside, in the report: what time does to them is the same whether or not the clock has written it."""

from zoneinfo import ZoneInfo

import pytest

from ledger.instants import show
from tests.builders import MemoryLedger, at, event, granted, rules
from tests.properties.reporting import check_report, reported

UTC = ZoneInfo("UTC")

STORY = [
    granted(100, "2026-01-05", expires_at="2026-03-01T00:00:00Z"),
    granted(50, "2026-01-06"),
    event("hold.placed", "2026-02-01", hold_id="H-1", asset="points", amount=60, until="2026-02-10T00:00:00Z"),
    event("hold.placed", "2026-02-20", hold_id="H-2", asset="points", amount=80, until="2026-03-05T00:00:00Z"),
    event("hold.placed", "2026-03-06", hold_id="H-3", asset="points", amount=30, until="2026-03-20T00:00:00Z"),
    event("hold.captured", "2026-03-07", hold_id="H-3", amount=20),
]


@pytest.fixture(params=[False, True], ids=["clock never", "clock always"])
def records(request):
    ledger = MemoryLedger(rules(backdate_days=1000), clock=request.param)
    for posted in STORY:
        ledger.post(posted)
    if request.param:
        ledger.run_clock(at("2026-04-01"))
    return ledger.records


def test_what_is_held_agrees_with_the_fold_at_every_cut_off(records):
    check_report(records, UTC)


@pytest.mark.parametrize(
    ("since", "until", "outstanding", "held", "lines"),
    [
        ("2026-02-01", "2026-02-05", 90, 60, {"placed": 60}),
        ("2026-02-01", "2026-02-15", 150, 0, {"placed": 60, "released": -60}),
        ("2026-02-20", "2026-03-04", 50, 80, {"placed": 80}),
        ("2026-03-02", "2026-03-05T12:00", 50, 0, {"expired": -80}),
        ("2026-03-06", "2026-03-08", 30, 0, {"placed": 30, "captured": -20, "released": -10}),
    ],
)
def test_a_hold_rolls_forward_and_what_lapsed_in_it_is_gone_when_it_ends(
    records, since, until, outstanding, held, lines
):
    report, _ = reported(records, UTC, at(since) - 1, at(until))
    assert (report["totals"]["outstanding"], report["totals"]["held"]) == (outstanding, held), show(at(until))
    found = {line["line"]: line["points"] for line in report["roll_forward"]["held"]}
    assert {name: points for name, points in found.items() if name not in ("opening", "closing")} == lines
    assert found["opening"] + sum(lines.values()) == found["closing"] == held
