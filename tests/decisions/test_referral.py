"""Customers who bring customers: made, qualified, disqualified on the referred customer's stream; rewarded and revoked on both."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger.account import fold, show_account
from tests.builders import CUSTOMER, Event, at, clock_runs, event, granted, purchase, redeemed, refunded, signed_up
from tests.given import Given, When, given, table, text_of

EARNS_NOTHING = [{"id": "base", "on": "purchase.recorded", "points_per_unit": "0.0001"}]
FIRST = {"referrer": [{"from_count": 1, "points": 100}, {"from_count": 3, "points": 150}], "referred": 50}


def program(**referral: Any) -> dict[str, Any]:
    return {"earning": EARNS_NOTHING, "referral": {**FIRST, **referral}}


def after(*steps: Any, **referral: Any) -> Given:
    return given(*steps, document=program(**referral))


def noted(referred: str, time: str) -> Event:
    return event("referral.noted", time, referred=referred)


def rewarded(role: str, time: str, *, referrer: str = CUSTOMER, referred: str = "c-2") -> Event:
    return event("referral.rewarded", time, role=role, referrer=referrer, referred=referred)


def revoked(role: str, time: str, *, referred: str = "c-2", reason: str = "refunded") -> Event:
    return event("referral.revoked", time, role=role, referrer=CUSTOMER, referred=referred, reason=reason)


def facts(when: When) -> list[tuple[str, str]]:
    return [(one.type, text_of(one.instant)) for one in when.records]


def notes(when: When) -> list[tuple[str, str]]:
    return [(note["code"], note["reason"]) for record in when.records for note in record.notes if "reason" in note]


def shown(when: When | Given, instant: str) -> dict[str, Any]:
    state = fold(when.ledger.records, at(instant))
    answer: dict[str, Any] = show_account(state, at(instant))["referral"]
    return answer


JOINED = signed_up("2026-01-01", referred_by="c-0")


@pytest.mark.parametrize(
    ("steps", "event_", "facts_", "reasons"),
    [
        ([], signed_up("2026-01-01", referred_by="c-1"), [], ["self_referral"]),
        ([], signed_up("2026-01-01", referred_by="who brought me"), [], ["not_a_customer_id"]),
        ([purchase("SO-1", 100, "2026-01-01")], signed_up("2026-01-02", referred_by="c-0"), [], ["not_new"]),
        (
            [signed_up("2026-01-01"), noted("c-0", "2026-01-02")],
            purchase("SO-1", 100, "2026-01-03", referred_by="c-0"),
            [],
            ["loop"],
        ),
        (
            [JOINED],
            purchase("SO-1", 100, "2026-01-03", referred_by="c-9"),
            ["referral.qualified"],
            ["already_referred"],
        ),
        ([], signed_up("2026-01-01", referred_by="c-0"), ["referral.made"], []),
        ([], purchase("SO-1", 100, "2026-01-01", referred_by="c-0"), ["referral.made", "referral.qualified"], []),
    ],
    ids=[
        "oneself",
        "no customer id",
        "bought before",
        "brought the other",
        "brought before",
        "at sign-up",
        "at the till",
    ],
)
def test_a_customer_is_brought_once_when_new_by_another(
    steps: list[Event], event_: Event, facts_: list[str], reasons: list[str]
):
    """The event itself is recorded whatever its referrer. Planted bug: the customer's earlier purchases not looked at."""
    when = after(*steps).when(event_)
    assert [kind for kind, _ in facts(when)][1:] == facts_
    assert [reason for code, reason in notes(when) if code == "referral_not_made"] == reasons


def test_without_rules_for_it_a_referrer_changes_nothing():
    when = given(document={"earning": EARNS_NOTHING}).when(purchase("SO-1", 100, "2026-01-01", referred_by="c-1"))
    assert facts(when) == [("purchase.recorded", "2026-01-01")]
    assert notes(when) == [("nothing_earned", "rounded_to_nothing")]


QUALIFIED = ("referral.qualified", "2026-01-05")
SPEND = {"kind": "spend", "amount": 1000, "currency": "CNY"}


@table(
    ("the first purchase", lambda: after(JOINED).when(purchase("SO-1", 1, "2026-01-05"))),
    (
        "and no purchase of nothing",
        lambda: after(JOINED, purchase("SO-0", 0, "2026-01-04")).when(purchase("SO-1", 1, "2026-01-05")),
    ),
    (
        "one of a minimum",
        lambda: after(JOINED, purchase("SO-0", 99, "2026-01-04"), qualification={"minimum_spend": 100}).when(
            purchase("SO-1", 100, "2026-01-05")
        ),
    ),
    (
        "the n-th, refunded ones not counted",
        lambda: after(
            JOINED,
            purchase("SO-0", 100, "2026-01-02"),
            refunded("SO-0", 100, "2026-01-03"),
            purchase("SO-1", 100, "2026-01-04"),
            qualification={"kind": "nth_purchase", "n": 2},
        ).when(purchase("SO-2", 100, "2026-01-05")),
    ),
    (
        "a spend, after refunds",
        lambda: after(
            JOINED, purchase("SO-0", 900, "2026-01-03"), refunded("SO-0", 100, "2026-01-04"), qualification=SPEND
        ).when(purchase("SO-1", 200, "2026-01-05")),
    ),
    (
        "a spend in its currency only",
        lambda: after(JOINED, purchase("SO-0", 900, "2026-01-03", currency="USD"), qualification=SPEND).when(
            purchase("SO-1", 1000, "2026-01-05")
        ),
    ),
    (
        "a purchase on the last day it is valid",
        lambda: after(JOINED, valid_days=4).when(purchase("SO-1", 1, "2026-01-05")),
    ),
)
def test_what_qualifies(scenario: Callable[[], When]):
    """Planted bug: a refunded purchase counted as one of n."""
    assert facts(scenario())[1:] == [QUALIFIED]


@table(
    ("too small", lambda: after(JOINED, qualification={"minimum_spend": 100}).when(purchase("SO-1", 99, "2026-01-05"))),
    (
        "too few",
        lambda: after(JOINED, qualification={"kind": "nth_purchase", "n": 2}).when(purchase("SO-1", 9, "2026-01-05")),
    ),
    ("too late", lambda: after(JOINED, valid_days=3).when(purchase("SO-1", 1, "2026-01-05"))),
    ("a second one", lambda: after(JOINED, purchase("SO-1", 1, "2026-01-05")).when(purchase("SO-2", 1, "2026-01-05"))),
)
def test_what_does_not(scenario: Callable[[], When]):
    assert facts(scenario())[1:] == []


def test_after_the_refund_window_time_itself_qualifies():
    window = {"refund_window_days": 7}
    waiting = after(JOINED, purchase("SO-1", 100, "2026-01-05"), qualification=window)
    assert shown(waiting, "2026-01-11")["referred_by"]["status"] == "made"
    assert shown(waiting, "2026-01-12")["referred_by"]["status"] == "qualified"
    when = waiting.when(clock_runs("2026-02-01"))
    assert facts(when) == [("referral.qualified", "2026-01-12")]


def test_a_refund_in_the_window_stops_it_and_the_next_purchase_begins_another():
    window = {"refund_window_days": 7}
    steps = (JOINED, purchase("SO-1", 100, "2026-01-05"), refunded("SO-1", 100, "2026-01-06"))
    assert facts(after(*steps, qualification=window).when(clock_runs("2026-02-01"))) == []
    again = after(*steps, purchase("SO-2", 100, "2026-01-07"), qualification=window)
    assert facts(again.when(clock_runs("2026-02-01"))) == [("referral.qualified", "2026-01-14")]


@pytest.mark.parametrize("clock_first", [False, True])
def test_a_refund_of_the_window_that_comes_late_ends_the_same_whether_or_not_the_clock_ran(*, clock_first: bool):
    """Planted bug: a late refund within the window ended the referral for good where the clock had run."""
    steps: list[Any] = [JOINED, purchase("SO-1", 100, "2026-01-05")]
    steps += [clock_runs("2026-02-01")] if clock_first else []
    steps += [refunded("SO-1", 100, "2026-01-06").late("2026-02-01")]
    when = after(*steps, qualification={"refund_window_days": 7}).when(clock_runs("2026-02-02"))
    assert shown(when, "2026-02-02")["referred_by"]["status"] == "made"


@table(
    ("the whole", lambda: after(JOINED, purchase("SO-1", 100, "2026-01-05")).when(refunded("SO-1", 100, "2026-01-06"))),
    (
        "below the minimum",
        lambda: after(JOINED, purchase("SO-1", 100, "2026-01-05"), qualification={"minimum_spend": 100}).when(
            refunded("SO-1", 1, "2026-01-06")
        ),
    ),
    (
        "below the spend",
        lambda: after(
            JOINED, purchase("SO-1", 900, "2026-01-04"), purchase("SO-2", 100, "2026-01-05"), qualification=SPEND
        ).when(refunded("SO-1", 1, "2026-01-06")),
    ),
)
def test_a_refund_disqualifies(scenario: Callable[[], When]):
    """Planted bug: only refunds of the last purchase looked at."""
    assert facts(scenario())[1:] == [("referral.disqualified", "2026-01-06")]


def test_a_refund_that_leaves_enough_does_not():
    when = after(JOINED, purchase("SO-1", 100, "2026-01-05")).when(refunded("SO-1", 99, "2026-01-06"))
    assert facts(when)[1:] == []


def test_another_referrer_may_be_named_once_the_protection_is_over():
    steps = (JOINED,)
    named = purchase("SO-1", 100, "2026-01-11", referred_by="c-9")
    assert [kind for kind, _ in facts(after(*steps, protection_days=11).when(named))][1:] == ["referral.qualified"]
    when = after(*steps, protection_days=10).when(named)
    assert [kind for kind, _ in facts(when)][1:] == ["referral.made", "referral.qualified"]
    assert when.records[1].data["replaces"] == "c-0"
    assert shown(when, "2026-01-11")["referred_by"] == {
        "customer": "c-9",
        "since": "2026-01-11T00:00:00Z",
        "status": "qualified",
    }


BROUGHT = (signed_up("2026-01-01"), noted("c-2", "2026-01-02"))


def test_the_referrer_is_rewarded_once():
    before = after(*BROUGHT)
    before.when(rewarded("referrer", "2026-01-05")).then(
        "100 points program:issued:referral -> customer:points opens 3.1 by referral"
    )
    before.when(rewarded("referrer", "2026-01-05")).refused("referral_ended").nothing_changed()


def test_a_referral_nobody_noted_is_not_rewarded():
    after(*BROUGHT).when(rewarded("referrer", "2026-01-05", referred="c-3")).refused("referral_ended").nothing_changed()


def test_the_referred_customer_is_rewarded_while_the_referral_holds():
    qualified = (JOINED, purchase("SO-1", 100, "2026-01-05"))
    reward = rewarded("referred", "2026-01-05", referrer="c-0", referred=CUSTOMER)
    after(*qualified).when(reward).then("50 points program:issued:referral -> customer:points opens 5.1 by referral")
    gone = refunded("SO-1", 100, "2026-01-06")
    after(*qualified, gone).when(reward).refused("referral_ended").nothing_changed()


def test_a_referrer_nobody_knows_is_waited_for():
    after().when(noted("c-2", "2026-01-02")).refused("referrer_unknown").nothing_changed()


def test_two_who_name_each_other_are_a_loop():
    after(signed_up("2026-01-01", referred_by="c-2")).when(noted("c-2", "2026-01-02")).refused("referral_loop")


THREE = (
    signed_up("2026-01-01"),
    *(noted(f"c-{n}", "2026-01-02") for n in (2, 3, 4)),
    rewarded("referrer", "2026-01-05"),
    rewarded("referrer", "2026-01-05", referred="c-3"),
)
THIRD = rewarded("referrer", "2026-01-06", referred="c-4")


@table(
    ("steps rise with the count", lambda: (after(*THREE).when(THIRD), 150)),
    ("no more than so many", lambda: (after(*THREE, cap_referrals=2).when(THIRD), 0)),
    ("no more than so many points", lambda: (after(*THREE, cap_points=230).when(THIRD), 30)),
    (
        "one taken back makes room",
        lambda: (after(*THREE, revoked("referrer", "2026-01-05"), cap_referrals=2).when(THIRD), 100),
    ),
)
def test_what_a_referrer_is_given(scenario: Callable[[], tuple[When, int]]):
    """What a cap keeps back is recorded too, with a note. Planted bug: the cap counted referrals that were revoked."""
    when, points = scenario()
    assert sum(posting.amount for posting in when.own.postings) == points
    assert bool(when.own.notes) == (points in (0, 30))


def test_a_budget_is_a_counter():
    decision = after(*BROUGHT, clock_runs("2026-02-01"), budget={"name": "autumn", "points": 500}).ledger.decide(
        rewarded("referrer", "2026-01-05")
    )
    assert list(decision.counters) == [("referral:autumn", 100, 500)]
    assert (decision.records[-1].derived or {})["counters"] == [["referral:autumn", 100]]


def test_what_was_given_is_taken_back_and_the_budget_with_it():
    before = after(
        *BROUGHT, rewarded("referrer", "2026-01-05"), clock_runs("2026-02-01"), budget={"name": "autumn", "points": 500}
    )
    decision = before.ledger.decide(revoked("referrer", "2026-01-06"))
    assert list(decision.counters) == [("referral:autumn", -100, None)]
    when = before.when(revoked("referrer", "2026-01-06"))
    when.then("100 points customer:points -> program:reversed of 3.1:100").lots()
    assert shown(when, "2026-01-07") == {
        "earned": 0,
        "referred": [{"customer": "c-2", "since": "2026-01-02T00:00:00Z", "status": "revoked", "points": 0}],
    }


SPENT = (*BROUGHT, rewarded("referrer", "2026-01-05"), redeemed("R-1", 70, "2026-01-06"))


@pytest.mark.parametrize(
    ("refunds", "taken", "lots"),
    [
        ("within_balance", ["30 points customer:points -> program:reversed of 3.1:30"], []),
        ("pending_only", [], ["3.1 30/100"]),
        (
            "allow_negative",
            [
                "30 points customer:points -> program:reversed of 3.1:30",
                "70 points customer:points:debt -> program:reversed opens 5.2",
            ],
            ["owes 5.2 70/70"],
        ),
    ],
)
def test_spent_points_are_taken_back_as_the_rules_for_refunds_say(refunds: str, taken: list[str], lots: list[str]):
    document = {**program(), "refunds": refunds}
    given(*SPENT, document=document).when(revoked("referrer", "2026-01-07")).then(*taken).lots(*lots)


def test_other_points_make_up_for_spent_ones():
    when = after(*SPENT, granted(50, "2026-01-06")).when(revoked("referrer", "2026-01-07"))
    when.then(
        "30 points customer:points -> program:reversed of 3.1:30",
        "50 points customer:points -> program:reversed of 5.1:50",
    )


def test_a_refund_dated_before_the_reward_takes_back_from_the_reward_on():
    when = after(*BROUGHT, rewarded("referrer", "2026-01-12")).when(
        revoked("referrer", "2026-01-06").late("2026-02-01")
    )
    when.then("100 points customer:points -> program:reversed of 3.1:100 on 2026-01-12").lots()


def test_a_loop_ends_the_referral_on_the_referred_customers_side():
    loop = revoked("referred", "2026-01-01", referred=CUSTOMER, reason="loop")
    when = after(JOINED, loop).when(purchase("SO-1", 100, "2026-01-05"))
    assert facts(when)[1:] == []
    assert shown(when, "2026-01-05")["referred_by"]["status"] == "revoked"
