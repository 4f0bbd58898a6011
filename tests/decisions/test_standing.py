"""Accounts frozen, unfrozen and closed."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger.account import fold, show_account
from tests.builders import (
    Event,
    adjusted,
    at,
    clock_runs,
    event,
    given_back,
    granted,
    opened,
    purchase,
    redeemed,
    refunded,
    signed_up,
)
from tests.given import When, given, table, text_of


def frozen(what: str, time: str, until: str | None = None) -> Event:
    return event(
        "customer.frozen", time, what=what, reason="stolen", until=None if until is None else f"{until}T00:00:00Z"
    )


def unfrozen(what: str, time: str) -> Event:
    return event("customer.unfrozen", time, what=what)


def closed(time: str) -> Event:
    return event("customer.closed", time, reason="asked to leave")


def loaded(time: str, principal: int = 1000) -> Event:
    data = {"load_id": "L-1", "currency": "CNY", "principal": principal, "payment_reference": "wx-1"}
    return event("stored_value.loaded", time, **data)


def standing(when: When, instant: str) -> dict[str, Any]:
    answer: dict[str, Any] = show_account(fold(when.ledger.records, at(instant)), at(instant))["standing"]
    return answer


POINTS = granted(100, "2026-01-01")
PAID_WITH_POINTS = [{"kind": "points", "amount": 100}, {"kind": "cash", "amount": 900}]


@pytest.mark.parametrize(
    ("what", "event_", "code"),
    [
        ("redeem", redeemed("R-1", 10, "2026-01-03"), "customer_frozen"),
        ("all", redeemed("R-1", 10, "2026-01-03"), "customer_frozen"),
        ("earn", redeemed("R-1", 10, "2026-01-03"), None),
        ("earn", granted(10, "2026-01-03"), "customer_frozen"),
        ("all", granted(10, "2026-01-03"), "customer_frozen"),
        ("redeem", granted(10, "2026-01-03"), None),
        ("redeem", purchase("SO-1", 1000, "2026-01-03", tenders=PAID_WITH_POINTS), "customer_frozen"),
        ("all", adjusted(-10, "2026-01-03"), None),
        ("all", loaded("2026-01-03"), None),
        ("redeem", redeemed("R-1", 10, "2026-01-01T12:00").late("2026-01-03"), None),
    ],
)
def test_a_freeze_keeps_from_what_it_names(what: str, event_: Event, code: str | None):
    """Decided at the event's own instant. Planted bug: a sale of before the freeze, uploaded after it, refused."""
    when = given(POINTS, frozen(what, "2026-01-02")).when(event_)
    if code is None:
        assert when.own.type == event_.type
    else:
        when.refused(code).nothing_changed()


@pytest.mark.parametrize("sale", [purchase("SO-1", 1000, "2026-01-03"), signed_up("2026-01-03")])
def test_while_earning_is_frozen_a_sale_is_recorded_and_earns_nothing(sale: Event):
    given(frozen("earn", "2026-01-02")).when(sale).then().notes({"code": "nothing_earned", "reason": "frozen"})


def test_what_was_done_before_is_still_undone_under_a_freeze():
    steps = (
        POINTS,
        redeemed("R-1", 60, "2026-01-01"),
        purchase("SO-1", 1000, "2026-01-01"),
        frozen("all", "2026-01-02"),
    )
    given(*steps).when(given_back("R-1", "2026-01-03")).balance(110)
    given(*steps).when(refunded("SO-1", 1000, "2026-01-03")).balance(40)


SPENT_10 = "10 points customer:points -> program:redeemed of 1.1:10"
UNTIL = frozen("redeem", "2026-01-02", until="2026-01-05")


@table(
    ("by its end", lambda: given(POINTS, UNTIL).when(redeemed("R-1", 10, "2026-01-05"))),
    ("by hand", lambda: given(POINTS, UNTIL, unfrozen("all", "2026-01-03")).when(redeemed("R-1", 10, "2026-01-03"))),
    (
        "in part, by hand",
        lambda: given(POINTS, frozen("all", "2026-01-02"), unfrozen("redeem", "2026-01-03")).when(
            redeemed("R-1", 10, "2026-01-03")
        ),
    ),
)
def test_a_freeze_ends(scenario: Callable[[], When]):
    assert scenario().then(SPENT_10)


def test_its_end_is_a_record_of_its_own_whether_or_not_the_clock_runs():
    when = given(POINTS, UNTIL).when(redeemed("R-1", 10, "2026-01-06"))
    when.unit(("customer.unfrozen", "2026-01-05", []), ("points.redeemed", "2026-01-06", [SPENT_10]))
    clock = given(POINTS, UNTIL).when(clock_runs("2026-02-01"))
    assert [(one.type, text_of(one.instant)) for one in clock.records] == [("customer.unfrozen", "2026-01-05")]


def test_a_freeze_that_ends_by_time_leaves_another_that_has_no_end():
    """Seen before it was repaired: the record of the end unfroze whatever ran, once the clock had written it."""
    steps = (POINTS, frozen("redeem", "2026-01-02"), frozen("all", "2026-01-03", "2026-01-05"))
    for clock in ((), (clock_runs("2026-01-06"),)):
        given(*steps, *clock).when(redeemed("R-1", 10, "2026-01-07")).refused("customer_frozen")


def test_a_late_redemption_of_the_frozen_days_is_refused_though_the_freeze_is_over():
    """Planted bug: only what is frozen now looked at."""
    steps = (POINTS, UNTIL, granted(1, "2026-01-10"))
    given(*steps).when(redeemed("R-1", 10, "2026-01-03").late("2026-01-11")).refused(
        "customer_frozen"
    ).nothing_changed()


def test_what_is_not_frozen_is_not_unfrozen():
    given(POINTS, frozen("earn", "2026-01-02")).when(unfrozen("redeem", "2026-01-03")).refused("customer_not_frozen")


def test_a_reader_sees_what_is_frozen_at_an_instant():
    when = given(POINTS, UNTIL).when(clock_runs("2026-02-01"))
    frozen_then = {
        "what": "redeem",
        "since": "2026-01-02T00:00:00Z",
        "until": "2026-01-05T00:00:00Z",
        "reason": "stolen",
    }
    assert standing(when, "2026-01-04") == {"frozen": [frozen_then]}
    assert standing(when, "2026-01-05") == {"frozen": []}


def test_closing_forfeits_what_is_left():
    given(POINTS, closed("2026-01-02")).lots()
    when = given(POINTS).when(closed("2026-01-02"))
    when.then("100 points customer:points -> program:adjusted of 1.1:100").lots()
    assert standing(when, "2026-01-02") == {
        "frozen": [],
        "closed": {"at": "2026-01-02T00:00:00Z", "reason": "asked to leave"},
    }


def test_a_debt_is_written_off():
    steps = (
        purchase("SO-1", 10_000, "2026-01-01"),
        redeemed("R-1", 100, "2026-01-01"),
        refunded("SO-1", 10_000, "2026-01-02"),
    )
    when = given(*steps, refunds="allow_negative").when(closed("2026-01-03"))
    when.then("100 points program:adjusted -> customer:points:debt pays 3.1:100").lots().balance(0)


HOLD = event("hold.placed", "2026-01-01", hold_id="H-1", asset="points", amount=10, until="2026-01-09T00:00:00Z")


@table(
    ("stored principal", lambda: given(loaded("2026-01-01")).when(closed("2026-01-02"))),
    ("a hold", lambda: given(POINTS, HOLD).when(closed("2026-01-02"))),
    ("points, where the rules say so", lambda: given(POINTS, closing={"points": "refuse"}).when(closed("2026-01-02"))),
)
def test_an_account_with_something_open_is_not_closed(scenario: Callable[[], When]):
    scenario().refused("customer_not_settled").nothing_changed()


@pytest.mark.parametrize(
    "later",
    [
        purchase("SO-1", 1000, "2026-01-03"),
        purchase("SO-1", 1000, "2026-01-01").late("2026-01-03"),
        signed_up("2026-01-03"),
        opened("2026-01-03", history={"orders": 1}),
        closed("2026-01-03"),
        unfrozen("all", "2026-01-03"),
    ],
    ids=lambda later: later.type,
)
def test_a_closed_account_takes_nothing(later: Event):
    given(POINTS, closed("2026-01-02")).when(later).refused("customer_closed").nothing_changed()


def test_nothing_falls_due_on_a_closed_account():
    """Neither the end of a freeze nor that of a referral's refund window. Planted bug: families asked after the closing."""
    waiting = {"qualification": {"refund_window_days": 7}}
    steps = (
        signed_up("2026-01-01", referred_by="c-0"),
        purchase("SO-1", 1000, "2026-01-02"),
        UNTIL,
        closed("2026-01-03"),
    )
    given(*steps, referral=waiting).when(clock_runs("2028-01-01")).nothing_changed()


def test_a_closing_dated_earlier_takes_what_there_is_when_it_comes():
    when = given(POINTS, granted(5, "2026-01-10")).when(closed("2026-01-05").late("2026-01-11"))
    when.then("105 points customer:points -> program:adjusted of 1.1:100 2.1:5 on 2026-01-10").lots()
