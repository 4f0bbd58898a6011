"""Which instant decides: an event's own `time`, the ledger's now where it is dated ahead, the rules and places of then."""

import pytest

from ledger.deciding.numbering import due_id
from ledger.instants import MINUTE
from tests.builders import (
    MemoryLedger,
    at,
    clock_runs,
    delivered,
    earns,
    given_back,
    granted,
    published,
    purchase,
    redeemed,
    refunded,
    registered,
    rules,
)
from tests.given import given, table

NOON = "2026-03-01T12:00"
MONTHLY = {"kind": "end_of_month", "n": 0}


def arriving(event, minutes):
    """An event dated so many minutes after noon, arriving at noon."""
    given_at_noon = given(granted(100, "2026-02-01"), clock_runs(NOON))
    return given_at_noon.when(event(at(NOON) + round(minutes * MINUTE)).late(NOON))


@table(
    (
        "five minutes ahead is accepted, decided at recorded_at with that as its postings' at",
        lambda: (
            arriving(lambda time: granted(5, time), 5)
            .then("5 points program:issued:goodwill -> customer:points opens 2.1 on 2026-03-01T12:00")
            .derived(at="2026-03-01T12:00:00Z")
            .seen(NOON, points=105, available=105)
        ),
    ),
    (
        "a microsecond more is refused, before anything is looked at",
        lambda: arriving(lambda time: redeemed("R", 10**6, time + 1), 5).refused("time_in_future").nothing_changed(),
    ),
    (
        "dated ahead it spends what is there now",
        lambda: arriving(lambda time: redeemed("R", 100, time), 3).then(
            "100 points customer:points -> program:redeemed of 1.1:100 on 2026-03-01T12:00"
        ),
    ),
    (
        "dated ahead it is bought now: totals and business day say so",
        lambda: arriving(lambda time: purchase("SO-1", 100, time), 4).derived(
            business_day="2026-03-01", at="2026-03-01T12:00:00Z"
        ),
    ),
    (
        "dated now or before, nothing is derived about it",
        lambda: arriving(lambda time: granted(5, time), 0).derived(at=None),
    ),
    (
        "an event right after one dated ahead is not late",
        lambda: (
            given(granted(5, "2026-03-01T12:05").late(NOON))
            .when(redeemed("R", 5, NOON))
            .then("5 points customer:points -> program:redeemed of 1.1:5")
        ),
    ),
)
def test_a_little_ahead_is_now(scenario):
    """Planted: the record's time taken for the instant of its postings; 5 minutes taken with `>=`."""
    scenario()


@table(
    ("45 days back is within the default", lambda: old(days=45).then(EARNED)),
    (
        "a moment more needs the scope backdate",
        lambda: old(days=45, more=1).refused("forbidden", scope="backdate", backdate_days=45),
    ),
    (
        "the rules may say otherwise",
        lambda: old(days=10, more=1, backdate_days=10).refused("forbidden", backdate_days=10),
    ),
    ("with the scope everything is accepted", lambda: old(days=400, may_backdate=True).then(EARNED)),
)
def test_old_events_need_a_scope(scenario):
    """Planted: `<=` for `<` at the limit."""
    scenario()


EARNED = "1 points program:issued:purchase -> customer:points opens 1.1 by base"


def old(*, days, more=0, may_backdate=False, **settings):
    posted = purchase("SO-1", 100, at(NOON) - days * 24 * 60 * MINUTE - more).late(NOON)
    fields = {**vars(posted), "may_backdate": may_backdate}
    return given(**settings).when(type(posted)(**fields))


TWICE = rules(earns("2"), effective_from="2026-03-10T00:00:00Z")


@table(
    (
        "a program's first version counts from ever",
        lambda: given().when(purchase("SO-1", 100, "1999-01-01")).then(EARNED),
    ),
    (
        "before its effective_from a version decides nothing",
        lambda: given(published(TWICE, "2026-03-01")).when(purchase("SO-1", 100, "2026-03-09T23:59:59Z")).then(EARNED),
    ),
    (
        "from that instant on it does",
        lambda: (
            given(published(TWICE, "2026-03-01"))
            .when(purchase("SO-1", 100, "2026-03-10"))
            .then("2 points program:issued:purchase -> customer:points opens 1.1 by base")
        ),
    ),
    (
        "of two that count, the one published last",
        lambda: (
            given(
                published(rules(earns("9"), effective_from="2026-03-11T00:00:00Z"), "2026-03-01"),
                published(rules(earns("3"), effective_from="2026-03-09T00:00:00Z"), "2026-03-02"),
            )
            .when(purchase("SO-1", 100, "2026-03-12"))
            .then("3 points program:issued:purchase -> customer:points opens 1.1 by base")
        ),
    ),
    (
        "without effective_from it counts from its publication",
        lambda: (
            given(published(rules(earns("3")), "2026-03-05")).when(purchase("SO-1", 100, "2026-03-04")).then(EARNED)
        ),
    ),
    (
        "the record names the version that decided",
        lambda: rule_versions(
            given(published(TWICE, "2026-03-01"), purchase("SO-1", 100, "2026-03-09")).when(
                purchase("SO-2", 100, "2026-03-10")
            ),
            [1, 2],
        ),
    ),
)
def test_the_rules_of_the_events_instant_decide(scenario):
    """Planted: the latest version decides whatever the event's time."""
    scenario()


def rule_versions(when, wanted):
    assert [record.rules for record in when.ledger.records] == wanted


PLACE = {"store": "SZ-1", "channel": "shop"}
REGISTER = (
    registered("SZ-1", "red", "2026-01-01T00:00:00Z", "2026-01-01"),
    registered("SZ-1", "blue", "2026-03-01T00:00:00Z", "2026-01-02", franchisee="fr-1"),
)


@table(
    (
        "the brand valid at the event's time",
        lambda: (
            given(*REGISTER)
            .when(purchase("SO-1", 100, "2026-03-01", place=PLACE))
            .derived(brand="blue", entity="blue Ltd", franchisee="fr-1")
        ),
    ),
    (
        "late, it gets the brand of its own time",
        lambda: (
            given(*REGISTER, granted(1, "2026-04-01"))
            .when(purchase("SO-1", 100, "2026-02-28T23:59:59Z", place=PLACE))
            .derived(brand="red", entity="red Ltd", franchisee=None)
        ),
    ),
    (
        "before the first registration: none",
        lambda: (
            given(*REGISTER).when(purchase("SO-1", 100, "2025-12-31", place=PLACE)).derived(brand=None, entity=None)
        ),
    ),
    (
        "another store: none",
        lambda: (
            given(*REGISTER)
            .when(granted(1, "2026-03-01", place={"store": "SZ-2", "channel": "shop"}))
            .derived(brand=None, business_day="2026-03-01")
        ),
    ),
    (
        "registered again from the same instant: the later word counts",
        lambda: (
            given(*REGISTER, registered("SZ-1", "green", "2026-03-01T00:00:00Z", "2026-02-01"))
            .when(purchase("SO-1", 100, "2026-03-02", place=PLACE))
            .derived(brand="green", franchisee=None)
        ),
    ),
    (
        "registered afterwards, what was recorded stays as it was",
        lambda: brands(
            given(REGISTER[0], purchase("SO-1", 100, "2026-03-02", place=PLACE), REGISTER[1].late("2026-03-03")).when(
                purchase("SO-2", 100, "2026-03-02", place=PLACE)
            ),
            ["red", "blue"],
        ),
    ),
    (
        "refunds, returns, deliveries and grants have a place too",
        lambda: brands(
            given(
                *REGISTER,
                purchase("SO-1", 100, "2026-02-01", place=PLACE),
                delivered("SO-1", "2026-02-02"),
                redeemed("R", 1, "2026-02-03", place=PLACE),
                given_back("R", "2026-02-04"),
            ).when(refunded("SO-1", 100, "2026-03-04", place=PLACE)),
            ["red", None, "red", None, "blue"],
        ),
    ),
)
def test_a_store_belongs_to_what_the_register_said_of_that_time(scenario):
    """Planted: the register's last entry, whatever the event's time."""
    scenario()


def brands(when, wanted):
    assert [(record.derived or {}).get("brand") for record in when.ledger.records] == wanted


def test_two_clocks_write_the_same_record_and_a_lot_reopened_since_another():
    """Planted: the version left out of the id, so a lot reopened could not expire again."""
    one, other = (MemoryLedger(rules(expiry=MONTHLY)) for _ in range(2))
    for ledger in (one, other):
        for posted in (granted(50, "2026-03-10"), redeemed("R", 20, "2026-03-11")):
            ledger.post(posted)
        ledger.run_clock(at("2026-04-02"))
    assert one.records[-1].to_bytes() == other.records[-1].to_bytes()
    one.post(given_back("R", "2026-03-12"))
    one.run_clock(at("2026-04-03"))
    expiries = [record for record in one.records if record.type == "points.expired"]
    assert [record.time for record in expiries] == [at("2026-04-01")] * 2
    assert len({record.id for record in expiries}) == 2
    assert expiries[0].id == str(due_id("shop", "c-1", "points.expired", at("2026-04-01"), expiries[0].version))


@pytest.mark.parametrize(
    "steps", [[granted(5, "2026-03-10")], [granted(5, "2026-03-10"), redeemed("R", 5, "2026-03-11")]]
)
def test_due_at_may_be_early_never_late(steps):
    """Planted: the latest expiry instead of the first."""
    ledger = given(granted(7, "2026-03-01", expires_at="2026-05-01T00:00:00Z"), *steps, expiry=MONTHLY).ledger
    due = ledger.account.due_at()
    assert due <= min(lot.expires_at for lot in ledger.account.lots.values())
    ledger.run_clock(at("2026-06-01"))
    assert ledger.account.due_at() is None
