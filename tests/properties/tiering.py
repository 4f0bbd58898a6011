"""The state machine of tiers: purchases, refunds and assignments in any order of arrival, against the naive model of tiers."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ledger import account as accounts
from ledger.instants import parse, show
from ledger.seeing import seen
from tests.builders import CUSTOMER, PROGRAM, Event, MemoryLedger, event
from tests.properties.invariants import check_records, cut_offs
from tests.properties.machine import outcome
from tests.properties.naive_tiers import NaiveTiers, Seen
from tests.properties.stories import HOUR, ZONES

BEGINNING = parse("2018-10-20T00:00:00Z")
DAY = 24 * HOUR
CUT_OFFS_MAX = 4

conditions = st.sampled_from(
    [
        {"growth": 5},
        {"growth": 12},
        {"orders": 2},
        {"spend": 900},
        {"any": [{"orders": 4}, {"growth": 10}]},
        {"growth": 6, "orders": 2},
    ]
)
windows = st.sampled_from(
    [
        {"kind": "rolling", "months": 1},
        {"kind": "rolling", "days": 10},
        {"kind": "calendar", "period": "month"},
        {"kind": "calendar", "period": "quarter"},
        {"kind": "membership_year"},
        {"kind": "lifetime"},
    ]
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    levels = []
    for rank, name in enumerate(["silver", "gold", "black"][: draw(st.integers(1, 3))], start=1):
        level = {"name": name, "rank": rank, "qualifies": draw(conditions)}
        if draw(st.integers(0, 2)) == 0:
            level["retains"] = draw(conditions)
        levels.append(level)
    tiers = {
        "currency": "CNY",
        "window": draw(windows),
        "valid_months": draw(st.sampled_from([1, 2])),
        "review": draw(st.sampled_from(["fall", "step_down", "retain"])),
        "grace_days": draw(st.sampled_from([0, 0, 3])),
        "refunds_undo_upgrade": draw(st.booleans()),
        "growth": [{"id": "spent", "on": "purchase.recorded", "per_unit": "1"}],
        "levels": levels,
    }
    return {
        "program": {"time_zone": draw(st.sampled_from(ZONES))},
        "business_day_starts_at": draw(st.sampled_from(["00:00", "05:00"])),
        "earning": [{"id": "base", "on": "purchase.recorded", "points_per_unit": "1"}],
        "tiers": tiers,
    }


backs = st.sampled_from([0, 0, 0, 1, 6, 24, 24 * 9, 24 * 33])
"""Hours by which an event is late."""

waits = st.sampled_from([0, 3, 24, 24 * 5, 24 * 16, 24 * 40])
"""Hours that pass before an event."""


class Tiered(RuleBasedStateMachine):
    """The same events to ledgers whose clock runs after every event, now and then, and never."""

    @initialize(document=documents())
    def opens(self, document: dict[str, Any]) -> None:
        self.now = BEGINNING
        self.document = document
        self.naive = NaiveTiers(document)
        self.ledgers = [MemoryLedger(document, clock=clock, now=self.now) for clock in (True, False, False)]
        self.lengths: list[list[int]] = [[0] for _ in self.ledgers]
        self.units = 0

    def post(self, posted: Event) -> bool:
        """To all; whether it was recorded."""
        found = {outcome(ledger, posted) for ledger in self.ledgers}
        assert len(found) == 1
        self.units += 1
        if self.units % 3 == 0:
            self.ledgers[1].run_clock(self.now)
        for ledger, lengths in zip(self.ledgers, self.lengths, strict=True):
            lengths.append(len(ledger.records))
        return found == {"recorded"}

    def event(self, event_type: str, back: int, wait: int, **data: Any) -> Event:
        self.now += wait * HOUR
        drawn = event(event_type, self.now - back * HOUR, **data)
        return Event(drawn.type, drawn.time, drawn.data, id=f"e-{self.units}", arrives=self.now)

    @rule(total=st.sampled_from([333, 500, 1000, 100]), back=backs, wait=waits)
    def buy(self, total: int, back: int, wait: int) -> None:
        order = f"SO-{self.units}"
        posted = self.event("purchase.recorded", back, wait, order_id=order, currency="CNY", total=total)
        assert self.post(posted)
        self.naive.bought(self.units, order, total, posted.time)

    @precondition(lambda self: self.naive.orders)
    @rule(which=st.integers(0, 3), quarters=st.integers(1, 4), back=backs, wait=waits)
    def refund(self, which: int, quarters: int, back: int, wait: int) -> None:
        order = list(self.naive.orders)[-1 - which % len(self.naive.orders)]
        known = self.naive.orders[order]
        amount = (known.total - known.refunded) * quarters // 4
        if not amount:
            return
        number = f"RF-{self.units}"
        posted = self.event("purchase.refunded", back, wait, refund_id=number, order_id=order, amount=amount)
        assert self.post(posted)
        self.naive.refunded(self.units, order, amount, posted.time)

    @precondition(lambda self: len(self.naive.orders) > 1)
    @rule(which=st.integers(0, 3))
    def refund_told_late(self, which: int) -> None:
        """All of an order, an hour after it was made: what later orders reached with it was never reached."""
        known = self.naive.orders[list(self.naive.orders)[-1 - which % len(self.naive.orders)]]
        self.refund(which, 4, max(0, self.now - known.at - HOUR) // HOUR, 0)

    @rule(which=st.integers(0, 2), days=st.none() | st.sampled_from([1, 20]), back=backs, wait=waits)
    def assign(self, which: int, days: int | None, back: int, wait: int) -> None:
        tier = self.naive.levels[which % len(self.naive.levels)]["name"]
        until = None if days is None else self.now + (wait - back) * HOUR + days * DAY
        data = {"tier": tier, "reason": "by hand", "until": None if until is None else show(until)}
        posted = self.event("tier.assigned", back, wait, **data)
        assert self.post(posted)
        self.naive.assigned(self.units, tier, until, posted.time)

    def teardown(self) -> None:
        if not hasattr(self, "naive"):
            return
        for ledger in self.ledgers:
            check_records(ledger.records)
        instants = sorted({one for ledger in self.ledgers for one in cut_offs(ledger.records) if one <= self.now})
        for as_of in [*instants[:: max(1, len(instants) // 40)], self.now]:
            wanted = self.naive.seen(as_of, self.units)
            for number, ledger in enumerate(self.ledgers):
                assert self.seen(ledger, None, as_of) == wanted, f"ledger {number} as of {show(as_of)}"
        step = max(1, len(instants) // CUT_OFFS_MAX)
        for unit in range(1, self.units):
            for as_of in instants[unit % step :: step]:
                wanted = self.naive.seen(as_of, unit)
                for number, ledger in enumerate(self.ledgers):
                    found = self.seen(ledger, self.lengths[number][unit], as_of)
                    assert found == wanted, f"ledger {number} as of {show(as_of)}, after event {unit}"

    def seen(self, ledger: MemoryLedger, known: int | None, as_of: int) -> Seen:
        """What a reader of the first records sees."""
        state = accounts.fold(ledger.records[:known], as_of)
        shown = seen(state, as_of, program=PROGRAM, customer=CUSTOMER, known=ledger.program)
        tier = shown["tier"]
        since, review_at = tier["since"], tier["review_at"]
        return Seen(
            shown["balances"].get("growth", 0),
            tier["tier"],
            None if since is None else parse(since),
            None if review_at is None else parse(review_at),
        )
