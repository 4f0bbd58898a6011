"""Every no, in the order in which a posted event is checked.

Each row repairs one fault of the row above it, so a table proves which fault is named first; the last row is recorded.
"""

from copy import deepcopy
from dataclasses import replace

import pytest

from ledger.errors import LedgerError, Refused
from ledger.events import SHAPES
from ledger.instants import MINUTE, parse
from tests.builders import (
    MemoryLedger,
    clock_runs,
    earns,
    event,
    given_back,
    granted,
    held,
    line,
    load_refunded,
    loaded,
    opened,
    purchase,
    redeemed,
    refunded,
    registered,
    released,
    returned,
    rules,
)
from tests.decisions.refusals_of_membership import HELD_BEFORE, HELD_TABLES
from tests.decisions.refusals_of_openings import OPENED_BEFORE, OPENING_TABLES
from tests.decisions.refusals_of_standing import STANDING_TABLES
from tests.decisions.refusals_of_tiers import BLOCKS, TIER_TABLES
from tests.given import code_of, given, run

NOW = "2026-06-01T12:00"
FAR_AHEAD = parse("2026-06-01T12:00:00Z") + 6 * MINUTE
TOO_OLD = "2026-01-10T00:00"
DOCUMENT = rules(program={"currencies": ["CNY"]}, expiry={"kind": "end_of_month", "n": 12}, **BLOCKS)
BEFORE = (
    purchase("SO-1", 8500, "2026-03-01", lines=[line(1, 8500, sku="TEA", quantity=2)]),
    redeemed("R-1", 50, "2026-03-02"),
    loaded("L-1", 1000, 200, "2026-03-03"),
    *OPENED_BEFORE,
    *HELD_BEFORE,
    granted(5, "2026-03-04"),
    held("H-0", 5, "2026-03-04", "2026-04-01"),
    released("H-0", "2026-03-05"),
    held("H-1", 5, "2026-03-06", "2026-09-01"),
    clock_runs(NOW),
)

# An event with all the faults there are; each step repairs one: (the code it is refused with, what is repaired then).
REFUND = [
    ("lines_do_not_add_up", {"amount": 9002}),
    ("malformed", {"lines": [{"line": 7, "quantity": 3, "amount": 9002}]}),
    ("time_in_future", {"time": TOO_OLD}),
    ("forbidden", {"time": "2026-05-01"}),
    ("purchase_unknown", {"order_id": "SO-1"}),
    ("line_unknown", {"lines": [{"line": 1, "quantity": 3, "amount": 9002}]}),
    ("refund_exceeds_purchase", {"amount": 8500, "lines": [{"line": 1, "quantity": 3, "amount": 8500}]}),
    ("refund_exceeds_purchase", {"lines": [{"line": 1, "quantity": 2, "amount": 8500}]}),
    ("recorded", {}),
]
TABLES = (
    HELD_TABLES
    | TIER_TABLES
    | STANDING_TABLES
    | OPENING_TABLES
    | {
        "purchase.refunded": (
            event(
                "purchase.refunded",
                FAR_AHEAD,
                refund_id="RF-1",
                order_id="SO-9",
                amount=1,
                lines=[{"line": 7, "quantity": 3, "amount": 4501}, {"line": 7, "quantity": 3, "amount": 4501}],
            ),
            REFUND,
        ),
        "purchase.recorded": (
            event(
                "purchase.recorded",
                FAR_AHEAD,
                order_id="SO-2",
                currency="JPY",
                total=100,
                surprise=1,
                lines=[line(1, 50), line(1, 60)],
                tenders=[{"kind": "points", "amount": 90}],
            ),
            [
                ("malformed", {"surprise": None}),
                ("lines_do_not_add_up", {"total": 110}),
                ("malformed", {"lines": [line(1, 50), line(2, 60)]}),
                ("tenders_do_not_add_up", {"tenders": [{"kind": "coupon", "amount": 110}]}),
                ("tender_needs_reference", {"tenders": [{"kind": "points", "amount": 110}]}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("currency_not_accepted", {"currency": "CNY"}),
                ("tender_not_payable", {"tenders": [{"kind": "card", "amount": 110}]}),
                ("recorded", {}),
            ],
        ),
        "purchase.returned": (
            event(
                "purchase.returned",
                FAR_AHEAD,
                return_id="RT-1",
                currency="JPY",
                amount=9,
                lines=[{"sku": "TEA", "quantity": "0.0001", "amount": 10}],
                match="latest",
            ),
            [
                ("malformed", {"lines": [{"sku": "TEA", "quantity": "0.001", "amount": 10}]}),
                ("lines_do_not_add_up", {"amount": 10}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("currency_not_accepted", {"currency": "CNY"}),
                ("recorded", {}),
            ],
        ),
        "order.delivered": (
            event(
                "order.delivered",
                FAR_AHEAD,
                order_id="SO-9",
                lines=[{"line": 7, "quantity": 1}, {"line": 7, "quantity": 1}],
            ),
            [
                ("malformed", {"lines": [{"line": 7, "quantity": 1}]}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("purchase_unknown", {"order_id": "SO-1"}),
                ("line_unknown", {"lines": [{"line": 1, "quantity": 1}]}),
                ("recorded", {}),
            ],
        ),
        "points.granted": (
            event("points.granted", FAR_AHEAD, points=0, reason="because", expires_at="2026-01-01T00:00:00Z"),
            [
                ("malformed", {"points": 5}),
                ("malformed", {"reason": "goodwill"}),
                ("expires_before_grant", {"expires_at": "2027-01-01T00:00:00Z"}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("recorded", {}),
            ],
        ),
        "points.redeemed": (
            event("points.redeemed", FAR_AHEAD, redemption_id="", points=10**6),
            [
                ("malformed", {"redemption_id": "R-2"}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("insufficient_points", {"points": 35}),
                ("recorded", {}),
            ],
        ),
        "points.redemption_reversed": (
            event("points.redemption_reversed", FAR_AHEAD, redemption_id="R-9", points=0),
            [
                ("malformed", {"points": 51}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-02-20", "may_backdate": True}),
                ("redemption_unknown", {"redemption_id": "R-1"}),
                ("reversal_before_redemption", {"time": "2026-05-01"}),
                ("reversal_exceeds_redemption", {"points": 50}),
                ("recorded", {}),
            ],
        ),
        "points.adjusted": (
            event("points.adjusted", FAR_AHEAD, points=0, reason="by hand"),
            [
                ("malformed", {"points": -36}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("insufficient_points", {"points": -35}),
                ("recorded", {}),
            ],
        ),
        "customer.signed_up": (
            event("customer.signed_up", FAR_AHEAD, campaign=""),
            [
                ("malformed", {"campaign": "spring"}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("recorded", {}),
            ],
        ),
        "hold.placed": (
            event("hold.placed", FAR_AHEAD, hold_id="H-2", asset="points", currency="CNY", amount=36, until="tomorrow"),
            [
                ("malformed", {"until": "2026-01-01T00:00:00Z"}),
                ("malformed", {"currency": None}),
                ("ends_before_it_begins", {"until": "2026-09-01T00:00:00Z"}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("insufficient_points", {"amount": 35}),
                ("recorded", {}),
            ],
        ),
        "hold.captured": (
            event("hold.captured", FAR_AHEAD, hold_id="H-9", amount=0),
            [
                ("malformed", {"amount": 6}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("hold_unknown", {"hold_id": "H-0"}),
                ("hold_ended", {"hold_id": "H-1"}),
                ("capture_exceeds_hold", {"amount": 5}),
                ("recorded", {}),
            ],
        ),
        "hold.released": (
            event("hold.released", FAR_AHEAD, hold_id=""),
            [
                ("malformed", {"hold_id": "H-9"}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("hold_unknown", {"hold_id": "H-0"}),
                ("hold_ended", {"hold_id": "H-1"}),
                ("recorded", {}),
            ],
        ),
        "stored_value.loaded": (
            event(
                "stored_value.loaded",
                FAR_AHEAD,
                load_id="L-2",
                currency="JPY",
                principal=0,
                payment_reference="wx-2",
                bonus_expires_at="2026-01-01T00:00:00Z",
            ),
            [
                ("malformed", {"principal": 1000}),
                ("malformed", {"bonus": 200}),
                ("expires_before_grant", {"bonus_expires_at": "2027-01-01T00:00:00Z"}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("currency_not_accepted", {"currency": "CNY"}),
                ("recorded", {}),
            ],
        ),
        "stored_value.spent": (
            event("stored_value.spent", FAR_AHEAD, spend_id="S-1", currency="CNY", amount=0),
            [
                ("malformed", {"amount": 1201}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("insufficient_stored_value", {"amount": 1200}),
                ("recorded", {}),
            ],
        ),
        "stored_value.refunded": (
            event("stored_value.refunded", FAR_AHEAD, refund_id="LR-1", load_id="L-9", currency="CNY", amount=1001),
            [
                ("malformed", {"currency": None}),
                ("time_in_future", {"time": TOO_OLD}),
                ("forbidden", {"time": "2026-05-01"}),
                ("load_unknown", {"load_id": "L-1"}),
                ("refund_exceeds_principal", {"amount": 1000}),
                ("recorded", {}),
            ],
        ),
        "place.registered": (
            event("place.registered", FAR_AHEAD, store="SZ-1", brand="red", entity="", effective_from="2026-01-01"),
            [
                ("malformed", {"entity": "E"}),
                ("malformed", {"effective_from": "2026-01-01T00:00:00Z"}),
                ("time_in_future", {"time": NOW}),
                ("recorded", {}),
            ],
        ),
    }
)
ROWS = [
    pytest.param(event_type, number, id=f"{event_type} {number} {code}")
    for event_type, (_, steps) in TABLES.items()
    for number, (code, _) in enumerate(steps)
]


@pytest.mark.parametrize(("event_type", "number"), ROWS)
def test_each_fault_repaired_shows_the_next_one(event_type, number):
    """Planted: the balance looked at before the rights; the line before the order."""
    posted, steps = TABLES[event_type]
    posted = replace(posted, arrives=parse("2026-06-01T12:00:00Z"), may_backdate=False)
    for _, repairs in steps[:number]:
        posted = repaired(posted, repairs)
    before = given(*BEFORE, document=DOCUMENT)
    found = before.when(posted)
    code = steps[number][0]
    if code == "recorded":
        assert found.error is None
    else:
        found.refused(code).nothing_changed()


def test_every_type_a_sender_may_post_has_its_table():
    assert set(TABLES) == set(SHAPES)


def repaired(posted, repairs):
    repairs = deepcopy(repairs)
    time = repairs.pop("time", None)
    may_backdate = repairs.pop("may_backdate", posted.may_backdate)
    data = {name: value for name, value in {**posted.data, **repairs}.items() if value is not None}
    time = posted.time if time is None else event("any", time).time
    return replace(posted, time=time, may_backdate=may_backdate, data=data)


@pytest.mark.parametrize(
    ("posted", "retryable", "waits_for"),
    [
        (refunded("SO-9", 1, NOW), True, "purchase:shop:SO-9"),
        (event("order.delivered", NOW, order_id="SO-9"), True, "purchase:shop:SO-9"),
        (given_back("R-9", NOW), True, "redemption:R-9"),
        (load_refunded("LR-1", NOW, load="L-9"), True, "load:L-9"),
        (released("H-9", NOW), True, "hold:H-9"),
        (released("H-0", NOW), False, None),
        (refunded("SO-1", 8501, NOW), False, None),
        (redeemed("R-2", 10**6, NOW), False, None),
        (given_back("R-1", NOW, 51), False, None),
    ],
    ids=lambda value: getattr(value, "type", ""),
)
def test_a_no_is_final_or_waits_for_a_business_key(posted, retryable, waits_for):
    """Planted: a refusal that spends the key of a refund which came before its purchase."""
    error = given(*BEFORE, document=DOCUMENT).when(posted).error
    assert isinstance(error, Refused)
    assert (error.retryable, error.waits_for) == (retryable, waits_for)


def test_what_was_waited_for_has_that_business_key():
    ledger = MemoryLedger(DOCUMENT)
    for step in BEFORE:
        run(ledger, step)
    with pytest.raises(LedgerError) as refused:
        ledger.post(refunded("SO-2", 1, NOW))
    arrived = ledger.post(purchase("SO-2", 100, "2026-05-01"))
    assert arrived.records[-1].reference == refused.value.waits_for
    assert code_of(refused.value) == "purchase_unknown"
    ledger.post(refunded("SO-2", 1, NOW))


MOST = 2**53 - 1


@pytest.mark.parametrize(
    ("before", "posted"),
    [
        ([granted(MOST, "2026-03-01")], granted(1, "2026-03-02")),
        ([purchase("SO-1", MOST, "2026-03-01")], purchase("SO-2", 1, "2026-03-02")),
        ([], purchase("SO-1", MOST, "2026-03-01")),
        ([returned(("A", 1, MOST), time="2026-03-01")], returned(("A", 1, 1), time="2026-03-02")),
        (
            [opened("2026-03-01", history={"orders": MOST})],
            opened("2026-03-02", history={"orders": 1}, system="older"),
        ),
    ],
    ids=["balance", "money", "points by a rule", "money returned", "orders"],
)
def test_what_would_not_be_exact_in_every_reader_is_refused(before, posted):
    """Planted: no bound; beyond 2^64 the bytes could not be written at all, and the writer would fall over it."""
    exact = rules(earns("200") if posted.data.get("order_id") == "SO-1" else earns())
    found = given(*before, document=exact).when(posted)
    found.refused("limit_reached", limit=MOST).nothing_changed()


def test_a_refused_event_leaves_room_for_the_next():
    given(granted(5, "2026-03-01")).when(redeemed("R", 6, "2026-03-02")).refused(
        "insufficient_points"
    ).nothing_changed()
    given(granted(5, "2026-03-01"), registered("S", "red", "2026-01-01T00:00:00Z", "2026-03-01")).when(
        redeemed("R", 5, "2026-03-02")
    ).lots()
