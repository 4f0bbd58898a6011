"""`points.adjusted` by an order to correct: every row is a history with the mistake, and what the order makes of it."""

from dataclasses import replace
from fractions import Fraction

import pytest

from ledger.corrections import ordered, read_order
from ledger.deciding import Command, decide
from ledger.deciding.correcting import adjustment
from ledger.errors import LedgerError
from tests.builders import (
    CUSTOMER,
    PROGRAM,
    Event,
    MemoryLedger,
    _with_history,
    at,
    delivered,
    earns,
    given_back,
    granted,
    line,
    opened,
    published,
    purchase,
    redeemed,
    refunded,
    rules,
    signed_up,
)
from tests.given import code_of, lots_of, postings_of
from tests.properties.invariants import check_records

RIGHT, WRONG = rules(earns("10")), rules(earns("100"))
WINDOW = {"from": "2026-01-05T10:00:00Z", "until": "2026-01-05T13:00:00Z"}
IN_IT, AFTER, ORDERED = "2026-01-05T11:00", "2026-01-06", "2026-01-10"
UNTIL = "until 2027-02-01"
EXPIRY = {"kind": "end_of_month", "n": 12}
BOUGHT = purchase("SO-1", 10_00, IN_IT)


def ledger_of(*steps: Event, document=WRONG) -> MemoryLedger:
    ledger = MemoryLedger({"expiry": EXPIRY, **document})
    for step in steps:
        ledger.post(step)
    return ledger


def order(ledger: MemoryLedger, number="O-1", time=ORDERED, **content) -> None:
    """Have an order on the program's stream; by default a tenth of everything given within the window."""
    content = {**WINDOW, "reason": "a hundred for ten", **content}
    if "as_rules" not in content:
        content.setdefault("factor", "1/10")
    ledger.post(replace(Event("correction.ordered", at(time), {"order": content}), id=number))


def correct(ledger: MemoryLedger, number="O-1"):
    """What the order brings about for the customer."""
    command = adjustment(ledger.program.corrections[number], CUSTOMER)
    decision = _with_history(
        lambda context: decide(ledger.account, command, context), ledger._context(), ledger.records
    )
    ledger._stamp(decision.records, ledger.records)
    ledger.keep(decision)
    check_records(ledger.records)
    return ledger.records[-1]


def corrected(*steps: Event, document=WRONG, **content):
    ledger = ledger_of(*steps, document=document)
    order(ledger, **content)
    return ledger, correct(ledger)


def summary(record, *names):
    return [tuple(part[name] for name in names) for part in record.derived["corrected"]]


def test_the_very_lot_gives_back_what_was_too_much_and_others_stay():
    """Planted: taken in order of consumption; the older lot paid."""
    ledger, record = corrected(granted(50, "2026-01-01"), BOUGHT)
    assert postings_of(record) == ["900 points customer:points -> program:adjusted of 2.1:900"]
    assert lots_of(ledger) == [f"1.1 50/50 {UNTIL}", f"2.1 100/1000 {UNTIL}"]
    assert record.cause == {"source": "/till", "id": "O-1"}
    assert record.data == {"correction": "O-1", "reason": "a hundred for ten"}


SPENT = (BOUGHT, redeemed("R-1", 400, AFTER))


@pytest.mark.parametrize(
    ("spent", "more", "balance", "own", "others", "dropped", "debt"),
    [
        ("within_balance", (), 0, 600, 0, 300, 0),
        ("allow_negative", (), -300, 600, 0, 0, 300),
        ("pending_only", (), 600, 0, 0, 900, 0),
        ("within_balance", (granted(200, AFTER),), 0, 600, 200, 100, 0),
        ("allow_negative", (granted(200, AFTER),), -100, 600, 200, 0, 100),
        ("within_balance", (granted(500, AFTER),), 200, 600, 300, 0, 0),
    ],
)
def test_what_is_spent_goes_by_the_setting(spent, more, balance, own, others, dropped, debt):
    """Planted: others looked at under `pending_only` too."""
    _, record = corrected(*SPENT, *more, spent=spent)
    assert record.balances["points"] == balance
    assert summary(record, "due", "own", "others", "dropped", "debt") == [(900, own, others, dropped, debt)]


def test_no_wrong_lot_pays_for_another():
    """Planted: each gift settled before the next was looked at; 2.1 paid what was spent of 1.1."""
    _, record = corrected(BOUGHT, redeemed("R-1", 400, IN_IT), purchase("SO-2", 10_00, IN_IT), granted(500, AFTER))
    assert summary(record, "lot", "own", "others", "dropped") == [("1.1", 600, 300, 0), ("3.1", 900, 0, 0)]
    assert record.balances["points"] == 0 + 500 - 200


def test_the_rules_of_the_program_say_what_becomes_of_spent_points_where_the_order_does_not():
    ledger = ledger_of(*SPENT, document={**WRONG, "refunds": "allow_negative"})
    order(ledger)
    assert ledger.program.corrections["O-1"].content["spent"] == "allow_negative"
    assert correct(ledger).balances == {"points": -300, "points:debt": 300}


def test_an_order_again_changes_nothing():
    """Planted: the second order counted from what the first had made of it."""
    ledger, _ = corrected(BOUGHT)
    order(ledger, "O-2", "2026-01-11")
    assert correct(ledger, "O-2").derived == {"corrected": []}
    assert ledger.account.balances() == {"points": 100}


def test_a_second_order_counts_from_what_was_issued():
    ledger, _ = corrected(BOUGHT)
    order(ledger, "O-2", "2026-01-11", factor="1/5")
    record = correct(ledger, "O-2")
    assert postings_of(record) == [f"100 points program:adjusted -> customer:points opens 3.1 {UNTIL} by base"]
    order(ledger, "O-3", "2026-01-12", factor="0.05")
    assert postings_of(correct(ledger, "O-3")) == [
        "50 points customer:points -> program:adjusted of 1.1:50",
        "100 points customer:points -> program:adjusted of 3.1:100",
    ]


def test_too_few_points_come_in_a_lot_with_the_dates_of_the_one_they_complete():
    """Planted: dated by the order; the lot outlived the one it completes by a month."""
    ledger, record = corrected(
        purchase("SO-1", 10_00, IN_IT), document=rules(earns("1")), factor="10", time="2026-02-10"
    )
    assert postings_of(record) == [f"90 points program:adjusted -> customer:points opens 2.1 {UNTIL} by base"]
    lots = ledger.account.lots
    assert (lots["1.1"].granted_at, lots["1.1"].reason) == (lots["2.1"].granted_at, lots["2.1"].reason)


def test_what_would_be_gone_by_now_is_not_given():
    brief = {**rules(earns("1")), "expiry": {"kind": "after_days", "n": 2}}
    _, record = corrected(purchase("SO-1", 10_00, IN_IT), document=brief, factor="10")
    assert summary(record, "given", "expired") == [(0, 90)]
    assert record.postings == ()


def test_what_expired_counts_as_taken_back():
    brief = {**WRONG, "expiry": {"kind": "after_days", "n": 2}}
    _, record = corrected(BOUGHT, document=brief)
    assert summary(record, "due", "own", "expired", "dropped") == [(900, 0, 900, 0)]


@pytest.mark.parametrize("parts", [(10_00,), (3_33, 6_67), (1, 9_99)])
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("factor", ["1/10", "0", "3", "1/7"])
def test_refunds_before_and_after_leave_nothing(parts, before, factor):
    """A full refund in any parts, some before and some after: nothing left. Planted: `due` kept as it was."""
    refunds = [
        refunded("SO-1", amount, f"2026-01-{number + (8 if number < before else 20):02d}", refund=f"RF-{number}")
        for number, amount in enumerate(parts)
    ]
    ledger, _ = corrected(BOUGHT, *refunds[:before], factor=factor)
    right = 1000 * Fraction(factor) // 1
    assert ledger.account.balances() == {"points": right - right * sum(parts[:before]) // 10_00}
    for refund in refunds[before:]:
        ledger.post(refund)
    check_records(ledger.records)
    assert ledger.account.balances() == {"points": 0}


def test_an_earning_that_waits_for_its_delivery_is_settled_by_it():
    """Too much and too little, each delivered afterwards: all of what is right can be spent."""
    waiting = {"availability": {"kind": "after_delivery", "days": 0}}
    lines = [line(1, 4_00), line(2, 6_00)]
    bought = purchase("SO-1", 10_00, IN_IT, lines=lines)
    for factor, right in (("1/10", 100), ("2", 2000)):
        ledger, _ = corrected(bought, delivered("SO-1", AFTER, {1: 1}), document={**WRONG, **waiting}, factor=factor)
        ledger.post(delivered("SO-1", "2026-01-15", {2: 1}))
        lots = ledger.account.lots.values()
        assert sum(lot.remaining for lot in lots) == right
        assert {lot.available_at <= ledger.now for lot in lots} == {True}


def test_as_other_rules_would_have_decided():
    """Two versions; each purchase decided again under the first, lines, tenders and rounding included."""
    mistaken = rules(earns("100", rounding="half_up"), {"id": "signup", "on": "customer.signed_up", "points": 500})
    right = rules(earns("10", rounding="half_up"), {"id": "signup", "on": "customer.signed_up", "points": 50})
    ledger = ledger_of(document=right)
    ledger.post(published({**mistaken, "expiry": EXPIRY}, "2026-01-05T10:00"))
    ledger.post(signed_up(IN_IT))
    ledger.post(purchase("SO-1", 10_05, IN_IT, lines=[line(1, 1_05), line(2, 9_00, earns=False)]))
    order(ledger, as_rules=1)
    record = correct(ledger)
    assert summary(record, "lot", "was", "right") == [("1.1", 500, 50), ("2.1", 105, 11)]
    assert ledger.account.balances() == {"points": 61}


def test_a_rule_that_was_missing_is_given_and_refunded_like_any_other():
    """Planted: the missing gift given again by the next order."""
    both = rules(earns("1"), earns("1", id="more"))
    ledger = ledger_of(document=both)
    ledger.post(published({**rules(earns("1")), "expiry": EXPIRY}, "2026-01-05T10:00"))
    ledger.post(BOUGHT)
    for number in ("O-1", "O-2"):
        order(ledger, number, as_rules=1)
        correct(ledger, number)
        assert ledger.account.balances() == {"points": 20}
    ledger.post(refunded("SO-1", 10_00, "2026-01-20"))
    assert ledger.account.balances() == {"points": 0}


def test_a_cap_for_a_day_is_looked_at_as_it_would_have_been():
    """At a hundred the first purchase used the cap up. Planted: the account's own count of the day."""
    capped = rules(earns("100", cap_per_day=1000))
    ledger = ledger_of(document=rules(earns("10", cap_per_day=1000)))
    ledger.post(published({**capped, "expiry": EXPIRY}, "2026-01-05T10:00"))
    for number in ("1", "2"):
        ledger.post(purchase(f"SO-{number}", 20_00, IN_IT))
    assert ledger.account.balances() == {"points": 1000}
    order(ledger, as_rules=1)
    assert summary(correct(ledger), "right", "own", "given") == [(200, 800, 0), (200, 0, 200)]
    assert ledger.account.balances() == {"points": 400}


def test_a_budget_is_given_back_what_was_too_much():
    ledger = ledger_of(BOUGHT, document=rules(earns("100", budget=5000)))
    order(ledger)
    assert correct(ledger).derived["counters"] == [["budget:base", -900]]


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        ({}, {"1.1", "2.1", "3.1"}),
        ({"types": ["points.granted"]}, {"2.1"}),
        ({"rule": "base"}, {"1.1", "3.1"}),
        ({"store": "SZ-1"}, {"3.1"}),
        ({"campaign": "spring"}, {"2.1"}),
        ({"source": "/other"}, set()),
        ({"rules": 1}, {"1.1", "2.1", "3.1"}),
        ({"from": "2026-01-05T11:30:00Z"}, {"3.1"}),
        ({"until": "2026-01-05T11:30:00Z"}, {"1.1", "2.1"}),
        ({"where": "event.data.total > 1000"}, {"3.1"}),
        ({"where": "event.data.place.store == 'SZ-1' && event.type == 'purchase.recorded'"}, {"3.1"}),
        ({"where": "event.data.points > 10"}, {"2.1"}),
    ],
)
def test_what_an_order_selects(selection, chosen):
    place = {"store": "SZ-1", "channel": "store"}
    _, record = corrected(
        BOUGHT,
        granted(50, IN_IT, campaign="spring"),
        purchase("SO-2", 20_00, "2026-01-05T11:30", place=place),
        purchase("SO-3", 30_00, "2026-01-05T13:00"),
        **selection,
    )
    assert {part["lot"] for part in record.derived["corrected"]} == chosen


def test_a_record_that_comes_after_the_order_is_left_for_the_next():
    ledger = ledger_of(BOUGHT)
    order(ledger)
    ledger.post(purchase("SO-2", 10_00, "2026-01-05T12:00").late("2026-01-11"))
    assert {part["lot"] for part in correct(ledger).derived["corrected"]} == {"1.1"}
    order(ledger, "O-2", "2026-01-12")
    assert {part["lot"] for part in correct(ledger, "O-2").derived["corrected"]} == {"2.1"}


def test_what_was_spent_since_the_order_is_not_taken_twice():
    """The adjustment is dated by its order and written later. Against: a balance below zero in between."""
    ledger = ledger_of(BOUGHT)
    order(ledger)
    ledger.post(redeemed("R-1", 950, "2026-01-11"))
    ledger.post(granted(500, "2026-01-12"))
    record = correct(ledger)
    assert summary(record, "own", "others", "dropped") == [(50, 500, 350)]


def test_a_reversal_after_the_correction_gives_back_to_the_lot():
    ledger, _ = corrected(*SPENT)
    ledger.post(given_back("R-1", "2026-01-20"))
    assert ledger.account.balances() == {"points": 400}


def test_an_opening_balance_is_set_right_too():
    lots = [{"asset": "points", "amount": 700, "granted_at": "2025-06-01T00:00:00Z", "reason": "earned"}]
    ledger, _ = corrected(opened(IN_IT, lots), types=["account.opened_from"])
    assert ledger.account.balances() == {"points": 70}


def refusal(do) -> str:
    with pytest.raises(LedgerError) as refused:
        do()
    return code_of(refused.value)


@pytest.mark.parametrize(
    ("fault", "pointer"),
    [
        ({"until": "2026-02-01T00:00:00Z"}, "/until"),
        ({"from": "2026-01-05T13:00:00Z"}, "/until"),
        ({"factor": "-1"}, "/factor"),
        ({"factor": "1/10", "as_rules": 1}, "/factor"),
        ({"as_rules": 2}, "/as_rules"),
        ({"rules": 2}, "/rules"),
        ({"as_rules": 1, "types": ["points.granted"]}, "/types"),
        ({"where": "account.version > 1"}, "/where"),
        ({"where": "event.data.nothing > 1"}, "/where"),
        ({"where": "event.data.points > 1", "as_rules": 1}, "/where"),
        ({"types": ["points.redeemed"]}, "/types/0"),
        ({"reason": ""}, "/reason"),
        ({"unknown": 1}, "/unknown"),
    ],
)
def test_an_order_that_is_malformed(fault, pointer):
    ledger = ledger_of(BOUGHT)
    with pytest.raises(LedgerError) as refused:
        order(ledger, **fault)
    assert [one["pointer"] for one in refused.value.errors] == [pointer]
    assert ledger.program.corrections == {}


def test_nobody_adjusts_in_the_name_of_an_order_that_is_not_there():
    ledger, _ = corrected(BOUGHT)
    known = ledger.program.corrections["O-1"]
    for wrong in (replace(adjustment(known, CUSTOMER), source="/till"), adjustment(known._replace(id="O-9"), CUSTOMER)):
        assert refusal(lambda wrong=wrong: _post(ledger, wrong)) == "approval_needed"


def _post(ledger: MemoryLedger, command: Command):
    return _with_history(lambda context: decide(ledger.account, command, context), ledger._context(), ledger.records)


def test_an_order_is_read_back_as_it_was_made():
    ledger, _ = corrected(BOUGHT)
    assert ordered(ledger.program_records[-1]) == ledger.program.corrections["O-1"]
    assert ledger.program_records[-1].subject == PROGRAM


@pytest.mark.parametrize("where", [None, "event.data.total > 1", "event.type == 'points.granted'"])
def test_what_is_kept_of_an_order_is_an_order_itself(where):
    """Planted: the types spelled out without asking for which of them the condition is known."""
    sent = {**WINDOW, "reason": "x", "factor": "0.10"} | ({} if where is None else {"where": where})
    kept = read_order(sent, versions=1, refunds="within_balance", now=at(ORDERED))
    assert read_order(kept, versions=1, refunds="allow_negative", now=at(ORDERED)) == kept
    assert kept["factor"] == "1/10"
