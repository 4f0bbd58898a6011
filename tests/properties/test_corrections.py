"""Any history with a mistake, corrected, comes to what the same history without it comes to."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.deciding import decide
from ledger.deciding.correcting import adjustment
from ledger.errors import Refused
from ledger.instants import MINUTE
from tests.builders import (
    CUSTOMER,
    Event,
    MemoryLedger,
    _with_history,
    at,
    earns,
    line,
    published,
    purchase,
    redeemed,
    refunded,
    rules,
    signed_up,
)
from tests.properties.invariants import check_records

BEGIN, OPENS, CLOSES, ORDERED = (at(f"2026-01-05T{hour}:00") for hour in ("08", "10", "13", "20"))
SIGN_UP = {"id": "signup", "on": "customer.signed_up"}

steps = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "refund", "redeem", "sign up"]),
        st.integers(0, 45),
        st.integers(1, 900),
        st.booleans(),
    ),
    min_size=1,
    max_size=14,
)
rates = st.sampled_from(["1", "10", "0.3", "7/3"])


def document(rate: str, signup: int) -> dict[str, Any]:
    rule = earns(rate, rounding="half_up")
    return rules(rule, {**SIGN_UP, "points": signup}, refunds="allow_negative", expiry={"kind": "never"})


def history(chosen: list[tuple[str, int, int, bool]]) -> list[Event]:
    """Events in order of time; a refund is of the order bought last, some of it or what is left, some of them late."""
    events, time, orders = list[Event](), BEGIN, dict[str, int]()
    for number, (what, gap, amount, late) in enumerate(chosen):
        time += gap * MINUTE
        if what == "sign up":
            event = signed_up(time)
        elif what == "refund" and orders:
            order = max(orders)
            part = min(amount, orders[order])
            orders[order] -= part
            event = refunded(order, part, time, refund=f"RF-{number}")
            if not orders[order]:
                del orders[order]
        elif what == "redeem":
            event = redeemed(f"R-{number}", amount, time)
        else:
            name = f"SO-{number:02d}"
            orders[name] = amount + 7
            event = purchase(name, amount + 7, time, lines=[line(1, amount), line(2, 7, sku="B")])
        events.append(event if not late else Event(event.type, time - 20 * MINUTE, event.data, arrives=time))
    return events


def live(first: dict[str, Any], wrong: dict[str, Any] | None, events: list[Event], skipped: set[int]) -> MemoryLedger:
    """A ledger after the history; `skipped` grows by what it refuses."""
    ledger = MemoryLedger(first)
    changes = [] if wrong is None else [published(wrong, OPENS), published(first, CLOSES)]
    for number, event in enumerate(events):
        while changes and changes[0].time <= max(event.time, event.arrives or 0):
            ledger.post(changes.pop(0))
        if number not in skipped:
            try:
                ledger.post(event)
            except Refused:
                skipped.add(number)
    for change in changes:
        ledger.post(change)
    return ledger


@settings(max_examples=150, deadline=None)
@given(steps, rates, rates, st.integers(1, 50), st.integers(1, 50))
def test_corrected_as_the_rules_would_have_decided(
    chosen: list[tuple[str, int, int, bool]], right: str, wrong: str, signup: int, wrong_signup: int
) -> None:
    """Nothing expires and debts are kept, so every point is accounted for. Planted: refunds before the correction not counted."""
    first, mistaken = document(right, signup), document(wrong, wrong_signup)
    events, skipped = history(chosen), set[int]()
    count = -1
    while count != len(skipped):  # what either refuses is posted to neither
        count = len(skipped)
        clean = live(first, None, events, skipped)
        ledger = live(first, mistaken, events, skipped)
    for number in ("O-1", "O-2"):
        order = {"from": "2026-01-05T10:00:00Z", "until": "2026-01-05T13:00:00Z", "as_rules": 1, "reason": "wrong"}
        ledger.post(Event("correction.ordered", ORDERED, {"order": order}, id=number))
        command = adjustment(ledger.program.corrections[number], CUSTOMER)
        decision = _with_history(
            lambda context, command=command: decide(ledger.account, command, context),
            ledger._context(),
            ledger.records,
        )
        ledger._stamp(decision.records, ledger.records)
        ledger.keep(decision)
        check_records(ledger.records)
        assert ledger.account.balances()["points"] == clean.account.balances()["points"]
