"""Late events: their `time` lies before the latest instant recorded on the stream. Each row is a sentence of the design.

What a purchase would have done for a tier is not here: there are no tiers yet.
"""

from ledger.account import empty
from ledger.deciding import Command, Context, NeedsHistory, decide
from ledger.instants import parse
from tests.builders import (
    MemoryLedger,
    adjusted,
    at,
    clock_runs,
    delivered,
    earns,
    event,
    given_back,
    granted,
    line,
    published,
    purchase,
    redeemed,
    refunded,
    rules,
    signed_up,
)
from tests.given import given, table

MONTHLY = {"kind": "end_of_month", "n": 0}
MARCH = granted(50, "2026-03-10")
"""Lot 1.1, gone on 1 April under MONTHLY."""

SPENT = (purchase("SO-1", 8500, "2026-03-01"), redeemed("R-1", 85, "2026-03-02"))


def spent(amount, *parts, to="redeemed", more=""):
    return f"{amount} points customer:points -> program:{to} of {' '.join(parts)}{more}"


def reversed_expiry(amount, lot):
    return (
        "points.expiry_reversed",
        "2026-04-01",
        [f"{amount} points program:expired -> customer:points of {lot}:{amount}"],
    )


@table(
    (
        "a sender's record is never re-decided: what a refund had to drop stays dropped",
        lambda: (
            given(*SPENT, refunded("SO-1", 8500, "2026-03-05"))
            .when(granted(85, "2026-03-04"))
            .unit(("points.granted", "2026-03-04", ["85 points program:issued:goodwill -> customer:points opens 4.1"]))
            .lots("4.1 85/85")
        ),
    ),
    (
        "a sender's record is never re-decided: a later redemption keeps what it took",
        lambda: (
            given(granted(50, "2026-03-10"), redeemed("R-1", 50, "2026-03-12"))
            .when(redeemed("R-2", 50, "2026-03-11"))
            .refused("insufficient_points", available=0, requested=50)
            .nothing_changed()
        ),
    ),
    (
        "the late one is decided from the stream's records at its own time: what came after is not there yet",
        lambda: (
            given(granted(50, "2026-03-10"), granted(50, "2026-03-12"))
            .when(redeemed("R-1", 60, "2026-03-11"))
            .refused("insufficient_points", available=50, requested=60)
        ),
    ),
    (
        "the late one is decided at its own time: what was not available then cannot be spent",
        lambda: (
            given(
                purchase("SO-1", 8500, "2026-03-01"),
                granted(1, "2026-03-20"),
                availability={"kind": "after_days", "days": 14},
            )
            .when(redeemed("R-1", 1, "2026-03-10"))
            .refused("insufficient_points", available=0)
        ),
    ),
    (
        "the late one is decided at its own time: by the rules of that time",
        lambda: (
            given(
                published(rules(earns("2"), effective_from="2026-03-02T00:00:00Z"), "2026-03-02"),
                granted(1, "2026-03-03"),
            )
            .when(purchase("SO-1", 1000, "2026-03-01"))
            .then("10 points program:issued:purchase -> customer:points opens 2.1 by base")
        ),
    ),
    (
        "what it takes must have been free from then until now: of what was spent since, only the rest",
        lambda: (
            given(granted(50, "2026-03-10"), redeemed("R-1", 20, "2026-03-12"))
            .when(redeemed("R-2", 30, "2026-03-11"))
            .then(spent(30, "1.1:30"))
            .lots()
        ),
    ),
    (
        "what it takes must have been free from then until now: given back since is not free in between",
        lambda: (
            given(granted(50, "2026-03-10"), redeemed("R-1", 50, "2026-03-12"), given_back("R-1", "2026-03-13"))
            .when(redeemed("R-2", 1, "2026-03-11"))
            .refused("insufficient_points", available=0)
        ),
    ),
    (
        "what it takes must have been free from then until now: given back before is",
        lambda: (
            given(granted(50, "2026-03-10"), redeemed("R-1", 50, "2026-03-11"), given_back("R-1", "2026-03-12"))
            .when(redeemed("R-2", 50, "2026-03-12"))
            .then(spent(50, "1.1:50"))
        ),
    ),
    (
        "a lot that since then only expired counts as free",
        lambda: (
            given(MARCH, clock_runs("2026-04-05"), expiry=MONTHLY)
            .when(redeemed("R-1", 50, "2026-03-31"))
            .unit(reversed_expiry(50, "1.1"), ("points.redeemed", "2026-03-31", [spent(50, "1.1:50")]))
            .lots()
            .seen("2026-03-30", points=50)
            .seen("2026-03-31", points=0)
            .seen("2026-04-01", points=0)
        ),
    ),
    (
        "a lot that since then was partly spent and expired counts with what expired",
        lambda: (
            given(MARCH, redeemed("R-1", 20, "2026-03-20"), clock_runs("2026-04-05"), expiry=MONTHLY)
            .when(redeemed("R-2", 31, "2026-03-15"))
            .refused("insufficient_points", available=30)
        ),
    ),
    (
        "it had expired at the event's time: then it is not free",
        lambda: (
            given(MARCH, granted(1, "2026-04-10"), expiry=MONTHLY)
            .when(redeemed("R-1", 50, "2026-04-01"))
            .refused("insufficient_points", available=0)
        ),
    ),
    (
        "a redemption of 31 March that arrives after its lot expired writes points.expiry_reversed for exactly what it needs",
        lambda: (
            given(MARCH, granted(7, "2026-03-11"), clock_runs("2026-04-05"), expiry=MONTHLY)
            .when(redeemed("R-1", 20, "2026-03-31"))
            .unit(reversed_expiry(20, "1.1"), ("points.redeemed", "2026-03-31", [spent(20, "1.1:20")]))
        ),
    ),
    (
        "and a second one what is left",
        lambda: (
            given(MARCH, clock_runs("2026-04-05"), redeemed("R-1", 20, "2026-03-31"), expiry=MONTHLY)
            .when(redeemed("R-2", 30, "2026-03-31"))
            .unit(reversed_expiry(30, "1.1"), ("points.redeemed", "2026-03-31", [spent(30, "1.1:30")]))
        ),
    ),
    (
        "what the clock wrote and its arrival makes untrue is corrected in its own unit, naming both",
        lambda: names_both(
            given(MARCH, clock_runs("2026-04-05"), expiry=MONTHLY).when(redeemed("R-1", 20, "2026-03-31"))
        ),
    ),
    (
        "where the clock has not run there is nothing to correct",
        lambda: (
            given(MARCH, expiry=MONTHLY)
            .when(redeemed("R-1", 20, "2026-03-31").late("2026-04-05"))
            .unit(("points.redeemed", "2026-03-31", [spent(20, "1.1:20")]))
        ),
    ),
    (
        "a redemption that is not wholly free is refused",
        lambda: (
            given(MARCH, redeemed("R-1", 1, "2026-03-20"))
            .when(redeemed("R-2", 50, "2026-03-15"))
            .refused("insufficient_points", available=49, requested=50)
            .nothing_changed()
        ),
    ),
    (
        "so is a negative adjustment",
        lambda: (
            given(MARCH, redeemed("R-1", 1, "2026-03-20"))
            .when(adjusted(-50, "2026-03-15"))
            .refused("insufficient_points", available=49, requested=50)
        ),
    ),
    (
        "caps count by time in order of arrival",
        lambda: (
            given(
                purchase("SO-1", 7000, "2026-03-01T10:00"),
                purchase("SO-2", 7000, "2026-03-02"),
                document=rules(earns(cap_per_day=100)),
            )
            .when(purchase("SO-3", 7000, "2026-03-01T09:00"))
            .then("30 points program:issued:purchase -> customer:points opens 3.1 by base")
        ),
    ),
)
def test_a_late_event(scenario):
    """Planted: free now taken for free since then (a reversal's points can be spent before they came back); the whole
    expired amount reversed instead of what is needed."""
    scenario()


@table(
    (
        "a clawback takes at its time what was free from then until now",
        lambda: (
            given(*SPENT, granted(50, "2026-03-03"), redeemed("R-2", 20, "2026-03-08"))
            .when(refunded("SO-1", 3000, "2026-03-04"))
            .then(spent(30, "3.1:30", to="reversed"))
            .seen("2026-03-04", points=20)
        ),
    ),
    (
        "the rest from lots open now, at recorded_at",
        lambda: (
            given(*SPENT, granted(50, "2026-03-03"), redeemed("R-2", 20, "2026-03-08"), granted(100, "2026-03-09"))
            .when(refunded("SO-1", 8500, "2026-03-04").late("2026-03-12"))
            .then(spent(30, "3.1:30", to="reversed"), spent(55, "5.1:55", to="reversed", more=" on 2026-03-12"))
            .seen("2026-03-11", points=100)
            .seen("2026-03-12", points=45)
        ),
    ),
    (
        "the rest from a lot that was not wholly free since, at recorded_at",
        lambda: (
            given(*SPENT, MARCH, redeemed("R-2", 50, "2026-03-12"), given_back("R-2", "2026-03-13"))
            .when(refunded("SO-1", 4000, "2026-03-11").late("2026-03-20"))
            .then(spent(40, "3.1:40", to="reversed", more=" on 2026-03-20"))
        ),
    ),
    (
        "lots open now: not those that expired meanwhile, written or not",
        lambda: (
            given(*SPENT, granted(50, "2026-03-06"), document=rules(expiry=MONTHLY))
            .when(refunded("SO-1", 4000, "2026-03-05").late("2026-04-02"))
            .then()
            .derived(business_day="2026-03-05")
        ),
    ),
    (
        "only what is left then is dropped (within_balance)",
        lambda: dropped(
            given(*SPENT, granted(50, "2026-03-06")).when(refunded("SO-1", 8500, "2026-03-04").late("2026-03-12")), 35
        ),
    ),
    (
        "or becomes a debt (allow_negative)",
        lambda: (
            given(*SPENT, granted(50, "2026-03-06"), refunds="allow_negative")
            .when(refunded("SO-1", 8500, "2026-03-04").late("2026-03-12"))
            .then(
                spent(50, "3.1:50", to="reversed", more=" on 2026-03-12"),
                "35 points customer:points:debt -> program:reversed opens 4.2",
            )
            .seen("2026-03-04", points=-35, owed=35)
            .seen("2026-03-12", points=-35, owed=35)
        ),
    ),
    (
        "pending_only takes the order's own points that wait now, wherever a delivery has moved them",
        lambda: (
            given(
                purchase("SO-1", 8500, "2026-03-01"),
                delivered("SO-1", "2026-03-05"),
                refunds="pending_only",
                availability={"kind": "after_delivery", "days": 14},
            )
            .when(refunded("SO-1", 8500, "2026-03-04").late("2026-03-12"))
            .then(spent(85, "2.1:85", to="reversed", more=" on 2026-03-12"))
        ),
    ),
    (
        "an expiry it makes untrue is reversed for it too",
        lambda: (
            given(purchase("SO-1", 8500, "2026-03-10"), clock_runs("2026-04-05"), expiry=MONTHLY)
            .when(refunded("SO-1", 4000, "2026-03-20"))
            .unit(reversed_expiry(40, "1.1"), ("purchase.refunded", "2026-03-20", [spent(40, "1.1:40", to="reversed")]))
        ),
    ),
    (
        "two takings from one expired lot reverse its expiry once",
        lambda: (
            given(
                purchase("SO-1", 1000, "2026-03-01"),
                redeemed("R", 10, "2026-03-02"),
                clock_runs("2026-04-05"),
                document=rules(earns(), earns(id="more"), expiry=MONTHLY),
            )
            .when(refunded("SO-1", 500, "2026-03-20"))
            .unit(
                reversed_expiry(10, "1.2"),
                (
                    "purchase.refunded",
                    "2026-03-20",
                    [spent(5, "1.2:5", to="reversed"), spent(5, "1.2:5", to="reversed")],
                ),
            )
        ),
    ),
    (
        "a refund dated before its purchase takes at the purchase's time",
        lambda: (
            given(purchase("SO-1", 8500, "2026-03-10"))
            .when(refunded("SO-1", 8500, "2026-03-09"))
            .then(spent(85, "1.1:85", to="reversed", more=" on 2026-03-10"))
        ),
    ),
)
def test_a_late_clawback(scenario):
    """Planted: lots open now left out; the rest taken at the event's time though the lot was not free all along."""
    scenario()


def names_both(when):
    corrected = when.records[0]
    assert corrected.data == {"expired_in": 2}
    assert corrected.cause == {"source": when.own.source, "id": when.own.id}


def dropped(when, points):
    assert when.own.derived["orders"][0]["clawback"][0]["dropped"] == points


HEAD = (purchase("SO-1", 1000, "2026-03-02T12:00"), granted(5, "2026-03-02T13:00"))


@table(
    ("a grant", lambda: needs_history(granted(1, "2026-03-02"), asks=False)),
    ("a purchase of the head's day", lambda: needs_history(purchase("SO-2", 100, "2026-03-02"), asks=False)),
    (
        "a purchase of another day, capped by the day",
        lambda: needs_history(purchase("SO-2", 100, "2026-03-01"), asks=True),
    ),
    ("a sign-up", lambda: needs_history(signed_up("2026-03-01"), asks=False)),
    ("an adjustment upwards", lambda: needs_history(adjusted(1, "2026-03-02"), asks=False)),
    ("a redemption", lambda: needs_history(redeemed("R", 1, "2026-03-02T12:30"), asks=True)),
    ("an adjustment downwards", lambda: needs_history(adjusted(-1, "2026-03-02T12:30"), asks=True)),
    ("a redemption that is not late", lambda: needs_history(redeemed("R", 1, "2026-03-02T13:00"), asks=False)),
)
def test_a_late_event_that_only_adds_is_decided_on_the_head(scenario):
    """Planted: every late event asks for the stream's history."""
    scenario()


def needs_history(late, *, asks):
    ledger = given(*HEAD, document=rules(earns(cap_per_day=100))).ledger
    command = Command("/till", "late", late.type, "c-1", late.time, late.data, "till-1")
    try:
        decide(ledger.account, command, Context("shop", ledger.now, ledger.program))
    except NeedsHistory:
        assert asks
    else:
        assert not asks


def test_an_event_on_an_empty_stream_is_never_late():
    ledger = MemoryLedger(rules())
    posted = event("points.granted", at("1971-01-01"), points=5, reason="goodwill")
    command = Command("/till", "first", posted.type, "c-1", posted.time, posted.data, "till-1")
    decision = decide(empty(), command, Context("shop", parse("2026-01-01T00:00:00Z"), ledger.program))
    assert decision.account.latest == at("1971-01-01")


def test_a_late_purchase_is_matched_by_returns_from_then_on():
    given(
        granted(1, "2026-03-09"),
        purchase("SO-1", 1000, "2026-03-01", lines=[line(1, 1000, sku="TEA")]),
    ).when(refunded("SO-1", 1000, "2026-03-02")).then(spent(10, "2.1:10", to="reversed"))
