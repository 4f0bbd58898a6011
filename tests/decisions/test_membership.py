"""`membership.*`: periods bought with their bundles, renewed, paused, ended by time."""

import pytest

from ledger.errors import FormError
from ledger.rules import read_document
from tests.builders import (
    MemoryLedger,
    at,
    clock_runs,
    coupon_used,
    member,
    membership,
    purchase,
    renewal,
    rules,
)
from tests.given import table
from tests.memberships import COUPONS, RULES, VIP, having, periods, seen


@table(
    (
        "the bundle is granted in the same record",
        lambda: (
            having()
            .when(member("M-1", "2026-03-01"))
            .then(
                "500 points program:issued:membership -> customer:points opens 1.1",
                "1 coupon:tea program:issued:membership -> customer:coupon:tea opens 1.2",
                "1 coupon:tea program:issued:membership -> customer:coupon:tea opens 1.3",
                "3 coupon:cake program:issued:membership -> customer:coupon:cake opens 1.4",
            )
            .derived(
                coupons=[
                    {"coupon_id": "membership:M-1:1:tea:1", "kind": "tea", "lot": "1.2"},
                    {"coupon_id": "membership:M-1:1:tea:2", "kind": "tea", "lot": "1.3"},
                    {"coupon_id": "membership:M-1:1:cake:1", "kind": "cake", "lot": "1.4"},
                ],
                counters=[["coupon:tea:total", 1], ["coupon:tea:total", 1], ["coupon:cake:total", 1]],
            )
        ),
    ),
    (
        "its coupons are coupons",
        lambda: (
            having(member("M-1", "2026-03-01"))
            .when(coupon_used("membership:M-1:1:tea:2", "U-1", "2026-03-02"))
            .then("1 coupon:tea customer:coupon:tea -> program:redeemed of 1.3:1")
        ),
    ),
    (
        "a plan nobody knows",
        lambda: having().when(member("M-1", "2026-03-01", "gold")).refused("membership_plan_unknown", plan="gold"),
    ),
    (
        "while another one runs",
        lambda: (
            having(member("M-1", "2026-03-01"))
            .when(member("M-2", "2027-02-28T23:59"))
            .refused("membership_active", membership_id="M-1", end="2027-03-01T00:00:00Z")
        ),
    ),
    (
        "once it is over",
        lambda: having(member("M-1", "2026-03-01", "kept")).when(member("M-2", "2027-03-01", "monthly")).then(),
    ),
    (
        "before a change that is known already",
        lambda: (
            having(member("M-1", "2026-03-05", "monthly"))
            .when(member("M-2", "2026-03-01", "monthly"))
            .refused("membership_out_of_order", changed_at="2026-03-05T00:00:00Z")
        ),
    ),
    (
        "late, with nothing about it since",
        lambda: having(purchase("SO-1", 100, "2026-03-05")).when(member("M-1", "2026-03-01", "monthly")).then(),
    ),
)
def test_a_membership_is_bought_with_its_bundle(scenario):
    """Against: the bundle's coupons left out of the counters; the second of two alike under the id of the first."""
    scenario()


@pytest.mark.parametrize(
    ("zone", "steps", "wanted"),
    [
        ("UTC", [member("M", "2026-01-31T10:00", "monthly")], [("2026-01-31", "2026-02-28")]),
        (
            "UTC",
            [
                member("M", "2026-01-31T10:00", "monthly"),
                renewal("M", "N-1", "2026-02-01"),
                renewal("M", "N-2", "2026-02-02"),
            ],
            [("2026-01-31", "2026-02-28"), ("2026-02-28", "2026-03-31"), ("2026-03-31", "2026-04-30")],
        ),
        ("UTC", [member("M", "2024-02-29T10:00", "kept")], [("2024-02-29", "2025-02-28")]),
        ("Asia/Shanghai", [member("M", "2026-01-31T17:00", "monthly")], [("2026-01-31", "2026-02-28")]),
        ("America/Sao_Paulo", [member("M", "2017-10-15T12:00", "monthly")], [("2017-10-15", "2017-11-15")]),
        (
            "UTC",
            [member("M", "2026-03-01", "today"), renewal("M", "N-1", "2026-06-01T12:00")],
            [("2026-03-01", "2026-06-01"), ("2026-06-01", "2027-06-01")],
        ),
        (
            "UTC",
            [member("M", "2026-03-01", "monthly"), renewal("M", "N-1", "2026-05-10T08:00")],
            [("2026-03-01", "2026-04-01"), ("2026-05-10", "2026-06-10")],
        ),
        (
            "UTC",
            [
                member("M", "2026-03-01", "monthly"),
                purchase("SO-1", 1, "2026-05-01"),
                renewal("M", "N-1", "2026-03-31"),
            ],
            [("2026-03-01", "2026-04-01"), ("2026-04-01", "2026-05-01")],
        ),
    ],
    ids=["short month", "no drift", "leap day", "local day", "daylight saving", "from today", "after its end", "late"],
)
def test_a_period_ends_on_the_day_months_later(zone, steps, wanted):
    """Against: months counted from the day before's end (28 March); days of the wrong zone; a late renewal from today."""
    ledger = having(*steps, zone=zone).ledger
    assert periods(ledger, max(steps[0].time, steps[-1].time)) == wanted


def test_a_midnight_that_daylight_saving_skips_is_the_end_all_the_same():
    """Shanghai's days begin at 16:00 UTC; Sao Paulo has no midnight on 15 October 2017: its day begins at one."""
    shanghai = having(member("M", "2026-01-31T17:00", "monthly"), zone="Asia/Shanghai").ledger
    assert seen(shanghai, "2026-02-01")["end"] == "2026-02-28T16:00:00Z"
    sao_paulo = having(member("M", "2017-09-15T12:00", "monthly"), zone="America/Sao_Paulo").ledger
    assert seen(sao_paulo, "2017-09-16")["end"] == "2017-10-15T03:00:00Z"


def test_time_writes_the_end_and_a_reader_sees_it_before():
    before = having(member("M-1", "2026-03-01", "monthly"))
    assert [seen(before.ledger, as_of)["status"] for as_of in ("2026-03-31T23:59", "2026-04-01")] == ["active", "ended"]
    before.when(clock_runs("2026-04-02")).unit(("membership.ended", "2026-04-01", []))
    assert seen(before.ledger, "2026-04-03")["status"] == "ended"


def test_days_paused_push_the_end_and_what_begins_later():
    """Against: the day of the pause counted too; the period that begins later left where it was."""
    steps = [
        member("M", "2026-03-01"),
        renewal("M", "N-1", "2026-03-02"),
        membership("paused", "M", "2026-05-01T09:00"),
    ]
    before = having(*steps)
    assert (seen(before.ledger, "2026-05-02")["status"], seen(before.ledger, "2026-05-02")["end"]) == (
        "paused",
        "2028-03-31T00:00:00Z",
    )
    before.when(membership("resumed", "M", "2026-05-11T20:00")).derived(days=10)
    assert periods(before.ledger, "2026-06-01") == [("2026-03-01", "2027-03-11"), ("2027-03-11", "2028-03-11")]
    now = seen(before.ledger, "2026-06-01")
    assert (now["status"], now["paused_days"], now["end"][:10]) == ("active", 10, "2028-03-11")
    assert [one["paused_days"] for one in now["periods"]] == [10, 0]
    before.when(renewal("M", "N-2", "2026-06-01"))
    assert periods(before.ledger, "2026-06-02")[-1] == ("2028-03-11", "2029-03-11")


@table(
    (
        "no longer than the plan lets",
        lambda: (
            having(member("M", "2026-03-01"), membership("paused", "M", "2026-05-01"))
            .when(membership("resumed", "M", "2026-07-01"))
            .derived(days=30)
        ),
    ),
    (
        "once all days are used",
        lambda: (
            having(
                member("M", "2026-03-01"),
                membership("paused", "M", "2026-05-01"),
                membership("resumed", "M", "2026-07-01"),
            )
            .when(membership("paused", "M", "2026-08-01"))
            .refused("membership_pause_not_allowed", paused_days=30)
        ),
    ),
    (
        "where the plan knows no pause",
        lambda: (
            having(member("M", "2026-03-01", "monthly"))
            .when(membership("paused", "M", "2026-03-02"))
            .refused("membership_pause_not_allowed", paused_days=0)
        ),
    ),
    (
        "twice",
        lambda: (
            having(member("M", "2026-03-01"), membership("paused", "M", "2026-05-01"))
            .when(membership("paused", "M", "2026-05-02"))
            .refused("membership_not_active", status="paused")
        ),
    ),
    (
        "one that was not paused cannot be resumed",
        lambda: (
            having(member("M", "2026-03-01"))
            .when(membership("resumed", "M", "2026-05-02"))
            .refused("membership_not_active", status="active")
        ),
    ),
    (
        "never resumed, it ends with the days it was let",
        lambda: (
            having(member("M", "2026-03-01"), membership("paused", "M", "2026-05-01"))
            .when(clock_runs("2028-01-01"))
            .unit(("membership.ended", "2027-03-31", []))
        ),
    ),
    (
        "one nobody knows yet",
        lambda: having().when(membership("paused", "M", "2026-05-02")).refused("membership_unknown", membership_id="M"),
    ),
    (
        "one that another took the place of",
        lambda: (
            having(member("M-1", "2026-03-01", "monthly"), member("M-2", "2026-05-01", "monthly"))
            .when(membership("cancelled", "M-1", "2026-05-02"))
            .refused("membership_not_active", status="replaced")
        ),
    ),
    (
        "one that is over",
        lambda: (
            having(member("M-1", "2026-03-01", "monthly"))
            .when(membership("cancelled", "M-1", "2026-04-01"))
            .refused("membership_not_active", status="ended")
        ),
    ),
    (
        "paused, it is not renewed",
        lambda: (
            having(member("M", "2026-03-01"), membership("paused", "M", "2026-05-01"))
            .when(renewal("M", "N-1", "2026-05-02"))
            .refused("membership_not_active", status="paused")
        ),
    ),
)
def test_a_membership_is_paused_and_resumed(scenario):
    scenario()


def test_the_benefit_is_shown_while_it_is_active():
    ledger = having(member("M", "2026-03-01"), membership("paused", "M", "2026-05-01")).ledger
    assert seen(ledger, "2026-02-01") is None
    assert seen(ledger, "2026-03-02")["benefit"] == {"percent_off": "12"}
    assert "benefit" not in seen(ledger, "2026-05-02")
    assert "benefit" not in seen(ledger, "2028-05-02")


@pytest.mark.parametrize(
    "plan",
    [
        {**VIP, "bundle": {"coupons": [{"kind": "coffee"}]}},
        {**VIP, "list_month": 1},
        {**VIP, "refund": "less_used_at_list"},
        {**VIP, "months": 0},
    ],
    ids=["a coupon nobody knows", "a list price without use", "no list price", "no time"],
)
def test_a_plan_that_cannot_be_meant_is_refused_with_its_place(plan):
    with pytest.raises(FormError) as refused:
        read_document(rules(coupons=COUPONS, membership=[plan]))
    assert refused.value.errors[0]["pointer"].startswith("/membership/0")


@pytest.mark.parametrize("late", [False, True], ids=["in order", "the renewal arrives late"])
def test_whether_the_clock_has_run_changes_no_answer(late):
    """Against: a membership that the clock has ended is not active again after a renewal that was due before."""
    steps = [
        member("M", "2026-03-01", "monthly"),
        renewal("M", "N-1", "2026-03-31"),
        purchase("SO-1", 100, "2026-04-20"),
        membership("cancelled", "M", "2026-04-25"),
    ]
    if late:
        steps[1:3] = reversed(steps[1:3])
    ledgers = [MemoryLedger(RULES, clock=clock) for clock in (False, True)]
    for ledger in ledgers:
        for step in steps:
            ledger.post(step)
        ledger.run_clock(at("2026-07-01"))
    for as_of in ("2026-03-01", "2026-03-31", "2026-04-01", "2026-04-24", "2026-04-25", "2026-06-01"):
        then, other = (seen(ledger, as_of) for ledger in ledgers)
        assert then == other, as_of
        assert then["status"] == ("active" if as_of < "2026-04-25" else "cancelled")
